"""Watch the sessions of a run from a thread, on a session of its own, which is opened when it is first needed.

It cancels a statement that outlasts the deadline (a revision may remove the server's limit), and a statement that waits
for a lock that the same thread holds on another session: that thread cannot release the lock while it waits.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2
import sqlalchemy as sa
from aws_lambda_powertools import Logger
from psycopg2.extensions import (
    TRANSACTION_STATUS_ACTIVE,
    TRANSACTION_STATUS_INERROR,
    TRANSACTION_STATUS_INTRANS,
)
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from rds_iam.deadline import Deadline
from rds_iam.errors import RdsIamError

_POLL_SECONDS = 0.1
# The server's limit on statements comes first: its error says more.
_GRACE_SECONDS = 1.0
_REPEAT_SECONDS = 1.0
_BLOCKERS = "SELECT pid FROM unnest(pg_blocking_pids(%s)) AS pid WHERE pid = ANY(%s)"

type Connect = Callable[[], DbapiConnection]

logger = Logger(child=True)


@dataclass(frozen=True)
class _Session:
    """A session in use. `thread` is the identifier of the thread that took it from the pool."""

    connection: DbapiConnection
    entry: sa.pool.ConnectionPoolEntry
    pid: int
    thread: int

    @property
    def is_active(self) -> bool:
        return self.connection.info.transaction_status == TRANSACTION_STATUS_ACTIVE

    @property
    def may_hold_locks(self) -> bool:
        return self.connection.info.transaction_status in {TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_INERROR}


@dataclass(frozen=True)
class _Suspect:
    """The pid of a session with a running statement, and the sessions that cannot go on before it has ended."""

    pid: int
    holders: list[int]


class Watcher:
    """Cancels statements of the run that cannot end well; `reason` says why the last one was canceled."""

    def __init__(self, connect: Connect, deadline: Deadline) -> None:
        self.reason: str | None = None
        self._connect = connect
        self._late_at = deadline.at + _GRACE_SECONDS
        self._sessions: dict[DbapiConnection, _Session] = {}
        self._changed = threading.Condition()
        self._is_stopped = False

    @contextmanager
    def watch(self, engine: sa.Engine) -> Iterator[None]:
        """Watch the sessions that are in use of the engine's pool, until the block ends."""
        sa.event.listen(engine, "checkout", self._add)
        for event in ("checkin", "invalidate", "close"):
            sa.event.listen(engine, event, self._remove)
        thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._is_stopped = True
                self._changed.notify()
            thread.join(timeout=_REPEAT_SECONDS)
            self.close_sessions()

    def close_sessions(self) -> None:
        """Close the sessions that are still in use: a revision that failed may have left one, and its locks, behind."""
        with self._changed:
            sessions = list(self._sessions.values())
        for session in sessions:
            session.entry.invalidate()

    def _add(self, connection: DbapiConnection, entry: sa.pool.ConnectionPoolEntry, *_pool: object) -> None:
        with self._changed:
            pid, thread = connection.info.backend_pid, threading.get_ident()
            self._sessions[connection] = _Session(connection, entry, pid, thread)
            if len(self._sessions) > 1:
                self._changed.notify()

    def _remove(self, connection: DbapiConnection | None, *_pool: object) -> None:
        with self._changed:
            if connection is not None:  # it is None when an invalidated session returns
                self._sessions.pop(connection, None)

    def _run(self) -> None:
        while suspects := self._wait():
            try:
                with closing(_open(self._connect)) as own:
                    while suspects:
                        self._look(own, suspects)
                        suspects = self._wait()
            except (psycopg2.Error, RdsIamError) as exc:
                logger.warning("the sessions of the run cannot be watched", extra={"error": str(exc)})

    def _wait(self) -> list[_Suspect]:
        """Return the suspects as soon as there are any, or an empty list when the run is over."""
        with self._changed:
            while not self._is_stopped:
                self._changed.wait(self._pause())
                if suspects := self._suspects():
                    return suspects
        return []

    def _pause(self) -> float:
        if len(self._sessions) > 1:
            return _POLL_SECONDS
        left = self._late_at - time.monotonic()
        return left if left > 0 else _REPEAT_SECONDS

    def _suspects(self) -> list[_Suspect]:
        """Look at what the driver knows, without a round trip, while no session can be closed."""
        is_late = time.monotonic() >= self._late_at
        sessions = () if self._is_stopped else tuple(self._sessions.values())
        suspects = [
            _Suspect(
                active.pid, [held.pid for held in sessions if held.thread == active.thread and held.may_hold_locks]
            )
            for active in sessions
            if active.is_active
        ]
        return [suspect for suspect in suspects if is_late or suspect.holders]

    def _look(self, own: DbapiConnection, suspects: list[_Suspect]) -> None:
        for suspect in suspects:
            if time.monotonic() >= self._late_at:
                self._cancel(own, suspect.pid, "the time of this invocation is over, and the statement was canceled")
            elif blockers := _blockers(own, suspect):
                self._cancel(
                    own,
                    suspect.pid,
                    f"it waits on one connection (pid {suspect.pid}) for a lock that it holds on another"
                    f" (pid {', '.join(blockers)}): use the connection of op.get_bind() for everything",
                )

    def _cancel(self, own: DbapiConnection, pid: int, reason: str) -> None:
        self.reason = reason  # first, because the error that it explains may come at once
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_cancel_backend(%s)", (pid,))


def _open(connect: Connect) -> DbapiConnection:
    connection = connect()
    connection.autocommit = True
    with connection.cursor() as cursor:
        # As the role that logs in, not as the owner that it works as: only that role may cancel its sessions.
        cursor.execute("SET ROLE NONE")
    return connection


def _blockers(own: DbapiConnection, suspect: _Suspect) -> list[str]:
    with own.cursor() as cursor:
        cursor.execute(_BLOCKERS, (suspect.pid, suspect.holders))
        return [str(pid) for (pid,) in cursor.fetchall()]
