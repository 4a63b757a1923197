"""Stop the upgrades of a deployment that CloudFormation has rolled back."""

import psycopg2
from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.migration_log import prepare, record_cancellation

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


def cancel(connection: Connection, stack_id: str) -> None:
    """End the sessions of a stack's upgrades, and stop their invocations before the next revision.

    Leaves the connection in autocommit and working as its login. Raises psycopg2.Error only if the connection breaks.
    """
    try:
        prepare(connection)  # as the owner of the log's tables
        connection.autocommit = True
        record_cancellation(connection, stack_id)
    except psycopg2.Error as exc:
        if connection.closed:
            raise
        logger.warning("the cancellation cannot be recorded", extra={"error": str(exc)})
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")  # a session may end sessions of its own login only
        cursor.execute(_TERMINATE, (application_name(stack_id),))
        ((terminated,),) = cursor.fetchall()
    if terminated:
        logger.warning("sessions of the failed deployment were ended", extra={"sessions": terminated})
