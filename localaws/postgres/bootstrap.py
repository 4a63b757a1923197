"""Make a new cluster look like RDS: a superuser nobody gets, a master who is none, and the roles both rely on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import sql

from localaws.errors import LocalAwsError
from localaws.front_door.entrance import SUPERUSER, Entrance
from localaws.postgres.settings import PostgresSettings

STARTUP_SECONDS = 60
FIRST_VERSION_WITH_MEMBERSHIP_OPTIONS = 160000


@contextmanager
def superuser(entrance: Entrance, database: str) -> Iterator[Any]:
    """Connect as the superuser for a while."""
    connection = entrance.connect(database)
    try:
        yield connection
    finally:
        connection.close()


def wait_until_ready(entrance: Entrance, obituary: Callable[[], str | None]) -> None:
    """Wait until the server accepts connections; raise LocalAwsError when it dies or takes too long."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            with superuser(entrance, "postgres"):
                return
        except psycopg2.OperationalError as error:
            if log := obituary():
                raise LocalAwsError(f"the PostgreSQL server died: {log}") from error
            if time.monotonic() > deadline:
                raise LocalAwsError(f"PostgreSQL did not start within {STARTUP_SECONDS} s: {error}") from error
        time.sleep(0.03)


def make_rds_like(entrance: Entrance, settings: PostgresSettings) -> int:
    """Create RDS's roles, the master and its database; return the server's major version."""
    with superuser(entrance, "postgres") as admin, admin.cursor() as cursor:
        version: int = admin.server_version
        for statement in _statements(settings, version):
            cursor.execute(statement)
    return version // 10000


def _statements(settings: PostgresSettings, version: int) -> Iterator[sql.Composable]:
    master, database = sql.Identifier(settings.master_username), sql.Identifier(settings.database)
    for role in ("rds_superuser", "rds_iam", "rds_password", "rds_replication", "rds_ad"):
        yield sql.SQL("CREATE ROLE {}").format(sql.Identifier(role))
    yield sql.SQL(
        "GRANT pg_monitor, pg_signal_backend, pg_read_all_data, pg_write_all_data, pg_checkpoint, rds_password,"
        " rds_replication TO rds_superuser WITH ADMIN OPTION"
    )
    if version >= FIRST_VERSION_WITH_MEMBERSHIP_OPTIONS:
        # Since 16 a role gives out only what it administers; before, CREATEROLE is enough.
        yield sql.SQL("GRANT rds_iam TO rds_superuser WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
    yield sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {} VALID UNTIL 'infinity'").format(
        master, sql.Literal(settings.master_password)
    )
    yield sql.SQL("GRANT rds_superuser TO {}").format(master)
    yield sql.SQL("CREATE DATABASE {}").format(sql.Identifier(SUPERUSER))
    for standard in ("postgres", "template1"):
        yield sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(standard), master)
    if settings.database != "postgres":
        yield sql.SQL("CREATE DATABASE {} OWNER {}").format(database, master)
