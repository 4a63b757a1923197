"""The one way in which tests connect to a server that they verify."""

from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case


def connect_verified(
    host: str, port: int, *, database: str, user: str, password: str, ca_path: Path, **options: Any
) -> Connection:
    """Connect over TLS and verify the server's certificate and host name; `options` are psycopg2's."""
    connection: Connection = psycopg2.connect(
        host=host,
        port=port,
        dbname=database,
        user=user,
        password=password,
        sslmode="verify-full",
        sslrootcert=str(ca_path),
        **options,
    )
    return connection
