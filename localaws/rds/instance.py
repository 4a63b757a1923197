"""An RDS DB instance: a server with its IAM authentication proxy."""

import dataclasses
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from localaws.certificates import CertificateAuthority
from localaws.constants import HOST
from localaws.postgres import DEFAULT_VERSION, Kind, RestartMode, Server, ServerConfig, choose_kind, start_server
from localaws.rds.proxy.config import ProxyConfig
from localaws.rds.proxy.verifier_socket import VerifierSocket
from localaws.rds.roles import PASSWORD_HBA, create_rds_roles
from localaws.rds.token_verifier import TokenVerifier

LOGIN_TIMEOUT_SECONDS = 60  # the default of PostgreSQL's authentication_timeout
SUPERVISOR = Path(__file__).with_name("supervisor.py")


@dataclass(frozen=True)
class RdsSettings:
    """The properties of a DB instance. `iam` and `force_ssl` have the meaning of RDS's settings of these names."""

    master_username: str
    master_password: str
    database: str
    region: str
    iam: bool = True
    force_ssl: bool = True


class RdsInstance:
    """A running DB instance at `host` and `port`. It ends by `stop()`, or with the process that started it.

    `access`: the superuser's access to the server, which bypasses the proxy.
    """

    def __init__(
        self,
        settings: RdsSettings,
        server: Server,
        *,
        kind: Kind,
        token_verifier: TokenVerifier,
        certificates: CertificateAuthority,
    ) -> None:
        self.host = HOST
        self.kind = kind
        self.settings = settings
        self.ca_path = certificates.ca_path
        self.folder, self.access = server.folder, server.access
        self._server = server
        self._is_suspended = False
        self._log = server.folder / "auth.log"
        self._log.touch()
        with ExitStack() as undo:
            undo.callback(server.stop)
            self.server_version = create_rds_roles(
                server.access,
                master_username=settings.master_username,
                master_password=settings.master_password,
                database=settings.database,
            )
            verifier = undo.enter_context(VerifierSocket(token_verifier, server.folder / "verifier"))
            self.port: int = undo.enter_context(reserve_port()).getsockname()[1]
            self._proxy_config = self._configure_proxy(verifier.path, certificates)
            self._open_proxy()
            self._undo = undo.pop_all()

    def auth_log(self) -> list[str]:
        """Return the decisions of the proxy so far, a line for each login."""
        return self._log.read_text().splitlines()

    def admin(self, sql: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """Execute `sql` as the superuser, on a connection that bypasses the proxy."""
        with self.access.session(database or self.settings.database) as admin, admin.cursor() as cursor:
            cursor.execute(sql)
            return [] if cursor.description is None else cursor.fetchall()

    def restart(self, mode: RestartMode = "fast") -> None:
        """Restart the server, `immediate` as after a crash. The proxy runs on meanwhile."""
        self._server.restart(mode)

    def suspend(self) -> None:
        """Stop the server and refuse connections, as a stopped instance does. The data stays."""
        if not self._is_suspended:
            self._is_suspended = True
            self._server.supervisor.request("close-proxy")
            self._server.suspend()

    def resume(self) -> None:
        """Start the server after `suspend()`, at the same port and with its data."""
        if self._is_suspended:
            self._server.resume()
            self._open_proxy()
            self._is_suspended = False

    def stop(self) -> None:
        """Stop the proxy and the server, and delete the data."""
        self._undo.close()

    def _open_proxy(self) -> None:
        self._server.supervisor.request("open-proxy", config=dataclasses.asdict(self._proxy_config))

    def _configure_proxy(self, verifier: Path, certificates: CertificateAuthority) -> ProxyConfig:
        certificate, key = certificates.issue([HOST, "localhost"])
        return ProxyConfig(
            access=self.access,
            port=self.port,
            server_version=self.server_version,
            certificate=str(certificate),
            key=str(key),
            verifier=str(verifier),
            auth_log=str(self._log),
            iam=self.settings.iam,
            force_ssl=self.settings.force_ssl,
            login_timeout=LOGIN_TIMEOUT_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    settings: RdsSettings,
    *,
    token_verifier: TokenVerifier,
    certificates: CertificateAuthority,
    kind: Kind | None = None,
    version: int = DEFAULT_VERSION,
) -> RdsInstance:
    """Start a DB instance.

    `kind`: the default is the kind that LOCALAWS_POSTGRES names, or a container if Docker can run one. Raises
    LocalAwsError if such a server cannot start.
    """
    kind = choose_kind(kind, version)
    config = ServerConfig(parameters={"rds.force_ssl": int(settings.force_ssl)}, hba=PASSWORD_HBA)
    server = start_server(config, kind=kind, version=version, supervisor_file=SUPERVISOR)
    return RdsInstance(settings, server, kind=kind, token_verifier=token_verifier, certificates=certificates)


def reserve_port() -> socket.socket:
    """Return a socket that reserves a port for the proxy. The socket never listens, so that connections are refused."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((HOST, 0))
    return reserved
