"""The SQLAlchemy engine whose sessions run env.py and the revisions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor

from migrator.statement_limit import limit_statements
from rds_iam.deadline import Deadline


@contextmanager
def opened_engine(connect: Callable[[], DbapiConnection], deadline: Deadline) -> Iterator[sa.Engine]:
    """Make an engine on `connect`; its sessions end with the block, and no statement outlasts the deadline.

    A session is reset when it returns to the pool, so that settings of one revision do not reach the next one.
    """
    engine = sa.create_engine("postgresql+psycopg2://", creator=connect, pool_reset_on_return=None)
    sa.event.listen(engine, "reset", _reset)
    limit_statements(engine, deadline)
    try:
        yield engine
    finally:
        engine.dispose()


def _reset(session: DbapiConnection, *_pool: object) -> None:
    """Bring the session to the state of a new one, on the server and in the driver.

    `DISCARD ALL`, which psycopg2 sends, also restores the role that `ALTER ROLE ... SET role` gives, and ends locks,
    temporary tables, cursors and prepared statements of the session.
    """
    session.reset()
    session.cursor_factory = cursor
