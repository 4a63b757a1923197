"""The way into the server that nobody but us has, by which the front door lets in whomever it vouches for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg2

HOST = "127.0.0.1"
SUPERUSER = "rdsadmin"  # as on RDS: a role and a database that customers never get into

type Dsn = Mapping[str, str | int]


@dataclass(frozen=True)
class Entrance:
    """How to get into the server behind a front door.

    `trusted`: in libpq's terms, where the server takes our word for who we are: a unix socket in a private folder, or
    TLS with a client certificate, issued by the authority in the folder `client_certificates`.
    `password_port`: where the server itself asks for a password.
    """

    trusted: Dsn
    password_port: int
    client_certificates: str | None = None

    def connect(self, database: str) -> Any:
        """Connect to a database as the superuser; every statement is committed at once."""
        settings: dict[str, Any] = {**self.trusted, "application_name": SUPERUSER, "connect_timeout": 10}
        connection = psycopg2.connect(**settings, user=SUPERUSER, dbname=database)
        connection.autocommit = True
        return connection
