"""The configuration files of a server."""

from collections.abc import Mapping
from pathlib import PurePath

from localaws.constants import HOST
from localaws.postgres.access import SUPERUSER
from localaws.postgres.server import ServerConfig

INITDB = ("--username", SUPERUSER, "--encoding=UTF8", "--locale=C", "--auth=trust", "--no-sync", "--no-instructions")

# The data is deleted at the end. It must survive a crash of the server, but not a crash of the machine.
_WITHOUT_DURABILITY = {"fsync": "off", "full_page_writes": "off"}
_DEFAULTS = {"timezone": "UTC", "log_timezone": "UTC", "password_encryption": "scram-sha-256"}


def embedded_conf(config: ServerConfig, *, port: int, sockets: PurePath) -> str:
    """Return postgresql.conf for a server from the programs on this machine."""
    return _conf(config, {"listen_addresses": HOST, "port": port, "unix_socket_directories": sockets})


def container_conf(config: ServerConfig) -> str:
    """Return postgresql.conf for a server in a container. File names are relative to its data directory."""
    tls = {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "ssl_ca_file": "clients.crt"}
    return _conf(config, {"listen_addresses": "*", "unix_socket_directories": "/tmp"} | tls)  # noqa: S108 - its own /tmp


def embedded_hba(config: ServerConfig) -> str:
    """Return pg_hba.conf for a server whose unix socket lies in a private folder."""
    return _lines("local all all trust", *config.hba)


def container_hba(config: ServerConfig) -> str:
    """Return pg_hba.conf for a server whose port is open to all users of this machine.

    Only the process that started the server has client certificates.
    """
    return _lines("hostssl all all all cert", *config.hba)


def _conf(config: ServerConfig, connections: Mapping[str, object]) -> str:
    values = {**connections, **_WITHOUT_DURABILITY, **_DEFAULTS, **config.parameters}
    return _lines(*(f"{name} = '{value}'" for name, value in values.items()))


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
