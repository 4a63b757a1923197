"""The SQLAlchemy engine whose sessions run env.py and the revisions."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor

from migrator.session import Connect


@contextmanager
def open_engine(connect: Connect) -> Iterator[sa.Engine]:
    """Create an engine on `connect`. Its sessions end with the block.

    A session is reset when it returns to the pool, so that settings of one revision do not reach the next one.
    """
    engine = sa.create_engine("postgresql+psycopg2://", creator=connect, pool_reset_on_return=None)
    sa.event.listen(engine, "reset", _reset)
    try:
        yield engine
    finally:
        engine.dispose()


def driver_connection(connection: sa.Connection) -> DbapiConnection:
    """Return psycopg2's connection."""
    session: DbapiConnection = connection.connection.dbapi_connection  # type: ignore[assignment] # psycopg2's alone
    return session


def _reset(session: DbapiConnection, *_pool: object) -> None:
    """Restore the state of a new session, on the server and in the driver.

    `DISCARD ALL`, which psycopg2 sends, also restores the role that `ALTER ROLE ... SET role` gives, and ends locks,
    temporary tables, cursors and prepared statements of the session.
    """
    session.reset()
    session.cursor_factory = cursor
