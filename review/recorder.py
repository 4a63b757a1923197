"""The recorder: it runs every statement of a revision, and observes the server before and after.

The recorder does not change what a revision does. Two differences remain: several statements of one call are sent one
after the other, in one transaction as before, and a statement in autocommit is sent between BEGIN and COMMIT, if
PostgreSQL allows that.
"""

import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psycopg2
from psycopg2.extensions import STATUS_BEGIN, TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import connection as Session  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from review import catalog, tokens
from review.changes import QUERIES, cause_of
from review.cursor import RecordingCursor, Send
from review.errors import Interruption, RollbackError
from review.lock_modes import LockMode
from review.observation import work_between
from review.recording import RevisionRecording, Statement, strictest
from review.source import Source
from review.waiting import Connect, observe_waits

# SQLSTATEs of statements that PostgreSQL does not run in a transaction: CREATE INDEX CONCURRENTLY, a DO block that
# commits. https://www.postgresql.org/docs/17/errcodes-appendix.html
_OUTSIDE_ONLY = {"25001", "2D000"}
_INSIDE_ONLY = {"SAVEPOINT", "RELEASE", "LOCK TABLE", "DECLARE CURSOR"}
_TRANSACTION = "SELECT pg_current_xact_id_if_assigned()::text"
_ABORTED = "SELECT 1 FROM unnest(%s::text[]) AS id WHERE pg_xact_status(id::xid8) = 'aborted'"
_WITHOUT_LOCK_TIMEOUT = "SELECT current_setting('lock_timeout'), set_config('lock_timeout', '0', false)"


