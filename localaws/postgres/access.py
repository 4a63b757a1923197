"""The superuser's access to a server, which only the process that started the server has."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from localaws.errors import LocalAwsError

SUPERUSER = "rdsadmin"  # RDS uses this name for its own role and database
START_TIMEOUT_SECONDS = 60

type Dsn = Mapping[str, str | int]


@dataclass(frozen=True)
class ServerAccess:
    """The ways to connect to a server.

    `trusted`: libpq's parameters of a connection on which the server accepts every user name without a password. It
    is a unix socket in a private folder, or TLS with a client certificate. The certificate authority of the client
    certificates has its files in the folder `client_certificates`.
    `password_port`: the port at which the server asks for a password.
    """

    trusted: Dsn
    password_port: int
    client_certificates: str | None = None

    def connect(self, database: str) -> Any:
        """Connect to a database as the superuser, in autocommit mode."""
        parameters: dict[str, Any] = {**self.trusted, "application_name": SUPERUSER, "connect_timeout": 10}
        connection = psycopg2.connect(**parameters, user=SUPERUSER, dbname=database)
        connection.autocommit = True
        return connection

    @contextmanager
    def session(self, database: str) -> Iterator[Any]:
        """Connect to a database as the superuser, and close the connection at the end."""
        connection = self.connect(database)
        try:
            yield connection
        finally:
            connection.close()

    def wait_until_ready(self, exit_log: Callable[[], str | None]) -> None:
        """Wait until the server accepts connections.

        `exit_log` returns the end of the server's log if the server has ended. Raises LocalAwsError then, and after
        `START_TIMEOUT_SECONDS`.
        """
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                with self.session("postgres"):
                    return
            except psycopg2.OperationalError as error:
                if log := exit_log():
                    raise LocalAwsError(f"the PostgreSQL server ended: {log}") from error
                if time.monotonic() > deadline:
                    raise LocalAwsError(
                        f"PostgreSQL did not start within {START_TIMEOUT_SECONDS} s: {error}"
                    ) from error
            time.sleep(0.03)
