"""What a server is asked to be, and what one has to be able to do."""

import secrets
import socket
from dataclasses import dataclass
from typing import Literal, Protocol

from localaws.front_door.entrance import HOST, Entrance

type Kind = Literal["container", "embedded"]
type RestartMode = Literal["fast", "immediate"]


@dataclass(frozen=True)
class PostgresSettings:
    """The instance as its owner describes it. `iam` and `force_ssl` are RDS's switches of those names."""

    master_username: str
    master_password: str
    database: str
    region: str
    iam: bool = True
    force_ssl: bool = True


class Server(Protocol):
    """A PostgreSQL server behind the front door."""

    entrance: Entrance

    def restart(self, mode: RestartMode) -> None:
        """Restart it: `fast` says goodbye to its clients, `immediate` is like a crash."""
        ...

    def suspend(self) -> None:
        """Stop the server and keep its data."""
        ...

    def resume(self) -> None:
        """Start the server after `suspend()`."""
        ...

    def stop(self) -> None:
        """Stop it and throw its data away."""
        ...

    def obituary(self) -> str | None:
        """Return the end of its log if it is dead."""
        ...


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def fresh_name() -> str:
    """Return a name that no other server has."""
    return f"localaws-postgres-{secrets.token_hex(6)}"
