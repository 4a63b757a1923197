"""The advisory lock that allows one upgrade at a time. It ends with the session that took it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import LockTimeoutError
from rds_iam.backoff import Backoff
from rds_iam.deadline import Deadline

# "upgrade" in ASCII. Advisory locks are per database.
LOCK_KEY = 0x75706772616465
PAUSE_SECONDS = 0.5

_HOLDER = """
SELECT pid, application_name, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pg_locks.database = (
    SELECT oid FROM pg_database WHERE datname = current_database()
) AND (classid::bigint << 32 | objid::bigint) = %s
"""


@contextmanager
def upgrade_lock(session: Connection, deadline: Deadline) -> Iterator[None]:
    """Hold the lock on `session`, which must be in autocommit. Raises LockTimeoutError that names the holder.

    Polls instead of waiting in the server. A session that waits in pg_advisory_lock() has a snapshot, and CREATE INDEX
    CONCURRENTLY of the holder waits for all older snapshots: a deadlock.
    """
    backoff = Backoff(PAUSE_SECONDS, PAUSE_SECONDS)
    while not _try_lock(session):
        if not backoff.pause(deadline):
            raise LockTimeoutError(f"another upgrade is still running: {_holder(session)}")
    try:
        yield
    finally:
        _unlock(session)


def _try_lock(session: Connection) -> bool:
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,))
        ((taken,),) = cursor.fetchall()
        return bool(taken)


def _unlock(session: Connection) -> None:
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        return  # the session has ended, and its lock with it


def _holder(session: Connection) -> str:
    with session.cursor() as cursor:
        cursor.execute(_HOLDER, (LOCK_KEY,))
        holder = cursor.fetchone()
    if holder is None:
        return "its session has just ended; deploy again"
    pid, application_name, since = holder
    return f"pid {pid}, {application_name}, since {since:%Y-%m-%d %H:%M:%S %Z}"
