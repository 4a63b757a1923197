"""Alembic's side of the upgrade: which revisions are missing, and running one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import UpgradeError
from migrator.events import UpgradeRequest
from migrator.server_errors import translated
from migrator.statements import end_by
from rds_iam.deadline import Deadline

type OnApplied = Callable[[str, float], None]


class Scripts:
    """The revisions in the zip, and the connection they run on."""

    def __init__(self, config: Config, connection: sa.Connection) -> None:
        self._config = config
        self._connection = connection
        self._directory = ScriptDirectory.from_config(config)

    @classmethod
    @contextmanager
    def opened(cls, project: Path, connect: Callable[[], DbapiConnection], deadline: Deadline) -> Iterator["Scripts"]:
        """Load the scripts and connect; env.py finds the connection in `config.attributes`."""
        engine = sa.create_engine("postgresql+psycopg2://", creator=connect, poolclass=sa.NullPool)
        end_by(deadline, engine)
        with engine.connect() as connection:
            config = _config(project)
            config.attributes["connection"] = connection
            yield cls(config, connection)

    @property
    def dbapi_connection(self) -> DbapiConnection:
        """The driver's connection, which the revisions run on."""
        return cast("DbapiConnection", self._connection.connection.dbapi_connection)

    def check_same_as(self, request: UpgradeRequest) -> None:
        """Raise UpgradeError if the zip holds another history than the template was made from."""
        bundled = {script.revision for script in self._directory.walk_revisions()}
        if bundled != set(request.revisions):
            differing = ", ".join(sorted(bundled.symmetric_difference(request.revisions))[:5])
            raise UpgradeError(
                f"the function's zip and the deployment have different revisions, among them {differing}"
            )

    def heads(self) -> frozenset[str]:
        """Ask through env.py, which may have given the version table another name or schema."""
        found: list[str] = []

        def look(heads: tuple[str, ...], _context: MigrationContext) -> list[Any]:
            found.extend(heads)
            return []

        with translated("reading the revision of the database"):
            self._run_env(look)
        return frozenset(found)

    def missing(self, heads: frozenset[str], head: str) -> list[str]:
        """Return the revisions that lead from the database's heads to `head`, in the order they must run."""
        # What alembic's own `upgrade` iterates over; across branches it follows dependencies too.
        scripts = self._directory.iterate_revisions(head, tuple(heads), implicit_base=True)
        return [script.revision for script in reversed(list(scripts))]

    def apply(self, revision: str, on_applied: OnApplied) -> None:
        """Run one revision; `on_applied` gets it and its seconds within its transaction, before the commit.

        Raises UpgradeError with the revision, the SQLSTATE and the server's words; LockNotAvailableError and
        ConnectionLostError, which are of its kind, where another try may succeed.
        """
        began = time.monotonic()

        def applied(**_alembics: object) -> None:
            on_applied(revision, time.monotonic() - began)

        def steps(heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
            context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, applied)
            # What alembic.command.upgrade calls, with the same tuple; its annotation is narrower than its use.
            return self._directory._upgrade_revs(revision, cast("str", heads))  # noqa: SLF001

        with translated(f"revision {revision} failed"):
            self._run_env(steps)

    def _run_env(self, steps: Callable[[tuple[str, ...], MigrationContext], list[Any]]) -> None:
        """Do as alembic.command does, but without loading all scripts again for each revision."""
        self._connection.rollback()  # what failed before may have left a transaction open
        with EnvironmentContext(self._config, self._directory, fn=steps):
            self._directory.run_env()


def _config(project: Path) -> Config:
    config = Config(str(project / "alembic.ini"))
    config.get_main_option("script_location")  # reads the file, while its name is known
    # Without a name, the usual env.py leaves logging alone: fileConfig() would silence the function's loggers.
    config.config_file_name = None
    return config
