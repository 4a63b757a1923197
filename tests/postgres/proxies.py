"""A client of the IAM authentication proxy, for the tests of the proxy."""

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from socket import socket as Socket  # noqa: N812 - ProxyClient has a method of that name
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from localaws.rds import RdsInstance
from tests.postgres.servers import KEYS, REGION, SETTINGS, quoted
from tests.signing import Signer

SIGNER = Signer(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_SESSION_TOKEN"])
PASSWORD = "password of a test"

type Overrides = Mapping[str, str | int]


@dataclass(frozen=True)
class ProxyClient:
    """Connects to the proxy of an RDS instance."""

    postgres: RdsInstance

    def connect(self, user: str, password: str, **overrides: str | int) -> Connection:
        """Log in with verified TLS. `overrides` are libpq's parameters."""
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
        """Sign a token. The default host and port are those of the proxy."""
        return signer.token(
            user=user, host=host or self.postgres.host, port=port or self.postgres.port, region=region, at=at
        )

    def server_socket(self) -> Socket:
        """Open a socket to the server, without the proxy."""
        return socket.create_connection((self.postgres.host, self.postgres.access.password_port), timeout=20)

    def socket(self) -> socket.socket:
        """Open a socket to the proxy."""
        return socket.create_connection((self.postgres.host, self.postgres.port), timeout=20)

    def direct_tls(self, protocols: list[str]) -> ssl.SSLSocket:
        """Begin TLS without a request, and offer `protocols` by ALPN."""
        context = ssl.create_default_context(cafile=self.postgres.ca_path)
        if protocols:
            context.set_alpn_protocols(protocols)
        return context.wrap_socket(self.socket(), server_hostname=self.postgres.host)

    def tls(self) -> ssl.SSLSocket:
        """Request TLS and begin it."""
        plain = self.socket()
        plain.sendall(SSL_REQUEST)
        assert plain.recv(1) == b"S"
        context = ssl.create_default_context(cafile=self.postgres.ca_path)
        return context.wrap_socket(plain, server_hostname=self.postgres.host)


@contextmanager
def iam_role(proxy: ProxyClient, name: str) -> Iterator[None]:
    """Create a role that logs in by token, and drop it at the end."""
    proxy.postgres.admin(f"CREATE ROLE {quoted(name)} LOGIN IN ROLE rds_iam")
    # An earlier test may have revoked the privileges of PUBLIC.
    proxy.postgres.admin(f"GRANT CONNECT ON DATABASE {quoted(SETTINGS.database)} TO {quoted(name)}")
    try:
        yield
    finally:
        proxy.postgres.admin(f"DROP OWNED BY {quoted(name)}; DROP ROLE {quoted(name)}")


SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSSENC_REQUEST = struct.pack("!II", 8, 80877104)


def startup(body: bytes, *, code: int = 3 << 16) -> bytes:
    """Return a startup packet."""
    return struct.pack("!II", len(body) + 8, code) + body


def message(kind: bytes, text: str) -> bytes:
    """Return a message with one string."""
    return kind + struct.pack("!I", len(text) + 5) + text.encode() + b"\0"


def answer(connection: socket.socket) -> bytes:
    """Return all bytes until the other side closes the connection."""
    chunks = []
    try:
        while chunk := connection.recv(4096):
            chunks.append(chunk)
    except ConnectionResetError:
        pass
    return b"".join(chunks)


def first_messages(connection: socket.socket) -> list[bytes]:
    """Return the messages up to the first error or authentication request."""
    messages = []
    while True:
        head = receive(connection, 5)
        messages.append(head + receive(connection, int.from_bytes(head[1:]) - 4))
        if head[:1] in (b"R", b"E"):
            return messages


def receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = connection.recv(size - len(received))
        assert chunk, f"the connection ended after {received!r}"
        received += chunk
    return received


def query(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement, commit it and return its rows."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [] if cursor.description is None else cursor.fetchall()
