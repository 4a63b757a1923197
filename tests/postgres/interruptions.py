"""Interruptions of an upgrade at a chosen point. Each statement and each commit of its connections is a point."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise

DURING_SECONDS = 0.02


class When(StrEnum):
    """The time of the interruption, relative to the statement."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass
class Interruption:
    """The object that calls `strike` with the connection, once, at the point number `at`, and records all points."""

    strike: Callable[[Connection], None]
    at: int | None = None
    when: When = When.BEFORE
    points: list[str] = field(default_factory=list)
    struck: bool = False

    def around(self, connection: Connection, point: str, action: Callable[[], Any]) -> Any:
        """Run the action of a point, and the interruption if its number is `at`."""
        self.points.append(point)
        if self.struck or len(self.points) - 1 != self.at:
            return action()
        self.struck = True
        if self.when is When.BEFORE:
            self.strike(connection)
            return action()
        if self.when is When.AFTER:
            try:
                return action()
            finally:  # a query fails if its table does not exist yet, and is a point too
                self.strike(connection)
        threading.Timer(DURING_SECONDS / 2, self.strike, [connection]).start()
        if point == "COMMIT" or "CONCURRENTLY" in point or "SAVEPOINT" in point:
            return action()  # cannot be delayed: the strike may come after it
        Cursor.execute(connection.cursor(), f"SELECT pg_sleep({DURING_SECONDS})")
        return action()

    def connected(self, connect: Callable[..., Connection]) -> Connection:
        """Open a connection whose statements and commits are points."""
        return connect(connection_factory=_factory(self))


def _factory(interruption: Interruption) -> type[Connection]:
    class PointCursor(Cursor):
        def execute(self, query: Any, parameters: Any = None) -> None:
            text = query if isinstance(query, str) else repr(query)
            if "set_config('statement_timeout'" in text:  # the limit on statements is not a point
                super().execute(query, parameters)
                return
            interruption.around(self.connection, text, lambda: super(PointCursor, self).execute(query, parameters))

    class PointConnection(Connection):
        def cursor(self, *args: Any, **kwargs: Any) -> Any:
            kwargs.setdefault("cursor_factory", PointCursor)
            return super().cursor(*args, **kwargs)

        def commit(self) -> None:
            interruption.around(self, "COMMIT", super().commit)

    return PointConnection


def kill_this_process(_connection: Connection) -> None:
    """End this process at once, as a function that is out of memory or time."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(10)
