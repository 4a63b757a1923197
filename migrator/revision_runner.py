"""Run single revisions, and read and write the version table, through the user's env.py."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import wrap_database_errors
from migrator.engine import driver_connection
from migrator.environment import ADVICE, Environment, open_environment
from migrator.errors import UpgradeError
from migrator.revision_scripts import RevisionScripts
from migrator.revision_transactions import check_transactions
from migrator.session import Connect
from rds_iam.deadline import Deadline

type OnApplied = Callable[[DbapiConnection, str, float], None]


class RevisionRunner:
    """Runs the revisions of a project, one at a time.

    `version_table` is the schema, or None, and the name of the version table that the last call of `heads()` has read.
    """

    version_table: tuple[str | None, str] = (None, "alembic_version")

    def __init__(self, scripts: RevisionScripts, engine: sa.Engine, environment: Environment) -> None:
        self._scripts = scripts
        self._engine = engine
        self._environment = environment
        self._last_applied: str | None = None
        # Alembic's notes from one revision to the next: the enum types that exist already, which it creates once.
        self._memo: dict[str, Any] = {}

    @classmethod
    @contextmanager
    def open(cls, scripts: RevisionScripts, connect: Connect, deadline: Deadline) -> Iterator["RevisionRunner"]:
        """Open an engine on `connect`. Its sessions end with the block, its statements at the deadline."""
        with open_environment(scripts, connect, deadline) as (environment, engine):
            yield cls(scripts, engine, environment)

    @contextmanager
    def driver_connection(self) -> Iterator[DbapiConnection]:
        """Lend the driver's connection, outside of a transaction."""
        with self._engine.connect() as connection:
            yield driver_connection(connection)

    def heads(self) -> frozenset[str]:
        """Read the heads through env.py, which may have given the version table another name or schema."""

        def steps(_heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
            self.version_table = (context.version_table_schema, context.version_table)
            return []

        heads = self._environment.run("reading the revision of the database", steps)
        self._check_recorded(heads)
        return frozenset(heads)

    def stamp(self, title: str, step: StampStep) -> None:
        """Write the version table without running a revision. Raises UpgradeError that begins with `title`."""
        self._environment.run(title, lambda _heads, _context: [step])

    def apply(self, revision: str, on_applied: OnApplied) -> None:
        """Run one revision. Calls `on_applied` with the revision and its seconds in its transaction, before the commit.

        Does not verify the commit. The next call of `apply()` or `heads()` does. Raises UpgradeError with the revision,
        the SQLSTATE and the server's message; LockNotAvailableError or ConnectionLostError if another try may succeed.
        """
        self._run(f"revision {revision} failed", self._scripts.upgrade_step(revision), on_applied)
        self._last_applied = revision

    def revert(self, revision: str, on_reverted: OnApplied) -> None:
        """Run the `downgrade()` of one revision, as `apply` runs its `upgrade()`."""
        self._run(f"downgrade of revision {revision} failed", self._scripts.downgrade_step(revision), on_reverted)
        self._last_applied = None

    def _run(self, title: str, step: RevisionStep, on_applied: OnApplied) -> None:
        application = _Application(step, deepcopy(self._memo), on_applied)
        self._environment.run(title, partial(self._begin, application))
        if application.error:  # env.py did not pass the error on
            with wrap_database_errors(title):
                raise application.error
        self._memo = application.memo
        if not application.is_recorded:
            raise self._not_recorded(application.revision)

    def _begin(
        self, application: "_Application", heads: tuple[str, ...], context: MigrationContext
    ) -> list[RevisionStep]:
        self._check_recorded(heads)
        return application.begin(context)

    def _check_recorded(self, heads: Collection[str]) -> None:
        if self._last_applied is not None and self._last_applied not in heads:
            raise self._not_recorded(self._last_applied)

    def _not_recorded(self, revision: str) -> UpgradeError:
        return UpgradeError(f"revision {revision} ran but is not recorded in the version table: {ADVICE}")


class _Application:
    """One run of one revision. Alembic calls `upgrade()` to run it and `_on_version_apply()` after recording it."""

    def __init__(self, step: RevisionStep, memo: dict[str, Any], on_applied: OnApplied) -> None:
        self.memo = memo
        self.is_recorded = False
        self.error: BaseException | None = None
        self._step = step
        self.revision = step.revision.revision
        self._upgrade: Callable[..., None] = step.migration_fn
        self._on_applied = on_applied
        self._began = time.monotonic()

    def begin(self, context: MigrationContext) -> list[RevisionStep]:
        """Attach the callbacks to Alembic's context and step, and return the step."""
        context.impl.memo = self.memo
        context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, self._on_version_apply)
        self._connection = cast("sa.Connection", context.connection)
        self._step.migration_fn = self.upgrade
        return [self._step]

    def upgrade(self, **arguments: object) -> None:
        """Run the revision's function. Raises UpgradeError if the revision rolled back its own work.

        Keeps the error as `error`, because env.py may not pass it on. Alembic logs the name of this method.
        """
        try:
            with check_transactions(self.revision, self._connection):
                self._upgrade(**arguments)
        except BaseException as exc:
            self.error = exc
            raise

    def _on_version_apply(self, ctx: MigrationContext, **_arguments: object) -> None:
        # The connection that the revision ran on: env.py may have opened a second one.
        connection = driver_connection(cast("sa.Connection", ctx.connection))
        self._on_applied(connection, self.revision, time.monotonic() - self._began)
        self.is_recorded = True
