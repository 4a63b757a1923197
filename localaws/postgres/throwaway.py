"""An empty database for a few seconds: what `alembic` works on where it is given no other."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg2.sql import SQL, Identifier

from localaws.errors import LocalAwsError
from localaws.front_door.entrance import SUPERUSER, Entrance
from localaws.postgres import bare_server
from localaws.postgres.binaries import find
from localaws.postgres.bootstrap import superuser
from localaws.postgres.choice import DEFAULT_VERSION, choose, from_environment
from localaws.postgres.running import private_folder
from localaws.postgres.settings import Kind, PostgresSettings

DATABASE = "app"


@contextmanager
def database(*, owner: str, roles: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield what psycopg2 takes to connect to an empty database, with the privileges that `owner` has when deployed.

    `roles` are there to be granted something. The server ends with this context, or with this process. Raises
    LocalAwsError when no server can be had.
    """
    settings = PostgresSettings(master_username=owner, master_password="", database=DATABASE, region="")
    folder = private_folder()
    try:
        server = bare_server(settings, _kind(), folder=folder, version=DEFAULT_VERSION)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        _prepare(server.entrance, owner, roles)
        yield {**server.entrance.trusted, "user": SUPERUSER, "dbname": DATABASE, "options": f"-c role={owner}"}
    finally:
        server.stop()


def _kind() -> Kind:
    """Prefer the programs on this machine: they start in half the time of a container."""
    wanted = from_environment()
    if wanted is None:
        try:
            find(DEFAULT_VERSION)
        except LocalAwsError:
            pass
        else:
            wanted = "embedded"
    return choose(wanted, DEFAULT_VERSION)


def _prepare(entrance: Entrance, owner: str, roles: Sequence[str]) -> None:
    with superuser(entrance, "postgres") as admin, admin.cursor() as cursor:
        for role in (owner, *roles):
            cursor.execute(SQL("CREATE ROLE {}").format(Identifier(role)))
        cursor.execute(SQL("CREATE DATABASE {}").format(Identifier(DATABASE)))
        names = Identifier(DATABASE), Identifier(owner)
        cursor.execute(SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}").format(*names))
    with superuser(entrance, DATABASE) as admin, admin.cursor() as cursor:
        cursor.execute(SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(Identifier(owner)))
