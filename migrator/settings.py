"""What the stack lets an operator choose about an upgrade."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from migrator.errors import MigratorError

_NAME = "LOCK_TIMEOUT_SECONDS"
_LONGEST_SECONDS = 300


@dataclass(frozen=True)
class UpgradeSettings:
    """`lock_timeout_seconds`: how long a statement may wait for a table, and everybody else behind it."""

    lock_timeout_seconds: float = 3.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises MigratorError for a value that is none."""
        value = environ.get(_NAME)
        if value is None:
            return cls()
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0.0 < seconds <= _LONGEST_SECONDS:
            raise MigratorError(f"bad environment: {_NAME} is {value!r}, allowed are numbers up to {_LONGEST_SECONDS}")
        return cls(seconds)

    def session(self) -> dict[str, str]:
        """Return the server's settings for every session of an upgrade.

        The server looks every 2 s whether the client of a long statement is still there, and after a minute of
        silence whether that of an idle one is: a function that is killed says no goodbye.
        """
        return {
            "lock_timeout": f"{int(self.lock_timeout_seconds * 1000)}ms",
            # The session that holds the lock is idle while a revision runs.
            "idle_session_timeout": "0",
            "client_connection_check_interval": "2s",
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        }
