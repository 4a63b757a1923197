"""The session that reads the state of the database and holds the lock. Revisions never run on it."""

from collections.abc import Callable

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.sql import SQL

_HAS_TABLES = """
SELECT EXISTS (
    SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'alembic_history')
        AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'version_num')
)
"""

type Connect = Callable[[], Connection]


def open_session(connect: Connect) -> Connection:
    """Return a session in autocommit that works as its login, not as the owner. Raises psycopg2.Error.

    A session may see what other sessions of its own user run, and may cancel them. The owner is another user.
    """
    session = connect()
    session.autocommit = True
    with session.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
    return session


def read_heads(session: Connection, version_table: str) -> frozenset[str]:
    """Return the heads in a version table: no revision before the first upgrade, several between branches.

    Also returns no revision if the table is missing or has another form.
    """
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)::text", (version_table,))
            ((quoted_name,),) = cursor.fetchall()
            if quoted_name is None:
                return frozenset()
            cursor.execute(SQL("SELECT version_num FROM {}").format(SQL(quoted_name)))
            return frozenset(version for (version,) in cursor.fetchall())
    except psycopg2.ProgrammingError:
        return frozenset()  # no such column, or no right to read it


def has_tables(session: Connection) -> bool:
    """Return whether the database has a table besides the server's own, the migration log and Alembic's version table.

    Alembic creates its version table when it reads the heads. The name of that table is free, the name of its column
    is not.
    """
    with session.cursor() as cursor:
        cursor.execute(_HAS_TABLES)
        ((has_tables,),) = cursor.fetchall()
    return bool(has_tables)
