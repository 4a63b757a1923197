"""The interface of a server, and its configuration."""

import secrets
import shutil
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from localaws.constants import HOST
from localaws.postgres.access import ServerAccess
from localaws.postgres.helper_process import HelperProcess

type Kind = Literal["container", "embedded"]
type RestartMode = Literal["fast", "immediate"]


@dataclass(frozen=True)
class ServerConfig:
    """The settings of a server.

    `parameters`: further settings of postgresql.conf. `hba`: further lines of pg_hba.conf, after the line for the
    trusted connections. `data`: a folder that `EmbeddedServer.save_data()` has
    written, to start from a copy of it.
    """

    parameters: Mapping[str, object] = field(default_factory=dict)
    hba: tuple[str, ...] = ()
    data: Path | None = None


class Server(ABC):
    """A PostgreSQL server. Its supervisor stops it and removes `folder` when the process that started it ends."""

    def __init__(self, folder: Path, access: ServerAccess, supervisor: HelperProcess) -> None:
        self.folder = folder
        self.access = access
        self.supervisor = supervisor

    def restart(self, mode: RestartMode) -> None:
        """Restart the server. `fast` ends its sessions in order; `immediate` has the effect of a crash."""
        self.supervisor.request("restart", mode=mode)
        self._wait_until_ready()

    def suspend(self) -> None:
        """Stop the server and keep its data."""
        self.supervisor.request("halt", mode="fast")

    def resume(self) -> None:
        """Start the server after `suspend()`."""
        self.supervisor.request("start")
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the server and delete its data."""
        self.supervisor.stop()

    @abstractmethod
    def exit_log(self) -> str | None:
        """Return the end of the server's log if the server has ended."""

    def _wait_until_ready(self) -> None:
        self.access.wait_until_ready(self.exit_log)


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a new folder for a server, and remove the folder if the start fails.

    Its subfolders are private. The operating system's user of the server can pass through the folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="localaws-postgres-"))
    folder.chmod(0o711)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def free_port() -> int:
    """Return a port on which no process listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def unique_name() -> str:
    """Return a name for a container that no other server has."""
    return f"localaws-postgres-{secrets.token_hex(6)}"
