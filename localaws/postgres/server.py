"""The interface of a server, and its configuration."""

import os
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

MAX_SOCKET_PATH_BYTES = 103
"""The limit on macOS, whose sun_path has 104 bytes with the final zero. On Linux it is 107."""
_PREFIX = "localaws-postgres-"

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
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_parent(Path(tempfile.gettempdir()))))
    folder.chmod(0o711)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _parent(folder: Path) -> Path:
    """Return the folder for temporary files, or /tmp if the folder cannot be used.

    The path of a unix socket below it must not be too long, and the operating system's user of the server must be able
    to pass through it.
    """
    socket_path = folder / f"{_PREFIX}12345678" / "server" / ".s.PGSQL.65535"
    is_short = len(os.fsencode(socket_path)) <= MAX_SOCKET_PATH_BYTES
    is_passable = os.geteuid() != 0 or all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
    return folder if is_short and is_passable else Path("/tmp")  # noqa: S108 - mkdtemp creates a private folder in it


def free_port() -> int:
    """Return a port on which no process listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def unique_name() -> str:
    """Return a name for a container that no other server has."""
    return f"localaws-postgres-{secrets.token_hex(6)}"
