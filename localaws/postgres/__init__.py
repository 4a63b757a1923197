"""Ephemeral PostgreSQL servers, in a container or from the programs on this machine. No IAM and no RDS."""

from pathlib import Path

from localaws.postgres.access import SUPERUSER, ServerAccess
from localaws.postgres.binaries import find_programs
from localaws.postgres.choice import DEFAULT_VERSION, choose_kind, preferred_kind
from localaws.postgres.embedded import EmbeddedServer
from localaws.postgres.server import Kind, RestartMode, Server, ServerConfig, private_folder

__all__ = [
    "DEFAULT_VERSION",
    "SUPERUSER",
    "EmbeddedServer",
    "Kind",
    "RestartMode",
    "Server",
    "ServerAccess",
    "ServerConfig",
    "choose_kind",
    "find_programs",
    "preferred_kind",
    "start_server",
]

SUPERVISOR = Path(__file__).with_name("supervisor.py")


def start_server(config: ServerConfig, *, kind: Kind, version: int, supervisor_file: Path = SUPERVISOR) -> Server:
    """Start a server of the major version `version` and wait until it accepts connections.

    `supervisor_file`: the Python file that the server's helper process runs. Raises LocalAwsError.
    """
    with private_folder() as folder:
        if kind == "embedded":
            return EmbeddedServer(config, folder, programs=find_programs(version), supervisor_file=supervisor_file)
        from localaws.postgres.container import ContainerServer  # noqa: PLC0415 - the import of docker is slow

        return ContainerServer(config, folder, version=version, supervisor_file=supervisor_file)
