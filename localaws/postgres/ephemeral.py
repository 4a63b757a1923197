"""An ephemeral database for the commands of Alembic and for the review of revisions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg2.sql import SQL, Identifier

from localaws.postgres import start_server
from localaws.postgres.access import SUPERUSER, ServerAccess
from localaws.postgres.choice import DEFAULT_VERSION, preferred_kind
from localaws.postgres.server import Server, ServerConfig

DATABASE = "app"


@contextmanager
def database(*, owner: str, roles: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Start a server and yield psycopg2's connection parameters of an empty database on it.

    The session works as the role `owner`, with the privileges of the role in a deployment. `roles` are further roles,
    for the GRANT statements of revisions. The server stops at the end of the context or of this process. Raises
    LocalAwsError if no server can start.
    """
    with server(owner=owner, roles=roles) as (_server, parameters):
        yield parameters


@contextmanager
def server(*, owner: str, roles: Sequence[str], data: Path | None = None) -> Iterator[tuple[Server, dict[str, Any]]]:
    """Start a server and yield it with the connection parameters of `database()`.

    `data`: a folder that `EmbeddedServer.save_data()` has written, with the roles and the database. A container cannot
    use it.
    """
    instance = start_server(ServerConfig(data=data), kind=preferred_kind(DEFAULT_VERSION), version=DEFAULT_VERSION)
    try:
        if data is None:
            _create_roles_and_database(instance.access, owner, roles)
        yield (
            instance,
            {**instance.access.trusted, "user": SUPERUSER, "dbname": DATABASE, "options": f"-c role={owner}"},
        )
    finally:
        instance.stop()


def _create_roles_and_database(access: ServerAccess, owner: str, roles: Sequence[str]) -> None:
    with access.session("postgres") as admin, admin.cursor() as cursor:
        for role in (owner, *roles):
            cursor.execute(SQL("CREATE ROLE {}").format(Identifier(role)))
        cursor.execute(SQL("CREATE DATABASE {}").format(Identifier(DATABASE)))
        names = Identifier(DATABASE), Identifier(owner)
        cursor.execute(SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}").format(*names))
    with access.session(DATABASE) as admin, admin.cursor() as cursor:
        cursor.execute(SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(Identifier(owner)))
