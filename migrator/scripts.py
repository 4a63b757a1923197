"""Alembic's side of the upgrade: which revisions are missing, and running one."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.environment import ADVICE, Environment, driver_connection
from migrator.errors import UpgradeError
from migrator.events import UpgradeRequest
from migrator.server_errors import translated
from migrator.statements import end_by
from rds_iam.deadline import Deadline

type OnApplied = Callable[[DbapiConnection, str, float], None]

_SHOWN = 5


class Scripts:
    """The revisions in the zip, and env.py, which runs them."""

    def __init__(self, config: Config, engine: sa.Engine) -> None:
        self._engine = engine
        self._directory = ScriptDirectory.from_config(config)
        self._environment = Environment(config, self._directory, engine)
        self._last_applied: str | None = None
        self._memo: dict[str, Any] = {}

    @classmethod
    @contextmanager
    def opened(cls, project: Path, connect: Callable[[], DbapiConnection], deadline: Deadline) -> Iterator["Scripts"]:
        """Load the scripts; `connect` makes the connections that they run on, which end with the block."""
        engine = sa.create_engine("postgresql+psycopg2://", creator=connect)
        end_by(deadline, engine)
        try:
            yield cls(_config(project), engine)
        finally:
            engine.dispose()

    @contextmanager
    def driver_connection(self) -> Iterator[DbapiConnection]:
        """Lend the driver's connection, outside of a transaction."""
        with self._engine.connect() as connection:
            yield driver_connection(connection)

    def check_same_as(self, request: UpgradeRequest) -> None:
        """Raise UpgradeError if the zip holds another history than the template was made from, or several heads."""
        with translated("the scripts in the function's zip cannot be read"):
            bundled = {script.revision for script in self._directory.walk_revisions()}
        if bundled != set(request.revisions):
            differing = ", ".join(sorted(bundled.symmetric_difference(request.revisions))[:_SHOWN])
            raise UpgradeError(
                f"the function's zip and the deployment have different revisions, among them {differing}"
            )
        heads = sorted(self._directory.get_heads())
        if len(heads) > 1:
            raise UpgradeError(
                f"{len(heads)} heads in the function's zip: {', '.join(heads)}; allowed is one, see alembic merge"
            )

    def heads(self) -> frozenset[str]:
        """Ask through env.py, which may have given the version table another name or schema."""
        found: list[str] = []

        def look(heads: tuple[str, ...], _context: MigrationContext) -> list[Any]:
            self._check_recorded(heads)
            found.extend(heads)
            return []

        self._environment.run("reading the revision of the database", look)
        return frozenset(found)

    def missing(self, heads: frozenset[str], head: str) -> list[str]:
        """Return the revisions that lead from the database's heads to `head`, in the order they must run."""
        # What alembic's own `upgrade` iterates over; across branches it follows dependencies too.
        scripts = self._directory.iterate_revisions(head, tuple(heads), implicit_base=True)
        return [script.revision for script in reversed(list(scripts))]

    def stamp(self, revision: str, heads: Collection[str]) -> None:
        """Record a revision in the version table in place of `heads`, without running it; raises UpgradeError."""

        def steps(_heads: tuple[str, ...], _context: MigrationContext) -> list[Any]:
            # Alembic's own steps need every old head in the scripts, and a squash has removed them.
            return [StampStep(tuple(heads), revision, True, not heads, self._directory.revision_map)]

        self._environment.run(f"recording the baseline {revision} failed", steps)

    def apply(self, revision: str, on_applied: OnApplied) -> None:
        """Run one revision; `on_applied` gets it and its seconds within its transaction, before the commit.

        Whether that commit came about is seen when env.py is run next, be it by `heads`. Raises UpgradeError with the
        revision, the SQLSTATE and the server's words; LockNotAvailableError and ConnectionLostError, which are of its
        kind, where another try may succeed.
        """
        began = time.monotonic()
        script = self._directory.get_revision(revision)
        applied: list[str] = []
        # What Alembic remembers from one revision to the next: the enum types made so far, which are not made again.
        memo = deepcopy(self._memo)

        def record(ctx: MigrationContext, **_alembics: object) -> None:
            # On the connection that the revision ran on: env.py may have opened a second one.
            on_applied(driver_connection(cast("sa.Connection", ctx.connection)), revision, time.monotonic() - began)
            applied.append(revision)

        def steps(heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
            self._check_recorded(heads)
            context.impl.memo = memo
            context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, record)
            # This one step, known to be next: alembic's way through the whole history to it is quadratic in sum.
            return [RevisionStep.upgrade_from_script(self._directory.revision_map, script)]

        self._environment.run(f"revision {revision} failed", steps)
        self._last_applied = revision
        self._memo = memo
        self._check_recorded(applied)

    def _check_recorded(self, heads: Sequence[str]) -> None:
        if self._last_applied is not None and self._last_applied not in heads:
            raise UpgradeError(
                f"revision {self._last_applied} ran but did not record itself in the version table: {ADVICE}"
            )


def _config(project: Path) -> Config:
    config = Config(str(project / "alembic.ini"))
    config.get_main_option("script_location")  # reads the file, while its name is known
    # Without a name, the usual env.py leaves logging alone: fileConfig() would silence the function's loggers.
    config.config_file_name = None
    return config
