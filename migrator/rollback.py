"""Handle the rollback of a deployment: leave the schema as it is, and stop upgrades that are still running.

Never fails, also if the database cannot be used: a failed rollback leaves the stack in UPDATE_ROLLBACK_FAILED.
"""

from contextlib import closing

import psycopg2
from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator import divergence
from migrator.decision import Decision
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest
from migrator.migration_log import read_log, record_cancellation, totals
from migrator.migration_log_schema import prepare
from migrator.projects import read_project
from migrator.reporting import count
from migrator.session import Connect, read_heads
from migrator.upgrade_context import Outcome
from rds_iam.errors import RdsIamError

# The sessions of an upgrade have this name in pg_stat_activity, followed by a part of the stack's id.
APPLICATION_NAME = "alembic-upgrade"

_TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = %s AND usename = session_user AND datname = current_database() AND pid <> pg_backend_pid()
"""

logger = Logger(child=True)


def application_name(stack_id: str) -> str:
    """Return the name of a stack's sessions, with the last part of its id: at most 52 of PostgreSQL's 63 bytes."""
    return f"{APPLICATION_NAME} {stack_id.rpartition('/')[2][:36]}".rstrip()


def roll_back(request: UpgradeRequest, manifest: Manifest, connect: Connect) -> Outcome:
    """Stop the upgrades of the failed deployment, and return the state of the schema, which is not changed.

    Returns an outcome without heads if the database cannot be reached.
    """
    try:
        with closing(connect()) as connection:
            _cancel(connection, request.stack_id)
            project = read_project(connection, request)
            if project is None:
                return Outcome(Decision.ROLLBACK, frozenset(), totals=totals(connection, request))
            heads = read_heads(connection, project.version_table)
            log = read_log(connection, project.version_table)
            ahead = divergence.ahead(heads, manifest, log, request.old_revisions)
            decision = Decision.STAY_AHEAD if ahead else Decision.ROLLBACK
            return Outcome(decision, heads, totals=totals(connection, request), ahead=ahead)
    except (psycopg2.Error, RdsIamError) as exc:
        logger.warning("the database cannot be reached during the rollback", extra={"error": str(exc)})
        count("RollbackWithoutDatabase")
        return Outcome(Decision.ROLLBACK, frozenset())


def stop_upgrades(stack_id: str, connect: Connect) -> None:
    """Stop the upgrades of a stack that is deleted, if the database can be reached."""
    try:
        with closing(connect()) as connection:
            _cancel(connection, stack_id)
    except (psycopg2.Error, RdsIamError) as exc:
        logger.warning("the database cannot be reached during the deletion", extra={"error": str(exc)})


def _cancel(connection: Connection, stack_id: str) -> None:
    """End the sessions of a stack's upgrades, and stop their invocations before the next revision.

    Leaves the connection in autocommit and working as its login. Raises psycopg2.Error only if the connection breaks.
    """
    try:
        prepare(connection)  # as the owner of the log's tables
        connection.autocommit = True
        record_cancellation(connection, stack_id)
    except psycopg2.Error as exc:
        logger.warning("the cancellation cannot be recorded", extra={"error": str(exc)})
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")  # a session may end sessions of its own login only
        cursor.execute(_TERMINATE, (application_name(stack_id),))
        ((terminated,),) = cursor.fetchall()
    if terminated:
        logger.warning("sessions of the failed deployment were ended", extra={"sessions": terminated})
