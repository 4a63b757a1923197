"""A running server with its front door."""

import dataclasses
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from localaws.authority import Authority
from localaws.certificates import Certificates
from localaws.front_door.authority_line import AuthorityLine
from localaws.front_door.door import Order
from localaws.front_door.entrance import HOST
from localaws.postgres.bootstrap import make_rds_like, superuser
from localaws.postgres.child import Child
from localaws.postgres.settings import Kind, PostgresSettings, RestartMode, Server

LOGIN_SECONDS = 60  # the server's own authentication_timeout
FRONT_DOOR = Path(__file__).parents[1] / "front_door/__main__.py"


class RunningPostgres:
    """A server that behaves like RDS at `host` and `port`. It ends by `stop()`, or with the process that started it."""

    def __init__(
        self,
        settings: PostgresSettings,
        server: Server,
        *,
        kind: Kind,
        folder: Path,
        authority: Authority,
        certificates: Certificates,
    ) -> None:
        self.host = HOST
        self.kind = kind
        self.settings = settings
        self.ca_path = certificates.ca_path
        self._server = server
        self._log = folder / "auth.log"
        self._log.touch()
        with ExitStack() as undo:
            undo.callback(server.stop)
            self.server_version = make_rds_like(server.entrance, settings)
            line = AuthorityLine(authority, folder / "authority")
            undo.callback(line.stop)
            reserved = undo.enter_context(reserved_port())
            self.port: int = reserved.getsockname()[1]
            self._order = dataclasses.asdict(self._describe_door(folder, certificates))
            self._door: Child | None = self._open_door()
            undo.callback(self._close_door)
            self._undo = undo.pop_all()

    def auth_log(self) -> list[str]:
        """Return what the front door decided so far, a line for each login."""
        return self._log.read_text().splitlines()

    def admin(self, sql: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run `sql` as the superuser, for tests: by the private way, not through the front door."""
        with (
            superuser(self._server.entrance, database or self.settings.database) as admin,
            admin.cursor() as cursor,
        ):
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def restart(self, mode: RestartMode = "fast") -> None:
        """Restart the server, `immediate` as after a crash. The front door stays open meanwhile."""
        self._server.restart(mode)

    def suspend(self) -> None:
        """Stop the server and refuse connections, as a stopped instance does. The data stays."""
        if self._door:
            self._close_door()
            self._server.suspend()

    def resume(self) -> None:
        """Start the server after `suspend()`, at the same port and with its data."""
        if self._door is None:
            self._server.resume()
            self._door = self._open_door()

    def stop(self) -> None:
        """Close the front door, stop the server and throw its data away."""
        self._undo.close()

    def _open_door(self) -> Child:
        return Child(FRONT_DOOR, self._order, log=self._log.with_name("door.log"))

    def _close_door(self) -> None:
        door, self._door = self._door, None
        if door:
            door.stop()

    def _describe_door(self, folder: Path, certificates: Certificates) -> Order:
        certificate, key = certificates.issue([HOST, "localhost"])
        return Order(
            entrance=self._server.entrance,
            port=self.port,
            server_version=self.server_version,
            certificate=str(certificate),
            key=str(key),
            authority=str(folder / "authority"),
            auth_log=str(self._log),
            iam=self.settings.iam,
            force_ssl=self.settings.force_ssl,
            login_seconds=LOGIN_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def reserved_port() -> socket.socket:
    """Return a socket that keeps a port for the front door. The socket never listens, so connections are refused."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((HOST, 0))
    return reserved


def private_folder() -> Path:
    """Return a new folder for a server's files, whose parts are private each; the server's user may pass through it."""
    folder = Path(tempfile.mkdtemp(prefix="localaws-postgres-"))
    folder.chmod(0o711)
    return folder
