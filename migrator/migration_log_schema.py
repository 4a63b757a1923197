"""Create the tables of the migration log, and let operators read the log and the version table.

Operators are the members of pg_monitor, which every server has. So an upgrade does not need the name of the reader.
"""

import psycopg2
from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.sql import SQL, Identifier

_IS_CURRENT = """
SELECT to_regclass('alembic_history.cancellations') IS NOT NULL
    AND to_regclass('alembic_history.operations') IS NOT NULL AND (
    SELECT count(*) FROM pg_attribute
    WHERE attrelid = to_regclass('alembic_history.revisions') AND attname IN ('version_table', 'caller')
) = 2
"""
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
ALTER TABLE alembic_history.revisions
    ADD COLUMN IF NOT EXISTS event text NOT NULL DEFAULT 'upgrade',
    ADD COLUMN IF NOT EXISTS parents text[],
    ADD COLUMN IF NOT EXISTS code_digest text,
    ADD COLUMN IF NOT EXISTS caller text,
    ADD COLUMN IF NOT EXISTS version_table text NOT NULL DEFAULT 'public.alembic_version',
    DROP CONSTRAINT IF EXISTS revisions_event_check,
    ADD CONSTRAINT revisions_event_check
        CHECK (event IN ('upgrade', 'baseline', 'downgrade', 'stamp', 'unstamp'));
CREATE TABLE IF NOT EXISTS alembic_history.projects (
    stack_id text,
    resource text,
    version_table text NOT NULL,
    configuration text NOT NULL,
    PRIMARY KEY (stack_id, resource)
);
CREATE TABLE IF NOT EXISTS alembic_history.cancellations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stack_id text NOT NULL,
    cancelled_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS alembic_history.operations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    performed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    command text NOT NULL,
    arguments text NOT NULL,
    caller text NOT NULL,
    login text NOT NULL DEFAULT session_user,
    invocation text NOT NULL
);
GRANT USAGE ON SCHEMA alembic_history TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA alembic_history TO pg_monitor
"""

logger = Logger(child=True)


def prepare(connection: Connection) -> None:
    """Create the tables that are missing, outside of a transaction. Raises psycopg2.Error."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_IS_CURRENT)
        if cursor.fetchall() != [(True,)]:
            cursor.execute(_CREATE)


def share_version_table(connection: Connection, schema: str | None, table: str) -> None:
    """Let the members of pg_monitor read the version table, outside of a transaction. They may read the log, too."""
    name = Identifier(*filter(None, (schema, table)))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(SQL("GRANT SELECT ON {} TO pg_monitor").format(name))
            if schema:
                cursor.execute(SQL("GRANT USAGE ON SCHEMA {} TO pg_monitor").format(Identifier(schema)))
    except psycopg2.Error as exc:
        if connection.closed:
            raise
        logger.warning("operators cannot read the version table", extra={"error": str(exc)})
