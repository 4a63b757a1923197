"""Alembic's side of the upgrade: read which revisions are missing, and run one."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import wraps
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from alembic.config import CommandLine, Config
from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import format_error, wrap_database_errors
from migrator.engine import opened_engine
from migrator.env_errors import ADVICE, ForeignEngines
from migrator.environment import Environment
from migrator.errors import UpgradeError
from migrator.events import UpgradeRequest
from migrator.revision_transactions import checked_transactions
from migrator.statement_limit import driver_connection
from migrator.user_code import location
from migrator.watcher import Watcher
from rds_iam.deadline import Deadline

type OnApplied = Callable[[DbapiConnection, str, float], None]

_SHOWN = 5


class Scripts:
    """The revisions in the zip, and env.py, which runs them."""

    def __init__(self, config: Config, engine: sa.Engine, *, watcher: Watcher, foreign: ForeignEngines) -> None:
        self._engine = engine
        self._directory = ScriptDirectory.from_config(config)
        self._environment = Environment(config, self._directory, engine, watcher=watcher, foreign=foreign)
        self._last_applied: str | None = None
        self._memo: dict[str, Any] = {}

    @classmethod
    @contextmanager
    def opened(cls, project: Path, connect: Callable[[], DbapiConnection], deadline: Deadline) -> Iterator["Scripts"]:
        """Load the scripts; `connect` makes the connections that they run on, which end with the block."""
        watcher = Watcher(connect, deadline)
        with opened_engine(connect, deadline) as engine, watcher.watch(engine), ForeignEngines() as foreign:
            yield cls(_config(project), engine, watcher=watcher, foreign=foreign)

    @contextmanager
    def driver_connection(self) -> Iterator[DbapiConnection]:
        """Lend the driver's connection, outside of a transaction."""
        with self._engine.connect() as connection:
            yield driver_connection(connection)

    def check_same_as(self, request: UpgradeRequest) -> None:
        """Raise UpgradeError if the zip holds another history than the template was made from, or several heads."""
        bundled = self._read()
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

    def _read(self) -> set[str]:
        """Import every script; raises UpgradeError that names the file which fails."""
        what = "the scripts in the function's zip cannot be read"
        try:
            return {script.revision for script in self._directory.walk_revisions()}
        except KeyboardInterrupt:
            raise
        except BaseException as exc:  # SystemExit, too
            raise UpgradeError(f"{what}: {location(exc, self._directory)}{format_error(exc)}") from exc

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
        failures: list[BaseException] = []
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
            step = RevisionStep.upgrade_from_script(self._directory.revision_map, script)
            step.migration_fn = _checked(revision, step.migration_fn, context, failures)
            return [step]

        self._environment.run(f"revision {revision} failed", steps)
        if failures:  # env.py has swallowed it
            with wrap_database_errors(f"revision {revision} failed"):
                raise failures[0]
        self._last_applied = revision
        self._memo = memo
        self._check_recorded(applied)

    def _check_recorded(self, heads: Sequence[str]) -> None:
        if self._last_applied is not None and self._last_applied not in heads:
            raise UpgradeError(
                f"revision {self._last_applied} ran but did not record itself in the version table: {ADVICE}"
            )


def _checked(
    revision: str, upgrade: Callable[..., None], context: MigrationContext, failures: list[BaseException]
) -> Callable[..., None]:
    """Return the revision's function so that it raises UpgradeError if the revision rolls back its own work.

    What it raises is added to `failures`, because env.py may swallow it.
    """

    @wraps(upgrade)  # Alembic logs its name
    def run(**arguments: object) -> None:
        try:
            with checked_transactions(revision, cast("sa.Connection", context.connection)):
                upgrade(**arguments)
        except BaseException as exc:
            failures.append(exc)
            raise

    return run


def _config(project: Path) -> Config:
    """Return what env.py sees as `context.config` in `alembic upgrade head`."""
    file = str(project / "alembic.ini")
    arguments = CommandLine(prog="alembic").parser.parse_args(["-c", file, "upgrade", "head"])
    return Config(file, cmd_opts=arguments)
