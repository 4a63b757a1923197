"""A table of what was applied, by which deployment and how fast, written in each revision's own transaction.

It has a schema of its own, where `alembic revision --autogenerate` does not look. An upgrade does not fail for want of
it. A second table remembers rollbacks.
"""

from dataclasses import dataclass

import psycopg2
from aws_lambda_powertools import Logger
from psycopg2.extensions import STATUS_READY, TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.events import UpgradeRequest

_CREATE = """
CREATE SCHEMA IF NOT EXISTS alembic_history;
CREATE TABLE IF NOT EXISTS alembic_history.revisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds double precision NOT NULL,
    login text NOT NULL DEFAULT session_user,
    stack_id text NOT NULL,
    request_id text NOT NULL,
    invocation text NOT NULL,
    scripts_digest text NOT NULL
);
CREATE TABLE IF NOT EXISTS alembic_history.rollbacks (
    scripts_digest text NOT NULL,
    ahead_at text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scripts_digest, ahead_at)
)
"""
_INSERT = """
INSERT INTO alembic_history.revisions (revision, seconds, stack_id, request_id, invocation, scripts_digest)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_NOTHING = ("SELECT", "SELECT", "SELECT")  # outside of a transaction there is nothing to go back to
_SAVEPOINT = ("SAVEPOINT history", "RELEASE SAVEPOINT history", "ROLLBACK TO SAVEPOINT history")
_TOTALS = """
SELECT count(*), count(DISTINCT invocation), coalesce(sum(seconds), 0)
FROM alembic_history.revisions WHERE request_id = %s
"""
_ROLLED_BACK = "INSERT INTO alembic_history.rollbacks (scripts_digest, ahead_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_AHEAD = "SELECT ahead_at FROM alembic_history.rollbacks WHERE scripts_digest = %s"

logger = Logger(child=True)


@dataclass(frozen=True)
class Totals:
    """What one deployment did, over all its invocations."""

    revisions: int
    invocations: int
    seconds: float


@dataclass(frozen=True)
class History:
    """Rows of one invocation, written on the connection that runs the revision."""

    request: UpgradeRequest
    invocation: str

    def prepare(self, connection: Connection) -> None:
        """Create the table where there is none; call it outside of a transaction."""
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(_CREATE)
        except psycopg2.Error as exc:
            _go_without("cannot be created", exc, connection)

    def record(self, connection: Connection, revision: str, seconds: float) -> None:
        """Write a row in the transaction that is open, if one is."""
        request = self.request
        row = (revision, seconds, request.stack_id, request.request_id, self.invocation, request.scripts_digest)
        save, release, undo = _SAVEPOINT if _in_transaction(connection) else _NOTHING
        with connection.cursor() as cursor:
            cursor.execute(save)
            try:
                cursor.execute(_INSERT, row)
            except psycopg2.Error as exc:
                _go_without("has no row of this revision", exc, connection)
                cursor.execute(undo)
            else:
                cursor.execute(release)


def _in_transaction(connection: Connection) -> bool:
    """Ask the server, rather than psycopg2: env.py may have chosen autocommit, and a revision have sent a COMMIT."""
    begins_one = connection.status == STATUS_READY and not connection.autocommit
    return begins_one or connection.info.transaction_status == TRANSACTION_STATUS_INTRANS


def _go_without(what: str, exc: psycopg2.Error, connection: Connection) -> None:
    if connection.closed:
        raise exc
    logger.warning("the history %s", what, extra={"error": str(exc)})


def record_rollback(session: Connection, request: UpgradeRequest, heads: frozenset[str]) -> None:
    """Remember that these scripts were restored to a database ahead of them, on a session in autocommit.

    The next deployment may fail as well, and be rolled back to the same scripts; its properties do not tell of the
    one before, so that its rollback could not be told from a deployment of scripts that lost a revision.
    """
    try:
        with session.cursor() as cursor:
            for head in heads:
                cursor.execute(_ROLLED_BACK, (request.scripts_digest, head))
    except psycopg2.ProgrammingError as exc:
        logger.warning("the history has no row of this rollback", extra={"error": str(exc)})


def heads_rolled_back_from(session: Connection, request: UpgradeRequest) -> frozenset[str]:
    """Return where the database was when these scripts were restored to it before."""
    try:
        with session.cursor() as cursor:
            cursor.execute(_AHEAD, (request.scripts_digest,))
            return frozenset(head for (head,) in cursor.fetchall())
    except psycopg2.ProgrammingError:
        return frozenset()


def totals(session: Connection, request: UpgradeRequest) -> Totals | None:
    """Add up the rows of a deployment, on a session in autocommit; None where there is no history."""
    try:
        with session.cursor() as cursor:
            cursor.execute(_TOTALS, (request.request_id,))
            ((revisions, invocations, seconds),) = cursor.fetchall()
    except psycopg2.ProgrammingError:
        return None  # no such table, or no right to read it
    return Totals(revisions, invocations, seconds)
