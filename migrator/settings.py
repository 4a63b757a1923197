"""The settings of an upgrade, from the function's environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from migrator.errors import MigratorError

_LONGEST_SECONDS = 300


@dataclass(frozen=True)
class UpgradeSettings:
    """The settings of an upgrade.

    `lock_timeout_seconds` is the longest time that a statement waits for a table. Other sessions wait behind it.
    """

    lock_timeout_seconds: float = 3.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings. Raises MigratorError for a malformed value."""
        value = environ.get("LOCK_TIMEOUT_SECONDS")
        if value is None:
            return cls()
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0.0 < seconds <= _LONGEST_SECONDS:
            raise MigratorError(
                f"LOCK_TIMEOUT_SECONDS must be a number above 0 and up to {_LONGEST_SECONDS} (got {value!r})"
            )
        return cls(seconds)

    def server_settings(self) -> dict[str, str]:
        """Return the server's settings for every session of an upgrade.

        A killed function does not close its session. The server looks for the client of a running statement every 2 s,
        and ends an idle session a minute after its client has disappeared.
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
