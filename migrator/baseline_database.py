"""Create and drop the empty database in which an upgrade compares its baseline, as the master user.

The migrator may not create databases. The role setup creates this one on the same server, with the same roles and
extensions, if the deployment has a baseline. The next role setup without a baseline drops it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise
from psycopg2.sql import SQL, Identifier, Literal

from migrator.errors import RolesError
from migrator.managed_roles import MARK
from migrator.memberships import run

_COMMENT = """
SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database
WHERE datname OPERATOR(pg_catalog.=) %s
"""
_LOCALE = """
SELECT pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype FROM pg_catalog.pg_database
WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
"""


def create_baseline_database(connection: Connection, name: str) -> None:
    """Create an empty database in place of one that an earlier role setup has created. Raises RolesError."""
    drop_baseline_database(connection, name)
    with _autocommit(connection) as cursor:
        cursor.execute(_LOCALE)
        ((encoding, collate, ctype),) = cursor.fetchall()
        options = "TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}"
        literals = [Literal(value) for value in (encoding, collate, ctype)]
        cursor.execute(SQL("CREATE DATABASE {} " + options).format(Identifier(name), *literals))
        cursor.execute(SQL("COMMENT ON DATABASE {} IS {}").format(Identifier(name), Literal(MARK)))


def drop_baseline_database(connection: Connection, name: str) -> None:
    """Drop the database if it exists. Raises RolesError if the role setup has not created it."""
    with _autocommit(connection) as cursor:
        cursor.execute(_COMMENT, (name,))
        rows = cursor.fetchall()
        if not rows:
            return
        if not (rows[0][0] or "").startswith(MARK):
            raise RolesError(
                f"the database {name!r} must not exist, or have the comment {MARK!r}: the baseline is compared in an"
                " empty database of this name. Rename it, or drop it"
            )
        run(cursor, "DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def _autocommit(connection: Connection) -> Iterator[Cursor]:
    """Yield a cursor outside of a transaction, where CREATE DATABASE must run."""
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.autocommit = False
