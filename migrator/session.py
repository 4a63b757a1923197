"""The session that looks and holds the lock: never the connection that revisions run on."""

from collections.abc import Callable

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import wrap_database_errors

_HAS_TABLES = """
SELECT EXISTS (
    SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'alembic_history')
        AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'version_num')
)
"""


def open_session(connect: Callable[[], Connection]) -> Connection:
    """Return a session in autocommit that works as its login, not as the owner."""
    session = connect()
    session.autocommit = True
    with wrap_database_errors("the upgrade was interrupted"), session.cursor() as cursor:
        # A session may see of another session only what its own user runs.
        cursor.execute("SET ROLE NONE")
    return session


def read_heads(session: Connection) -> frozenset[str]:
    """Return the revisions of the database: no revision before the first upgrade, several between branches.

    Returns no revision either if env.py has put the version table elsewhere, or if the table is of another form; then
    Alembic is asked, under the lock.
    """
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
            if cursor.fetchall() == [(False,)]:
                return frozenset()
            cursor.execute("SELECT version_num FROM alembic_version")
            return frozenset(version for (version,) in cursor.fetchall())
    except psycopg2.ProgrammingError:
        return frozenset()  # no such column, or no right to read it


def has_tables(session: Connection) -> bool:
    """Return whether the database has a table besides the server's own, the migration log and Alembic's version table.

    Alembic creates its version table when it is asked for the heads. The table may have any name, but not any column.
    """
    with session.cursor() as cursor:
        cursor.execute(_HAS_TABLES)
        ((answer,),) = cursor.fetchall()
    return bool(answer)
