"""Runs a project's env.py, which may be anybody's and goes about its connection in its own way, on one of ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg2
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import MigratorError, UpgradeError
from migrator.server_errors import described, has_sqlstate, translated
from rds_iam.errors import RdsIamError

ADVICE = "env.py must use the connection in config.attributes['connection'] and commit"

type Steps = Callable[[tuple[str, ...], MigrationContext], list[Any]]


class Environment:
    """What alembic.command runs env.py in, without loading all scripts again each time."""

    def __init__(self, config: Config, directory: ScriptDirectory, engine: sa.Engine) -> None:
        self._config = config
        self._directory = directory
        self._engine = engine

    def run(self, what: str, steps: Steps) -> None:
        """Run env.py, which asks `steps` for the revisions to run; raises UpgradeError, or one of its kinds.

        It gets a connection from the engine's pool, which keeps the session whether env.py closes it or not.
        """
        reached: list[object] = []

        def once(heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
            self._check_connection(context)
            reached.append(context)
            if len(reached) > 1:
                raise UpgradeError(
                    "env.py runs the revisions more than once; allowed is one version table for a deployment"
                )
            return steps(heads, context)

        with translated(what), self._engine.connect() as connection, _found_out(what, connection, reached):
            self._config.attributes["connection"] = connection
            with EnvironmentContext(self._config, self._directory, fn=once):
                self._directory.run_env()
            if not connection.closed:
                # Its owner commits what is left open: by an env.py that used it before Alembic did, or by a revision
                # that commits in between, after which Alembic has no transaction of its own any more.
                connection.commit()

    def _check_connection(self, context: MigrationContext) -> None:
        # By the pool: a second connection is ours as well, and an engine with other options is another engine.
        if context.connection is None or context.connection.engine.pool is not self._engine.pool:
            raise UpgradeError(f"env.py runs the revisions on a connection of its own: {ADVICE}")


@contextmanager
def _found_out(what: str, connection: sa.Connection, reached: list[object]) -> Iterator[None]:
    """Tell what env.py or a revision did wrong from a server that went away, which is worth starting over."""
    ours = driver_connection(connection)
    try:
        yield
    except (MigratorError, RdsIamError):
        raise
    except Exception as exc:
        if has_sqlstate(exc) or not _is_alive(ours):
            raise
        if reached:
            raise UpgradeError(f"{what}: {described(exc)}") from exc
        raise UpgradeError(f"env.py failed before it ran the revisions: {described(exc)}; {ADVICE}") from exc


def driver_connection(connection: sa.Connection) -> DbapiConnection:
    """Return psycopg2's connection."""
    return cast("DbapiConnection", connection.connection.dbapi_connection)


def _is_alive(connection: DbapiConnection) -> bool:
    try:
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg2.Error:
        return False
    return True
