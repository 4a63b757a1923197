"""Run the user's env.py on the migrator's connection. Detect an env.py that opens its own."""

from collections.abc import Callable
from contextlib import closing
from typing import Any, Self

import psycopg2
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import format_error, has_sqlstate, is_canceled, wrap_database_errors
from migrator.env_errors import ADVICE, ForeignEngines, is_about_connection
from migrator.errors import MigratorError, UpgradeError
from migrator.loggers import SavedLoggers
from migrator.statement_limit import driver_connection
from migrator.user_code import location
from migrator.watcher import Watcher
from rds_iam.errors import RdsIamError

# With these, `context` answers in env.py as it does in `alembic upgrade head`.
_UPGRADE_HEAD = {"as_sql": False, "starting_rev": None, "destination_rev": "head", "tag": None}

type Steps = Callable[[tuple[str, ...], MigrationContext], list[Any]]


class SharedConnection(sa.Connection):
    """A connection that an env.py may use as an engine, too.

    Until Alembic 1.8, its cookbook called `connect()` on the shared object. SQLAlchemy 2 has removed this method.
    """

    def connect(self) -> Self:
        """Return the connection itself."""
        return self


class Environment:
    """Runs env.py as `alembic upgrade head` does, without loading all scripts again each time."""

    def __init__(
        self,
        config: Config,
        directory: ScriptDirectory,
        engine: sa.Engine,
        *,
        watcher: Watcher,
        foreign: ForeignEngines,
    ) -> None:
        self._config = config
        self._directory = directory
        self._engine = engine
        self._watcher = watcher
        self._foreign = foreign
        self._loggers = SavedLoggers()

    def run(self, what: str, steps: Steps) -> None:
        """Run env.py, which asks `steps` for the revisions to run; raises UpgradeError, or one of its kinds.

        env.py gets a connection of the engine's pool, which keeps the session whether env.py closes it or not.
        """
        self._watcher.reason = None
        try:
            with wrap_database_errors(what), closing(SharedConnection(self._engine)) as connection:
                self._run(what, connection, steps)
                if not connection.closed:
                    # The owner of the connection commits what is left open: by an env.py that used the connection
                    # before Alembic did, or by a revision that commits, after which Alembic has no transaction.
                    connection.commit()
        except BaseException:
            self._watcher.close_sessions()
            raise

    def _run(self, what: str, connection: SharedConnection, steps: Steps) -> None:
        session = driver_connection(connection)
        contexts: list[MigrationContext] = []
        self._config.attributes.clear()
        self._config.attributes["connection"] = connection

        with self._loggers:

            def once(heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
                self._loggers.enable()
                self._check(contexts, context)
                contexts.append(context)
                return steps(heads, context)

            try:
                with EnvironmentContext(self._config, self._directory, fn=once, **_UPGRADE_HEAD):
                    self._directory.run_env()
            except (MigratorError, RdsIamError, KeyboardInterrupt):
                raise
            except BaseException as exc:  # SystemExit, too: in the user's code, it is a failure like any other
                if self._watcher.reason and is_canceled(exc):
                    raise UpgradeError(f"{what}: {self._watcher.reason}") from exc
                if has_sqlstate(exc) or not _is_alive(session):
                    raise  # the server's answer says what it is; a lost connection is worth starting over
                if contexts:
                    raise UpgradeError(f"{what}: {format_error(exc)}") from exc
                advice = f"; {ADVICE}" if is_about_connection(exc, self._foreign) else ""
                failure = f"{location(exc, self._directory)}{format_error(exc)}{advice}"
                raise UpgradeError(f"env.py failed before it ran the revisions: {failure}") from exc

    def _check(self, earlier: list[MigrationContext], context: MigrationContext) -> None:
        # By the pool: a second connection is ours as well, and an engine with other options is another engine.
        if context.connection is None or context.connection.engine.pool is not self._engine.pool:
            raise UpgradeError(f"env.py runs the revisions on a connection of its own: {ADVICE}")
        if earlier:
            raise UpgradeError(
                "env.py runs the revisions more than once; allowed is one version table for a deployment"
            )


def _is_alive(session: DbapiConnection) -> bool:
    try:
        session.rollback()
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
        session.rollback()
    except psycopg2.Error:
        return False
    return True
