"""The server's own files: how a cluster is made, what it is told, and whom it lets in without the front door."""

from collections.abc import Mapping
from pathlib import PurePath

from localaws.front_door.entrance import SUPERUSER
from localaws.postgres.settings import PostgresSettings

INITDB = ("--username", SUPERUSER, "--encoding=UTF8", "--locale=C", "--auth=trust", "--no-sync", "--no-instructions")

# The data is thrown away at the end: it need not survive a power cut, though it does survive a crash of the server.
_CARELESS = {"fsync": "off", "full_page_writes": "off"}
_LIKE_RDS = {"timezone": "UTC", "log_timezone": "UTC", "password_encryption": "scram-sha-256"}


def embedded_conf(settings: PostgresSettings, *, port: int, sockets: PurePath) -> str:
    """Return postgresql.conf for a server on this machine."""
    return _conf(settings, {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": sockets})


def container_conf(settings: PostgresSettings) -> str:
    """Return postgresql.conf for a server in a container; file names are relative to its data directory."""
    tls = {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "ssl_ca_file": "clients.crt"}
    return _conf(settings, {"listen_addresses": "*", "unix_socket_directories": "/tmp"} | tls)  # noqa: S108 - its own /tmp


def embedded_hba() -> str:
    """Return pg_hba.conf for a server whose unix socket only the front door can reach."""
    return "\n".join(["local all all trust", *_passwords()]) + "\n"


def container_hba() -> str:
    """Return pg_hba.conf for a server that anybody on this machine can reach.

    Only the front door has client certificates. It keeps passwords off TLS: a client binds its password exchange to the
    front door's certificate, and a server that does TLS itself would expect its own.
    """
    return "\n".join(["hostssl all all all cert", *_passwords()]) + "\n"


def _conf(settings: PostgresSettings, values: Mapping[str, object]) -> str:
    rds = {"rds.force_ssl": int(settings.force_ssl)}
    return "".join(f"{name} = '{value}'\n" for name, value in {**values, **_CARELESS, **_LIKE_RDS, **rds}.items())


def _passwords() -> list[str]:
    """Who may log in with a password, should somebody go around the front door: no member of rds_iam.

    A `+group` also matches those who merely administer it, which on RDS are the members of rds_superuser: they come
    first.
    """
    return [
        f"hostnossl all {SUPERUSER} all reject",
        "hostnossl all +rds_superuser all scram-sha-256",
        "hostnossl all +rds_iam all reject",
        "hostnossl all all all scram-sha-256",
    ]
