"""The end of a deployment that CloudFormation has given up: change nothing, and stop what still runs for it.

Works with a database in any state, also with a database that cannot be reached: a rollback must not fail.
"""

from contextlib import closing

import psycopg2
from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator import divergence
from migrator.decision import Decision
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest
from migrator.migration_log import prepare, read_log, record_cancellation, totals
from migrator.session import Connect, read_heads
from migrator.upgrade_context import Outcome
from rds_iam.errors import RdsIamError

# The name that the sessions of an upgrade have in pg_stat_activity.
APPLICATION_NAME = "alembic-upgrade"

_TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = %s AND usename = session_user AND datname = current_database() AND pid <> pg_backend_pid()
"""

logger = Logger(child=True)


def application_name(stack_id: str) -> str:
    """Return the name of a stack's sessions, by the last part of its id: at most 52 of PostgreSQL's 63 bytes."""
    return f"{APPLICATION_NAME} {stack_id.rpartition('/')[2][:36]}".rstrip()


def roll_back(request: UpgradeRequest, manifest: Manifest, connect: Connect) -> Outcome:
    """Return the state that the rollback leaves the schema in, without heads if the database cannot be asked.

    Invocations of the failed deployment that still run are stopped. The schema stays as it is. Raises nothing.
    """
    try:
        with closing(connect()) as connection:
            cancel(connection, request.stack_id)
            heads = read_heads(connection)
            ahead = divergence.ahead(heads, manifest, read_log(connection), request.old_revisions)
            decision = Decision.STAY_AHEAD if ahead else Decision.ROLLBACK
            return Outcome(decision, heads, totals=totals(connection, request), ahead=ahead)
    except (psycopg2.Error, RdsIamError) as exc:
        logger.warning("the database cannot be asked during the rollback", extra={"error": str(exc)})
        with single_metric(name="RollbackWithoutDatabase", unit=MetricUnit.Count, value=1):
            pass  # written on leaving the block
        return Outcome(Decision.ROLLBACK, frozenset())


def cancel(connection: Connection, stack_id: str) -> None:
    """Stop the upgrades of a stack that still run, and keep their invocations from beginning another revision.

    Leaves the connection in autocommit and working as its login. Raises psycopg2.Error only if the connection breaks.
    """
    try:
        prepare(connection)  # as the owner, to whom the tables of the log belong
        connection.autocommit = True
        record_cancellation(connection, stack_id)
    except psycopg2.Error as exc:
        if connection.closed:
            raise
        logger.warning("the cancellation cannot be recorded", extra={"error": str(exc)})
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")  # a session may end those of its own login only
        cursor.execute(_TERMINATE, (application_name(stack_id),))
        ((terminated,),) = cursor.fetchall()
    if terminated:
        logger.warning("sessions of the failed deployment were ended", extra={"sessions": terminated})
