"""The database instances that the tests of the local AWS create, and connections of their master user."""

from contextlib import closing
from typing import Any

import psycopg2

PASSWORD = "a-password-of-the-test"
INSTANCE = {
    "Engine": "postgres",
    "EngineVersion": "17",
    "DBInstanceClass": "db.t4g.large",
    "AllocatedStorage": "20",
    "DBName": "app",
    "MasterUsername": "postgres",
    "MasterUserPassword": PASSWORD,
}


def connection_string(port: int | str, database: str = "app", *, sslmode: str = "require", **parameters: str) -> str:
    """Return the connection string of the master user; `parameters` are further ones of libpq."""
    values = {
        "host": "127.0.0.1",
        "port": port,
        "dbname": database,
        "user": "postgres",
        "password": PASSWORD,
        "sslmode": sslmode,
        **parameters,
    }
    return " ".join(f"{name}={value}" for name, value in values.items())


def query(port: int | str, sql: str, *, database: str = "app") -> list[tuple[Any, ...]]:
    """Run a statement in a session of the master user, commit it, and return its rows."""
    with closing(psycopg2.connect(connection_string(port, database))) as session, session, session.cursor() as cursor:
        cursor.execute(sql)
        return [] if cursor.description is None else cursor.fetchall()
