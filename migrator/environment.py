"""Run the user's env.py on the migrator's connection. Detect an env.py that opens its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Self

import psycopg2
import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import format_error, has_sqlstate, is_canceled, wrap_database_errors
from migrator.engine import driver_connection, open_engine
from migrator.errors import MigratorError, UpgradeError
from migrator.loggers import SavedLoggers
from migrator.revision_scripts import RevisionScripts
from migrator.session import Connect
from migrator.statement_limit import limit_statements
from migrator.watcher import Watcher
from rds_iam.deadline import Deadline
from rds_iam.errors import RdsIamError

ADVICE = "env.py must use the connection in config.attributes['connection'] and commit"

# With these options, `context` has the same values in env.py as in `alembic upgrade head`.
_UPGRADE_HEAD: Mapping[str, Any] = {"as_sql": False, "starting_rev": None, "destination_rev": "head", "tag": None}
# Settings that env.py reads to create an engine. `engine_from_config` without a URL raises KeyError('url').
_ENGINE_KEYS = {"url", "sqlalchemy.url", "engine", "connectable"}
_DRIVERS = {"aiopg", "asyncpg", "greenlet", "pg8000", "psycopg"}

type Steps = Callable[[tuple[str, ...], MigrationContext], Sequence[MigrationStep]]


class SharedConnection(sa.Connection):
    """A connection that an env.py may also use as an engine.

    Until Alembic 1.8, its cookbook called `connect()` on the shared object. SQLAlchemy 2 has removed this method.
    """

    def connect(self) -> Self:
        """Return the connection itself."""
        return self


class OwnEngines:
    """Records whether an engine that env.py has created tried to connect."""

    def __init__(self) -> None:
        self.have_connected = False

    def __enter__(self) -> Self:
        sa.event.listen(sa.Engine, "do_connect", self._do_connect)
        return self

    def __exit__(self, *_error: object) -> None:
        sa.event.remove(sa.Engine, "do_connect", self._do_connect)

    def _do_connect(self, *_arguments: object) -> None:
        self.have_connected = True


class Environment:
    """Runs env.py as `alembic upgrade head` does, without loading all revision files again each time."""

    def __init__(self, scripts: RevisionScripts, engine: sa.Engine, watcher: Watcher, own_engines: OwnEngines) -> None:
        self._scripts = scripts
        self.engine = engine
        self._watcher = watcher
        self._own_engines = own_engines
        self._loggers = SavedLoggers()

    def run(self, title: str, steps: Steps, **options: Any) -> tuple[str, ...]:
        """Run env.py with the revisions that `steps` returns; return the heads that Alembic read before.

        Raises UpgradeError, or one of its kinds, that begins with `title`. env.py gets a connection of the engine's
        pool, which keeps the session whether env.py closes the connection or not. `options` are those of Alembic's
        EnvironmentContext.
        """
        self._watcher.reason = None
        try:
            with wrap_database_errors(title), closing(SharedConnection(self.engine)) as connection:
                heads = self._run(title, connection, steps, options)
                if not connection.closed:
                    # The owner of the connection commits what is left open: by an env.py that used the connection
                    # before Alembic did, or by a revision that commits, after which Alembic has no transaction.
                    connection.commit()
                return heads
        except BaseException:
            self._watcher.close_sessions()
            raise

    def _run(
        self, title: str, connection: SharedConnection, steps: Steps, options: Mapping[str, Any]
    ) -> tuple[str, ...]:
        session = driver_connection(connection)
        call = _EnvCall(steps, self.engine, self._loggers)
        config, directory = self._scripts.config, self._scripts.directory
        config.attributes.clear()
        config.attributes["connection"] = connection
        try:
            with self._loggers, EnvironmentContext(config, directory, fn=call, **{**_UPGRADE_HEAD, **options}):
                directory.run_env()
        except (MigratorError, RdsIamError, KeyboardInterrupt):
            raise
        except BaseException as exc:  # SystemExit, too: in the user's code, it is a failure like any other
            if self._watcher.reason and is_canceled(exc):
                raise UpgradeError(f"{title}: {self._watcher.reason}") from exc
            if has_sqlstate(exc) or not _is_alive(session):
                raise  # `run` reports the server's message, or the lost connection
            raise self._classify_env_error(exc, title, call) from exc
        return call.heads or ()

    def _classify_env_error(self, exc: BaseException, title: str, call: "_EnvCall") -> UpgradeError:
        """Return the error for an exception that neither the server nor a lost connection has caused."""
        if call.heads is not None:
            return UpgradeError(f"{title}: {format_error(exc)}")
        advice = f"; {ADVICE}" if is_connection_error(exc, self._own_engines) else ""
        failure = f"{self._scripts.location(exc)}{format_error(exc)}{advice}"
        return UpgradeError(f"env.py failed before it ran the revisions: {failure}")


@contextmanager
def open_environment(
    scripts: RevisionScripts, connect: Connect, deadline: Deadline
) -> Iterator[tuple[Environment, sa.Engine]]:
    """Open an engine on `connect` for env.py. Its sessions end with the block, its statements at the deadline."""
    watcher = Watcher(connect, deadline)
    with open_engine(connect) as engine, OwnEngines() as own_engines:
        limit_statements(engine, deadline)
        with watcher.watch(engine):
            yield Environment(scripts, engine, watcher, own_engines), engine


class _EnvCall:
    """One call of env.py. Alembic calls this object for the steps when env.py calls `context.run_migrations()`.

    `heads` is None until then.
    """

    def __init__(self, steps: Steps, engine: sa.Engine, loggers: SavedLoggers) -> None:
        self.heads: tuple[str, ...] | None = None
        self._steps = steps
        self._engine = engine
        self._loggers = loggers

    def __call__(self, heads: tuple[str, ...], context: MigrationContext) -> Sequence[MigrationStep]:
        self._loggers.enable()
        # Pools are compared, because an engine with other options is another object with the same pool.
        if context.connection is None or context.connection.engine.pool is not self._engine.pool:
            raise UpgradeError(f"env.py runs the revisions on a connection of its own: {ADVICE}")
        if self.heads is not None:
            raise UpgradeError("env.py must run the revisions once (got twice): a deployment has one version table")
        self.heads = heads
        return self._steps(heads, context)


def is_connection_error(exc: BaseException, own_engines: OwnEngines) -> bool:
    """Return whether env.py failed because it created an engine, or used the given connection as an engine."""
    match exc:
        case AttributeError():
            return isinstance(exc.obj, sa.Connection | sa.Transaction)
        case KeyError():
            return bool(exc.args) and exc.args[0] in _ENGINE_KEYS
        case ModuleNotFoundError():
            return exc.name in _DRIVERS
        case sa.exc.NoSuchModuleError() | sa.exc.OperationalError() | psycopg2.OperationalError():
            return True
        case sa.exc.ArgumentError():
            return "URL" in str(exc)
    return own_engines.have_connected and isinstance(exc, OSError | sa.exc.SQLAlchemyError)


def _is_alive(session: DbapiConnection) -> bool:
    try:
        session.rollback()
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
        session.rollback()
    except psycopg2.Error:
        return False
    return True
