"""The names of database objects, as text for SQL and for new objects."""

import hashlib

from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import conv

# The preparer of a connection doubles each %, for the parameters of psycopg2.
_PREPARER = postgresql.dialect(paramstyle="named").identifier_preparer  # type: ignore[no-untyped-call] # has no types

MAX_BYTES = 63
"""PostgreSQL truncates longer names. https://www.postgresql.org/docs/17/limits.html"""


def shorten(name: str) -> conv:
    """Return a name of at most 63 bytes. A longer name ends with a digest, so that it stays unique."""
    encoded = name.encode()
    if len(encoded) <= MAX_BYTES:
        return conv(name)
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return conv(f"{encoded[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}")


def quote(name: str) -> str:
    """Return an SQL identifier, with quotes where PostgreSQL requires them."""
    return _PREPARER.quote(name)


def literal(text: str) -> str:
    """Return an SQL string."""
    return "'" + text.replace("'", "''") + "'"
