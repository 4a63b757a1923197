"""The run of revisions by the project's env.py, as the migrator runs them: on its connection, one by one."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from typing import Any, Self, cast

import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script
from psycopg2.extensions import connection as Session  # noqa: N812 - psycopg2 spells its class in lower case

from review import catalog
from review.errors import ReviewError
from review.revision_scripts import RevisionScripts, format_error

ADVICE = "env.py must use the connection in config.attributes['connection'] and commit"
# With these options, `context` has the same values in env.py as in `alembic upgrade head`.
_UPGRADE_HEAD = {"as_sql": False, "starting_rev": None, "destination_rev": "head", "tag": None}

type Around = Callable[[Session, Callable[[], None]], None]


class _SharedConnection(sa.Connection):
    """A connection that an env.py may also use as an engine, as the migrator's."""

    def connect(self) -> Self:
        """Return the connection itself."""
        return self


class RevisionRunner:
    """Runs the revisions of a project on an engine. Their transactions are those of a deployment."""

    def __init__(self, scripts: RevisionScripts, engine: sa.Engine) -> None:
        self._scripts = scripts
        self._engine = engine
        # Alembic's notes from one revision to the next: the enum types that exist already, which it creates once.
        self._memo: dict[str, Any] = {}

    def run(self, script: Script, around: Around | None = None) -> None:
        """Run a revision. `around` gets the session and the function that calls upgrade().

        Raises the exception of the revision, or ReviewError if env.py does not run the revision.
        """
        call = _EnvCall(self._scripts.step(script), self._engine, deepcopy(self._memo), around)
        config, directory = self._scripts.config, self._scripts.directory
        with _restored_loggers(), self._scripts.importable(), closing(_SharedConnection(self._engine)) as connection:
            config.attributes.clear()
            config.attributes["connection"] = connection
            try:
                with EnvironmentContext(config, directory, fn=call, **_UPGRADE_HEAD):
                    directory.run_env()
            except Exception as exc:
                if call.is_called or isinstance(exc, ReviewError):
                    raise
                reason = format_error(exc, self._scripts.ini.parent)
                raise ReviewError(f"env.py failed before it ran the revisions: {reason}; {ADVICE}") from exc
            if not connection.closed:
                connection.commit()
        if not call.is_called:
            raise ReviewError(f"env.py runs no revisions: {ADVICE}")
        if call.error is not None:
            raise call.error  # env.py did not pass the error on
        self._memo = call.memo


class _EnvCall:
    """One call of env.py with one revision. Alembic calls this object for the steps."""

    def __init__(self, step: MigrationStep, engine: sa.Engine, memo: dict[str, Any], around: Around | None) -> None:
        self.is_called = False
        self.error: BaseException | None = None
        self.memo = memo
        self._step = step
        self._engine = engine
        self._around = around

    def __call__(self, _heads: tuple[str, ...], context: MigrationContext) -> Sequence[MigrationStep]:
        if context.connection is None or context.connection.engine.pool is not self._engine.pool:
            raise ReviewError(f"env.py runs the revisions on a connection of its own: {ADVICE}")
        if self.is_called:
            raise ReviewError("env.py must run the revisions once (got twice): one version table for a deployment")
        self.is_called = True
        context.impl.memo = self.memo
        session = cast("Session", context.connection.connection.dbapi_connection)
        upgrade = self._step.migration_fn

        def run_upgrade(**arguments: object) -> None:
            try:
                with _restored_settings(session):
                    if self._around is None:
                        upgrade(**arguments)
                    else:
                        self._around(session, lambda: upgrade(**arguments))
            except BaseException as exc:
                self.error = exc
                raise

        self._step.migration_fn = run_upgrade
        return [self._step]


@contextmanager
def _restored_settings(session: Session) -> Iterator[None]:
    """Restore the search path and the role, on which the row that Alembic writes depends."""
    ((search_path, role),) = catalog.query(session, "SELECT current_setting('search_path'), current_setting('role')")
    yield
    settings = "SELECT set_config('search_path', %s, false), set_config('role', %s, false)"
    catalog.query(session, settings, [search_path, role])


@contextmanager
def _restored_loggers() -> Iterator[None]:
    """Suppress Alembic's log, and restore the loggers that `fileConfig` in env.py changes."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    states = [(logger.handlers[:], logger.level, logger.disabled, logger.propagate) for logger in loggers]
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for logger, (handlers, level, disabled, propagate) in zip(loggers, states, strict=True):
            logger.handlers[:], logger.disabled, logger.propagate = handlers, disabled, propagate
            logger.setLevel(level)
