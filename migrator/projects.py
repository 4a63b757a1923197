"""Tell the Alembic projects of one database apart: by their version tables.

env.py chooses the version table. The name is recorded for each custom resource, so that the next invocation finds the
table without running env.py.
"""

from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.events import UpgradeRequest
from migrator.migration_log import continue_without, read_rows
from migrator.migration_log_schema import prepare

DEFAULT_VERSION_TABLE = "alembic_version"

_QUALIFIED_NAME = """
SELECT format('%%I.%%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = to_regclass(concat_ws('.', quote_ident(%s), quote_ident(%s)))
"""
_READ = """
SELECT stack_id = %s AND resource = %s, version_table, configuration FROM alembic_history.projects ORDER BY 1 DESC
"""
_RECORD = """
INSERT INTO alembic_history.projects (stack_id, resource, version_table, configuration) VALUES (%s, %s, %s, %s)
ON CONFLICT (stack_id, resource)
DO UPDATE SET version_table = EXCLUDED.version_table, configuration = EXCLUDED.configuration
"""


@dataclass(frozen=True)
class Project:
    """The version table that env.py of a deployment has chosen, and the configuration of that deployment."""

    version_table: str
    configuration: str | None


def configuration_of(request: UpgradeRequest) -> str:
    """Return a text that differs if env.py may choose another version table."""
    return f"{request.migrations_digest} {request.environment_digest}".rstrip()


def qualified_name(connection: Connection, schema: str | None, table: str) -> str:
    """Return the name of the version table with its schema, quoted. Raises psycopg2.Error."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_QUALIFIED_NAME, (schema, table))
        rows = cursor.fetchall()
    return str(rows[0][0]) if rows else table


def read_project(session: Connection, request: UpgradeRequest) -> Project | None:
    """Return the recorded project of the custom resource, or None.

    Without a record of any project, the project has the default version table, as far as is known.
    """
    rows = read_rows(session, _READ, request.stack_id, request.resource)
    if not rows:
        return Project(DEFAULT_VERSION_TABLE, configuration=None)
    is_own, version_table, configuration = rows[0]
    return Project(version_table, configuration) if is_own else None


def record_project(connection: Connection, request: UpgradeRequest, version_table: str) -> None:
    """Record the project of a deployment, outside of a transaction. An upgrade does not fail without the record."""
    try:
        prepare(connection)
        with connection, connection.cursor() as cursor:
            cursor.execute(_RECORD, (request.stack_id, request.resource, version_table, configuration_of(request)))
    except psycopg2.Error as exc:
        continue_without("has no row of this project", exc, connection)
