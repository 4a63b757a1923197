"""Detect a revision that rolls back its own work. Alembic would record it.

The server reports the end of each transaction (`pg_xact_status`), whether SQLAlchemy, SQL text or a call to the driver
has ended it. So the id of each transaction of the revision is read after its first statement that writes, and its
status at the end. A transaction without an id has written nothing. A rollback to a savepoint does not end a
transaction. Changes that a revision commits by itself stay.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg2
import sqlalchemy as sa
from psycopg2.extensions import (
    STATUS_BEGIN,
    TRANSACTION_STATUS_IDLE,
    TRANSACTION_STATUS_INERROR,
    TRANSACTION_STATUS_INTRANS,
    cursor,
)
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import format_error
from migrator.engine import driver_connection
from migrator.errors import UpgradeError

_SETTINGS = "SELECT current_setting('search_path'), current_setting('role')"
_ID = "SELECT pg_current_xact_id_if_assigned()::text"
_STATUS = "SELECT pg_xact_status(id::xid8) FROM unnest(%s::text[]) WITH ORDINALITY AS ids (id, number) ORDER BY number"
_END = f"SELECT array({_STATUS}), current_setting('search_path'), current_setting('role')"
_RESTORE = "SELECT set_config('search_path', %s, false), set_config('role', %s, false)"

# Statements that may end one transaction and begin another. A match of a PL/pgSQL body only costs a round trip.
_CONTROL = re.compile(
    r"(^|;)(\s|--[^\n]*\n|/\*.*?\*/)*(commit|rollback|abort|end|begin|start|prepare)\b", re.IGNORECASE | re.DOTALL
)
_NEVER_WRITES = {"BEGIN", "COMMIT", "RELEASE", "ROLLBACK", "SAVEPOINT", "SET", "SHOW", "START TRANSACTION"}


@dataclass
class _Transaction:
    """A transaction that has written. `is_explicit`: the revision has begun it, with a BEGIN in autocommit."""

    id: str
    is_explicit: bool
    has_failed: bool = False  # its last statement has failed

    @property
    def may_be_rolled_back(self) -> bool:
        """Return whether a rollback is intended: the revision began the transaction, and a statement of it failed."""
        return self.is_explicit and self.has_failed


@dataclass
class _Revision:
    """The transactions of one revision on its session, and the settings of the session at its beginning.

    `is_known`: the open transaction is the last one of the list. `is_checked`: no transaction was added since the last
    check. `reads`: the number of queries since the last id was read.
    """

    name: str
    session: DbapiConnection
    search_path: str
    role: str
    transactions: list[_Transaction] = field(default_factory=list)
    is_known: bool = False
    is_checked: bool = True
    reads: int = 0
    errors: list[str] = field(default_factory=list)

    def before_statement(self) -> None:
        if self.session.info.transaction_status == TRANSACTION_STATUS_IDLE:
            self.is_known = False
            if not self.is_checked:
                self.check_rollback()  # now, because the driver may not notice the end of the transaction

    def after_statement(self, statement: str, tag: str) -> None:
        if _CONTROL.search(statement):
            self.is_known = False
        if tag in _NEVER_WRITES or self.session.info.transaction_status != TRANSACTION_STATUS_INTRANS:
            return
        if not self.is_known and self._may_have_written(tag):
            self._read_id()
        if self.is_known:
            self.transactions[-1].has_failed = False

    def after_error(self, error: psycopg2.Error) -> None:
        self.errors.append(format_error(error))
        if self.is_known:
            self.transactions[-1].has_failed = True

    def check_rollback(self) -> tuple[str, str]:
        """Raise UpgradeError if changes were rolled back. Return the current search path and role."""
        ((statuses, search_path, role),) = _query(self.session, _END, [each.id for each in self.transactions])
        self.is_checked = True
        for transaction, status in zip(self.transactions, statuses, strict=True):
            if status == "aborted" and not transaction.may_be_rolled_back:
                failure = f" after an error ({self.errors[-1]})" if self.errors else ""
                raise UpgradeError(
                    f"revision {self.name} failed: it rolled back its own transaction{failure}, so its changes are "
                    "lost, and it is not recorded; to undo a part of a revision, use a savepoint, with "
                    "op.get_bind().begin_nested()"
                )
        return search_path, role

    def _may_have_written(self, tag: str) -> bool:
        """Return whether to read the id. A query may call a function that writes: the 1st, 2nd, 4th, 8th one counts."""
        if tag.startswith("SELECT"):
            self.reads += 1
            return self.reads.bit_count() == 1
        return True

    def _read_id(self) -> None:
        ((id_,),) = _query(self.session, _ID)
        if id_ is None:
            return
        if not self.transactions or self.transactions[-1].id != id_:
            self.transactions.append(_Transaction(id_, is_explicit=self.session.autocommit))
        self.is_known = True
        self.is_checked = False
        self.reads = 0


class _Cursor(cursor):
    """A cursor that reports all statements to the revision, including those that bypass SQLAlchemy."""

    def __init__(self, revision: _Revision, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._revision = revision

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name
        self._report(partial(super().execute, query, vars))

    def executemany(self, query: Any, vars_list: Any) -> None:
        self._report(partial(super().executemany, query, vars_list))

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self._report(partial(super().copy_expert, sql, file, size))

    def copy_from(self, file: Any, table: str, *arguments: Any, **options: Any) -> None:
        self._report(partial(super().copy_from, file, table, *arguments, **options))

    def callproc(self, procname: Any, parameters: Any = None) -> None:
        self._report(partial(super().callproc, procname, parameters))

    def _report(self, run: Callable[[], object]) -> None:
        self._revision.before_statement()
        try:
            run()
        except psycopg2.Error as exc:
            self._revision.after_error(exc)
            raise
        sent = (self.query or b"").decode(errors="replace")
        self._revision.after_statement(sent, self.statusmessage or "")


@contextmanager
def check_transactions(name: str, connection: sa.Connection) -> Iterator[None]:
    """Raise UpgradeError if the revision that the block runs on the connection rolled back its changes.

    After the block, a transaction is open unless the connection is in autocommit, and the session has its previous
    search path and role. The row that Alembic writes for the revision depends on all three.
    """
    session = driver_connection(connection)
    ((search_path, role),) = _query(session, _SETTINGS)
    revision = _Revision(name, session, search_path, role)
    session.cursor_factory = partial(_Cursor, revision)
    try:
        yield
    finally:
        session.cursor_factory = cursor
    _finish(revision)


def _finish(revision: _Revision) -> None:
    session = revision.session
    if session.info.transaction_status == TRANSACTION_STATUS_INERROR:
        failure = f": {revision.errors[-1]}" if revision.errors else ""
        raise UpgradeError(
            f"revision {revision.name} failed: it continued after a statement had failed{failure}; "
            "use a savepoint for a statement that may fail, with op.get_bind().begin_nested()"
        )
    if revision.check_rollback() != (revision.search_path, revision.role):
        _query(session, _RESTORE, revision.search_path, revision.role)
    if session.status == STATUS_BEGIN and session.info.transaction_status == TRANSACTION_STATUS_IDLE:
        # The revision sent a COMMIT as text, which the driver does not notice.
        with session.cursor() as plain_cursor:
            plain_cursor.execute("BEGIN")


def _query(session: DbapiConnection, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
    with session.cursor(cursor_factory=cursor) as plain_cursor:
        plain_cursor.execute(statement, arguments)
        return plain_cursor.fetchall()