class Recorder:
    """Records the statements of one revision in `recording`. `connect` opens further sessions of the superuser.

    `interrupt_at`: the number of the statement outside a transaction that is interrupted, while it waits or after it.
    """

    def __init__(self, recording: RevisionRecording, connect: Connect, *, interrupt_at: int | None = None) -> None:
        self.recording = recording
        self._statements = recording.statements
        self._interrupt_at = interrupt_at
        self._connect = connect
        self._source = Source(recording.path, recording.revision)
        self._transaction = 0
        self._state: catalog.State | None = None
        self._first_oid = 0  # the highest oid before the revision
        self._locks_of_alembic: dict[int, LockMode] = {}  # on its version table
        self._written: set[str] = set()  # the ids of the transactions that have written

    @contextmanager
    def recording_of(self, session: Session) -> Iterator[None]:
        """Record the statements of a session while the block runs. Raises RollbackError."""
        session.cursor_factory = partial(RecordingCursor, self)
        try:
            yield
        finally:
            session.cursor_factory = Cursor
        if self._written and catalog.query(session, _ABORTED, [list(self._written)]):
            raise RollbackError("the revision rolled back its own transaction, so that its changes are lost")

    def run(self, cursor: Cursor, sql: str, send: Send) -> None:
        """Send the statements of one call, and record each."""
        session = cursor.connection
        texts = (tokens.statements(sql) if ";" in sql else []) or [sql]
        if not _is_outside(session):
            # Alembic may have begun the transaction, to read its version table.
            if self._state is None or session.info.transaction_status == TRANSACTION_STATUS_IDLE:
                self._begin(session)
            self._inside(cursor, texts, send, in_transaction=True)
            return
        self._outside(cursor, sql, texts, send)
        if self._interrupt_at is not None and len(self._statements) > self._interrupt_at:
            raise Interruption

    def _begin(self, session: Session) -> catalog.State:
        """Read the state at the beginning of a transaction, which psycopg2 begins with this query."""
        self._transaction += 1
        state = catalog.read_state(session)
        if self._state is None:
            self._first_oid = state.last_oid
            self._locks_of_alembic = catalog.read_locks(session, session.info.backend_pid)
        self._state = state
        return state

    def _inside(self, cursor: Cursor, texts: Iterable[str], send: Send, *, in_transaction: bool) -> None:
        for text in texts:
            statement = self._send(cursor, text, send, in_transaction=in_transaction)
            if cursor.connection.info.transaction_status == TRANSACTION_STATUS_INTRANS and self._state:
                statement = self._observe(cursor.connection, statement, self._state)
            self._statements.append(statement)

    def _outside(self, cursor: Cursor, sql: str, texts: list[str], send: Send) -> None:
        """Run the statements of a call as one transaction, as PostgreSQL does, or outside if they must be outside."""
        session, number = cursor.connection, len(self._statements)
        _execute(session, "BEGIN")
        self._begin(session)
        try:
            self._inside(cursor, texts, send, in_transaction=False)
        except psycopg2.Error as exc:
            _execute(session, "ROLLBACK")
            if exc.pgcode not in _OUTSIDE_ONLY:
                raise
            del self._statements[number:]
            self._waiting(cursor, sql, send)
            return
        is_open = session.info.transaction_status != TRANSACTION_STATUS_IDLE
        if self._statements[-1].tag in _INSIDE_ONLY:
            _execute(session, "ROLLBACK")
            del self._statements[number:]
            self._send(cursor, sql, send, in_transaction=False)  # fails, as without the recorder
        elif is_open and self._statements[-1].tag not in {"BEGIN", "START TRANSACTION"}:
            _execute(session, "COMMIT")

    def _waiting(self, cursor: Cursor, sql: str, send: Send) -> None:
        """Run a statement that must be outside of a transaction, and observe it while it waits."""
        session = cursor.connection
        before = self._begin(session)
        if session.info.transaction_status != TRANSACTION_STATUS_IDLE:
            _execute(session, "COMMIT")
        ((timeout, _),) = catalog.query(session, _WITHOUT_LOCK_TIMEOUT)
        pid, is_interrupting = session.info.backend_pid, len(self._statements) == self._interrupt_at
        with observe_waits(self._connect, pid, before.relations, is_interrupting=is_interrupting) as observer:
            statement = self._send(cursor, sql, send, in_transaction=False)
        catalog.query(session, "SELECT set_config('lock_timeout', %s, false)", [timeout])
        after = catalog.read_state(session)
        created = catalog.new_objects(session, before.last_oid).values()
        work = work_between(before.relations, after.relations, self._existed)
        locks = strictest(lock for wait in observer.waits for lock in wait.locks)
        self._statements.append(
            replace(statement, locks=locks, waits=observer.waits, work=work, created=tuple(created))
        )

    def _send(self, cursor: Cursor, sql: str, send: Send, *, in_transaction: bool) -> Statement:
        start, end = self._position()
        statement = Statement(
            sql=sql, line=start, end_line=end, in_transaction=in_transaction, transaction=self._transaction
        )
        began = time.monotonic()
        try:
            send(sql)
        except psycopg2.Error as exc:
            self._statements.append(replace(statement, error=str(exc).strip(), seconds=time.monotonic() - began))
            raise
        tag = (cursor.statusmessage or sql.split(maxsplit=1)[0].upper()).rstrip("0123456789 ")  # COPY has no message
        return replace(statement, tag=tag, rows=cursor.rowcount, seconds=time.monotonic() - began)

    def _observe(self, session: Session, statement: Statement, before: catalog.State) -> Statement:
        """Add the state of the server after a statement in an open transaction."""
        all_locks = catalog.read_locks(session, session.info.backend_pid)
        locks = {oid: mode for oid, mode in all_locks.items() if self._locks_of_alembic.get(oid) != mode}
        created = catalog.new_objects(session, before.last_oid) if statement.tag not in QUERIES - {"SELECT"} else {}
        after = catalog.read_relations(session, {*locks, *created})
        is_truncated = statement.tag == "TRUNCATE TABLE"
        work = work_between(before.relations, after, self._existed)
        existing = {oid: stored for oid, stored in before.relations.items() if self._existed(oid)}
        cause = cause_of(session, statement.tag, before, filter(self._existed, locks), work)
        self._written |= {id_ for (id_,) in catalog.query(session, _TRANSACTION) if id_}
        before.relations |= after
        before.last_oid = max([before.last_oid, *created])
        return replace(
            statement,
            locks=catalog.named(locks, existing),
            touches_new=not all(map(self._existed, locks)),
            work=() if is_truncated else work,
            cause=cause if work else "",
            emptied=tuple(item.table for item in work if item.kind == "rewrites") if is_truncated else (),
            created=tuple(created.values()),
        )

    def _existed(self, oid: int) -> bool:
        return oid <= self._first_oid

    def _position(self) -> tuple[int, int]:
        """Return the first and the last line of the revision's statement that is being executed.

        The call stack is read for the report only. Nothing that runs depends on it.
        """
        path = str(self.recording.path)
        lines = [frame.lineno for frame in traceback.extract_stack() if frame.filename == path and frame.lineno]
        return self._source.statement_at(lines[-1]) if lines else (1, 1)


def _is_outside(session: Session) -> bool:
    """Tell whether the next statement is its own transaction. A revision may have sent COMMIT as text."""
    is_idle = session.info.transaction_status == TRANSACTION_STATUS_IDLE
    return is_idle and (session.autocommit or session.status == STATUS_BEGIN)


def _execute(session: Session, sql: str) -> None:
    with session.cursor(cursor_factory=Cursor) as cursor:
        cursor.execute(sql)
