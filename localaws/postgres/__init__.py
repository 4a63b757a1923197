"""A PostgreSQL server that behaves like RDS: no superuser for its owner, TLS forced, and IAM login with real checks."""

import shutil
from pathlib import Path

from localaws.authority import Authority
from localaws.certificates import Certificates
from localaws.postgres.binaries import find
from localaws.postgres.choice import DEFAULT_VERSION, choose
from localaws.postgres.embedded import EmbeddedServer
from localaws.postgres.running import RunningPostgres, private_folder
from localaws.postgres.settings import Kind, PostgresSettings, Server

__all__ = ["Kind", "PostgresSettings", "RunningPostgres", "bare_server", "start"]


def start(
    settings: PostgresSettings,
    *,
    authority: Authority,
    certificates: Certificates,
    kind: Kind | None = None,
    version: int = DEFAULT_VERSION,
) -> RunningPostgres:
    """Start a server and its front door.

    `kind`: forced by the caller, else by LOCALAWS_POSTGRES, else a container where there can be one. Raises
    LocalAwsError when this cannot be had.
    """
    chosen = choose(kind, version)
    folder = private_folder()
    try:
        server = bare_server(settings, chosen, folder=folder, version=version)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return RunningPostgres(settings, server, kind=chosen, folder=folder, authority=authority, certificates=certificates)


def bare_server(settings: PostgresSettings, kind: Kind, *, folder: Path, version: int) -> Server:
    """Start a server without a front door, whose files are in `folder`: only its superuser gets in."""
    if kind == "container":
        from localaws.postgres.container import ContainerServer  # noqa: PLC0415 - docker takes a while to import

        return ContainerServer(settings, folder=folder, version=version)

    return EmbeddedServer(settings, folder=folder, binaries=find(version))
