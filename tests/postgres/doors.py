"""Ways to knock at a front door, for its own tests."""

import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from localaws.postgres import RunningPostgres
from tests.postgres.servers import KEYS, REGION, SETTINGS
from tests.signing import Signer

SIGNER = Signer(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_SESSION_TOKEN"])
PASSWORD = "password of a test"

type Overrides = Mapping[str, str | int]


@dataclass(frozen=True)
class Door:
    """The front door of a server, from outside."""

    postgres: RunningPostgres

    def connect(self, user: str, password: str, **overrides: str | int) -> Connection:
        """Log in with verified TLS, unless overridden in libpq's terms."""
        settings: dict[str, Any] = {
            "host": self.postgres.host,
            "port": self.postgres.port,
            "dbname": SETTINGS.database,
            "user": user,
            "password": password,
            "sslmode": "verify-full",
            "sslrootcert": str(self.postgres.ca_path),
            "connect_timeout": 20,
        }
        connection: Connection = psycopg2.connect(**{**settings, **overrides})
        return connection

    def connect_as_master(self, **overrides: str | int) -> Connection:
        """Log in as the master user."""
        return self.connect(SETTINGS.master_username, SETTINGS.master_password, **overrides)

    def connect_with_token(self, user: str, **overrides: str | int) -> Connection:
        """Log in with a new token."""
        return self.connect(user, self.token(user), **overrides)

    def token(
        self,
        user: str,
        *,
        signer: Signer = SIGNER,
        host: str | None = None,
        port: int | None = None,
        region: str = REGION,
        at: datetime | None = None,
    ) -> str:
        """Sign a token for this door, unless told otherwise."""
        return signer.token(
            user=user, host=host or self.postgres.host, port=port or self.postgres.port, region=region, at=at
        )

    def socket(self) -> socket.socket:
        """Open a bare connection."""
        return socket.create_connection((self.postgres.host, self.postgres.port), timeout=20)

    def tls(self) -> ssl.SSLSocket:
        """Open a bare connection and ask for TLS on it."""
        plain = self.socket()
        plain.sendall(SSL_REQUEST)
        assert plain.recv(1) == b"S"
        context = ssl.create_default_context(cafile=self.postgres.ca_path)
        return context.wrap_socket(plain, server_hostname=self.postgres.host)


SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSSENC_REQUEST = struct.pack("!II", 8, 80877104)


def startup(body: bytes, *, code: int = 3 << 16) -> bytes:
    """Return the packet that begins a session."""
    return struct.pack("!II", len(body) + 8, code) + body


def message(kind: bytes, text: str) -> bytes:
    """Return a message that carries one string."""
    return kind + struct.pack("!I", len(text) + 5) + text.encode() + b"\0"


def answer(connection: socket.socket) -> bytes:
    """Return everything the other side says until it closes."""
    pieces = []
    try:
        while piece := connection.recv(4096):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def query(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement, commit it and return its rows."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
