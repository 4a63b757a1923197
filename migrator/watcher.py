"""Cancel statements that cannot end well, from a thread with a session of its own.

Cancels a statement that runs past the deadline (a revision may remove the server's limit), and a statement that waits
for a lock that the same thread holds on another session: that thread cannot release the lock while it waits.
"""

import threading
import time
from collections.abc import Iterator
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

from migrator.session import Connect, open_session
from rds_iam.deadline import Deadline
from rds_iam.errors import RdsIamError

_POLL_SECONDS = 0.1
# The server's limit on statements comes first, because its error is more precise.
GRACE_SECONDS = 1.0
REPEAT_SECONDS = 1.0
_BLOCKERS = "SELECT pid FROM unnest(pg_blocking_pids(%s)) AS pid WHERE pid = ANY(%s)"

logger = Logger(child=True)


@dataclass(frozen=True)
class _Session:
    """A session in use. `thread` is the identifier of the thread that took it from the pool."""

    connection: DbapiConnection
    pid: int
    thread: int

    @property
    def is_active(self) -> bool:
        return self.connection.info.transaction_status == TRANSACTION_STATUS_ACTIVE

    @property
    def may_hold_locks(self) -> bool:
        return self.connection.info.transaction_status in {TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_INERROR}


@dataclass(frozen=True)
class _Candidate:
    """A running statement that may have to be canceled.

    `pid` is that of its session. `same_thread` are the pids of sessions that the thread cannot use before the statement
    ends.
    """

    pid: int
    same_thread: list[int]


class Watcher:
    """Watches the sessions of an upgrade. `reason` explains why the last statement was canceled."""

    def __init__(self, connect: Connect, deadline: Deadline) -> None:
        self.reason: str | None = None
        self._connect = connect
        self._end = deadline.at + GRACE_SECONDS
        self._sessions: dict[sa.pool.ConnectionPoolEntry, _Session] = {}
        self._changed = threading.Condition()
        self._is_stopped = False

    @contextmanager
    def watch(self, engine: sa.Engine) -> Iterator[None]:
        """Watch the sessions of the engine's pool that are in use, until the block ends."""
        sa.event.listen(engine, "checkout", self._add)
        sa.event.listen(engine, "checkin", self._remove)
        thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._is_stopped = True
                self._changed.notify()
            thread.join(timeout=REPEAT_SECONDS)
            self.close_sessions()

    def close_sessions(self) -> None:
        """Close the sessions that are still in use. A failed revision may not have closed one that holds locks."""
        with self._changed:
            entries = list(self._sessions)
        for entry in entries:
            entry.invalidate()

    def _add(self, connection: DbapiConnection, entry: sa.pool.ConnectionPoolEntry, *_pool: object) -> None:
        with self._changed:
            self._sessions[entry] = _Session(connection, connection.info.backend_pid, threading.get_ident())
            if len(self._sessions) > 1:
                self._changed.notify()

    def _remove(self, _connection: DbapiConnection | None, entry: sa.pool.ConnectionPoolEntry) -> None:
        with self._changed:
            self._sessions.pop(entry, None)

    def _run(self) -> None:
        while candidates := self._wait():
            try:
                with closing(open_session(self._connect)) as session:
                    while candidates:
                        self._check(session, candidates)
                        candidates = self._wait()
            except (psycopg2.Error, RdsIamError) as exc:
                logger.warning("the sessions of the upgrade cannot be watched", extra={"error": str(exc)})

    def _wait(self) -> list[_Candidate]:
        """Wait until there are candidates and return them, or return an empty list when the block of `watch` ends."""
        with self._changed:
            while not self._is_stopped:
                self._changed.wait(self._pause())
                if candidates := self._candidates():
                    return candidates
        return []

    def _pause(self) -> float:
        if len(self._sessions) > 1:
            return _POLL_SECONDS
        left = self._end - time.monotonic()
        return left if left > 0 else REPEAT_SECONDS

    def _candidates(self) -> list[_Candidate]:
        """Return the candidates according to the driver, without a round trip. Call it while `_changed` is held."""
        is_late = time.monotonic() >= self._end
        sessions = () if self._is_stopped else tuple(self._sessions.values())
        candidates = [
            _Candidate(
                active.pid, [other.pid for other in sessions if other.thread == active.thread and other.may_hold_locks]
            )
            for active in sessions
            if active.is_active
        ]
        return [candidate for candidate in candidates if is_late or candidate.same_thread]

    def _check(self, session: DbapiConnection, candidates: list[_Candidate]) -> None:
        for candidate in candidates:
            pid = candidate.pid
            if time.monotonic() >= self._end:
                self._cancel(session, pid, "the time of this invocation is over, and the statement was canceled")
            elif blockers := _blockers(session, candidate):
                self._cancel(
                    session,
                    pid,
                    f"it waits on one connection (pid {pid}) for a lock that it holds on another"
                    f" (pid {', '.join(blockers)}): use the connection of op.get_bind() for everything",
                )

    def _cancel(self, session: DbapiConnection, pid: int, reason: str) -> None:
        self.reason = reason  # first, because the error may arrive at once
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_cancel_backend(%s)", (pid,))


def _blockers(session: DbapiConnection, candidate: _Candidate) -> list[str]:
    with session.cursor() as cursor:
        cursor.execute(_BLOCKERS, (candidate.pid, candidate.same_thread))
        return [str(pid) for (pid,) in cursor.fetchall()]
