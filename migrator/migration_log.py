"""The migration log: a table with each applied revision, its time, its deployment and a digest of its code.

The row of a revision is written in the revision's own transaction. The log has a schema of its own, where
`alembic revision --autogenerate` does not look. An upgrade does not fail because the log cannot be written. Without the
log, the migrator cannot detect that an applied revision was edited.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg2
from aws_lambda_powertools import Logger
from psycopg2.extensions import TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import CancelledError
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest
from migrator.migration_log_schema import prepare

_INSERT = """
INSERT INTO alembic_history.revisions
    (revision, seconds, stack_id, request_id, invocation, scripts_digest, event, parents, code_digest, version_table,
    caller)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
# One round trip. An error of the INSERT must not end the revision's transaction.
_INSERT_IN_TRANSACTION = f"SAVEPOINT migration_log; {_INSERT}; RELEASE SAVEPOINT migration_log"
_UNDO = "ROLLBACK TO SAVEPOINT migration_log"
_TOTALS = """
SELECT count(*), count(DISTINCT invocation), coalesce(sum(seconds), 0)
FROM alembic_history.revisions WHERE request_id = %s AND event = 'upgrade'
"""
_LAST_ROWS = """
SELECT id, revision, parents, code_digest, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
FROM (
    SELECT DISTINCT ON (revision) * FROM alembic_history.revisions WHERE version_table = coalesce(%s, version_table)
    ORDER BY revision, id DESC
) AS last
WHERE event NOT IN ('downgrade', 'unstamp') ORDER BY revision
"""
_CANCEL = "INSERT INTO alembic_history.cancellations (stack_id) VALUES (%s)"
_IS_CANCELLED = """
SELECT EXISTS (
    SELECT FROM alembic_history.cancellations WHERE stack_id = %s AND cancelled_at > to_timestamp(%s)
)
"""

type Event = Literal["upgrade", "baseline", "downgrade", "stamp", "unstamp"]

logger = Logger(child=True)


@dataclass(frozen=True)
class LoggedRevision:
    """The last row of a revision. `parents` and `code_digest` are None in rows of older releases."""

    position: int
    revision: str
    parents: tuple[str, ...] | None
    code_digest: str | None
    applied_at: str


type LoggedRevisions = Mapping[str, LoggedRevision]


@dataclass(frozen=True)
class Totals:
    """The sums over all invocations of one deployment."""

    revisions: int
    invocations: int
    seconds: float


@dataclass(frozen=True)
class MigrationLog:
    """Writes the rows of one invocation, on the connection that runs the revision.

    `version_table` is the qualified name of the project's version table.
    `caller` is the ARN of the operator, or None in a deployment.
    """

    request: UpgradeRequest
    invocation: str
    manifest: Manifest
    version_table: str = "public.alembic_version"
    caller: str | None = None

    def prepare(self, connection: Connection) -> None:
        """Create the tables that are missing. Call it outside of a transaction."""
        try:
            prepare(connection)
        except psycopg2.Error as exc:
            continue_without("cannot be created", exc, connection)

    def record(self, connection: Connection, revision: str, seconds: float, *, event: Event = "upgrade") -> None:
        """Write a row, in the open transaction if there is one."""
        row = self._row(revision, seconds, event)
        # The server's status counts, not psycopg2's: env.py may use autocommit, and a revision may have sent a COMMIT.
        is_in_transaction = connection.info.transaction_status == TRANSACTION_STATUS_INTRANS
        with connection.cursor() as cursor:
            try:
                cursor.execute(_INSERT_IN_TRANSACTION if is_in_transaction else _INSERT, row)
            except psycopg2.Error as exc:
                continue_without("has no row of this revision", exc, connection)
                if is_in_transaction:
                    cursor.execute(_UNDO)

    def record_all(self, connection: Connection, revisions: Iterable[str], *, event: Event) -> None:
        """Write a row for each of the revisions, which were not run. Raises psycopg2.Error."""
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, [self._row(revision, 0.0, event) for revision in revisions])

    def _row(self, revision: str, seconds: float, event: Event) -> tuple[object, ...]:
        request, file = self.request, self.manifest.files.get(revision)
        deployment = (request.stack_id, request.request_id, self.invocation, request.migrations_digest)
        code = (list(file.parents), file.digest) if file else (None, None)
        return (revision, seconds, *deployment, event, *code, self.version_table, self.caller)


def read_log(session: Connection, version_table: str | None = None) -> LoggedRevisions:
    """Return the last row of each revision, by revision, or nothing if there is no log.

    `version_table` selects the rows of one project; by default, of all projects in the database.
    """
    return {
        revision: LoggedRevision(position, revision, None if parents is None else tuple(parents), digest, applied_at)
        for position, revision, parents, digest, applied_at in read_rows(session, _LAST_ROWS, version_table)
    }


def totals(session: Connection, request: UpgradeRequest) -> Totals | None:
    """Return the sums over the rows of a deployment, or None if there is no log."""
    rows = read_rows(session, _TOTALS, request.request_id)
    return Totals(*rows[0]) if rows else None


def record_cancellation(session: Connection, stack_id: str) -> None:
    """Make running invocations of the stack stop before their next revision. Raises psycopg2.Error."""
    with session.cursor() as cursor:
        cursor.execute(_CANCEL, (stack_id,))


def check_not_cancelled(session: Connection, request: UpgradeRequest) -> None:
    """Raise CancelledError if CloudFormation has rolled back the deployment of the request.

    Raises psycopg2.Error if the session was lost, and with it the lock that the session held.
    """
    if read_rows(session, _IS_CANCELLED, request.stack_id, request.started_at) == [(True,)]:
        raise CancelledError(
            "this deployment was rolled back by CloudFormation, or cancelled by an operator: no further revision is"
            " applied; deploy again"
        )


def read_rows(session: Connection, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query, on a session in autocommit, or no row if there is no log that can be read."""
    try:
        with session.cursor() as cursor:
            cursor.execute(query, arguments)
            return cursor.fetchall()
    except psycopg2.ProgrammingError:
        return []  # no such table, a table of an earlier release, or no right to read it


def continue_without(problem: str, exc: psycopg2.Error, connection: Connection) -> None:
    """Log that the migration log could not be written. Raise the error again if the connection was lost."""
    if connection.closed:
        raise exc
    logger.warning("the migration log %s", problem, extra={"error": str(exc)})
