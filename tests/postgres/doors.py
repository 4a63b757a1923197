"""Ways to knock at a front door, for its own tests."""

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from socket import socket as Socket  # noqa: N812 - Door has a method of that name
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from localaws.postgres import RunningPostgres
from tests.postgres.servers import KEYS, REGION, SETTINGS, quoted
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

    def behind(self) -> Socket:
        """Open a bare connection to the server itself."""
        return socket.create_connection((self.postgres.host, self.postgres._server.entrance.password_port), timeout=20)

    def socket(self) -> socket.socket:
        """Open a bare connection."""
        return socket.create_connection((self.postgres.host, self.postgres.port), timeout=20)

    def direct_tls(self, protocols: list[str]) -> ssl.SSLSocket:
        """Begin with TLS, without a request for it, and offer `protocols` by ALPN."""
        context = ssl.create_default_context(cafile=self.postgres.ca_path)
        if protocols:
            context.set_alpn_protocols(protocols)
        return context.wrap_socket(self.socket(), server_hostname=self.postgres.host)

    def tls(self) -> ssl.SSLSocket:
        """Open a bare connection and ask for TLS on it."""
        plain = self.socket()
        plain.sendall(SSL_REQUEST)
        assert plain.recv(1) == b"S"
        context = ssl.create_default_context(cafile=self.postgres.ca_path)
        return context.wrap_socket(plain, server_hostname=self.postgres.host)


@contextmanager
def iam_role(door: Door, name: str) -> Iterator[None]:
    """Make a role that logs in by token, for a while."""
    door.postgres.admin(f"CREATE ROLE {quoted(name)} LOGIN IN ROLE rds_iam")
    # An earlier test may have closed the database to PUBLIC.
    door.postgres.admin(f"GRANT CONNECT ON DATABASE {quoted(SETTINGS.database)} TO {quoted(name)}")
    try:
        yield
    finally:
        door.postgres.admin(f"DROP OWNED BY {quoted(name)}; DROP ROLE {quoted(name)}")


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


def first_messages(connection: socket.socket) -> list[bytes]:
    """Return the messages up to the first that is about authentication."""
    messages = []
    while True:
        head = receive(connection, 5)
        messages.append(head + receive(connection, int.from_bytes(head[1:]) - 4))
        if head[:1] in (b"R", b"E"):
            return messages


def receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        piece = connection.recv(size - len(received))
        assert piece, f"the connection ended after {received!r}"
        received += piece
    return received


def query(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement, commit it and return its rows."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
