"""The command `plan`: the revisions and the SQL of a change, which an operator sees before it is performed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from migrator.database_errors import format_error
from migrator.errors import EventError
from migrator.loggers import SavedLoggers
from migrator.operations.arguments import Answer
from migrator.operations.changing import Changing
from migrator.operations.project import in_environment, read_heads, wrap_revision_errors

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep
    from sqlalchemy import Connection

    from migrator.environment import Environment
    from migrator.revision_scripts import RevisionScripts

ACTIONS = ("upgrade", "downgrade", "stamp")
_MAX_SQL = 1_000_000
# An URL that SQLAlchemy accepts: many an env.py takes the dialect of its offline mode from it.
_URL = "postgresql+psycopg2://"


@dataclass(frozen=True)
class Steps:
    """The revisions that run, in their order, with their messages, and their SQL.

    `problem` is the reason for which the SQL is not complete. `target` is the revision after a stamp.
    """

    revisions: tuple[str, ...]
    messages: tuple[str, ...]
    target: str
    sql: str
    problem: str


def plan(changing: Changing, *, action: str, revision: str) -> Answer:
    """Return the steps of a change. Nothing is changed. Raises EventError for an unknown revision."""
    check_action(changing, action)
    heads, steps = in_environment(changing, lambda environment, scripts: _plan(environment, scripts, action, revision))
    return {
        "database": f"{changing.settings.database} at {changing.settings.host}",
        "revision": sorted(heads),
        "action": action,
        "target": steps.target,
        "steps": [
            {"revision": name, "message": message}
            for name, message in zip(steps.revisions, steps.messages, strict=True)
        ],
        "sql": steps.sql,
        "sql_problem": steps.problem or None,
    }


def check_action(changing: Changing, action: str) -> None:
    """Raise EventError for an action that does not exist, or that the stack does not allow."""
    if action not in ACTIONS:
        raise EventError(f"action must be one of {', '.join(ACTIONS)} (got {action!r})")
    if action == "downgrade" and not changing.may_downgrade:
        raise EventError(
            "downgrade must be allowed by the stack (got off): deploy a new revision that undoes the change, or deploy"
            " with -c downgrade=on (allow_downgrade of DatabaseOperations)"
        )


def _plan(
    environment: Environment, scripts: RevisionScripts, action: str, revision: str
) -> tuple[tuple[str, ...], Steps]:
    """Return the heads of the database, and the steps of the change."""
    from migrator.environment import SharedConnection  # noqa: PLC0415 - see `project`

    heads = tuple(sorted(read_heads(environment)))
    with closing(SharedConnection(environment.engine)) as connection:
        return heads, _Planner(scripts, connection, heads).steps(action, revision)


class _Planner:
    """Finds the steps of a change, and renders their SQL with the user's env.py."""

    def __init__(self, scripts: RevisionScripts, connection: Connection, heads: tuple[str, ...]) -> None:
        self._scripts = scripts
        self._connection = connection
        self._heads = heads

    def steps(self, action: str, revision: str) -> Steps:
        """Return the steps. Raises EventError for a revision that Alembic cannot resolve."""
        with wrap_revision_errors():
            if action == "stamp":
                return self._stamp(revision)
            directory = self._scripts.directory
            if action == "upgrade":
                scripts = reversed(list(directory.iterate_revisions(revision, self._heads, implicit_base=True)))
            else:
                scripts = directory.iterate_revisions(self._heads, revision, select_for_downgrade=True)
            chain = list(scripts)
        step_of = self._scripts.upgrade_step if action == "upgrade" else self._scripts.downgrade_step
        sql, problem = self._render([step_of(script.revision) for script in chain])
        names = tuple(script.revision for script in chain)
        return Steps(names, tuple(script.doc for script in chain), names[-1] if names else "", sql, problem)

    def _stamp(self, revision: str) -> Steps:
        """Return the steps of a stamp: no revision runs, and the target is empty for `base`."""
        targets = self._scripts.directory.get_revisions(revision)
        if len(targets) > 1:
            raise EventError(f"revision must be one revision (got {revision!r}, which is {len(targets)})")
        target = "".join(script.revision for script in targets)
        is_done = set(self._heads) == ({target} if target else set())
        sql, problem = self._render([] if is_done else [self._scripts.stamp_step(target, self._heads)])
        return Steps((), (), target, sql, problem)

    def _render(self, steps: Sequence[MigrationStep]) -> tuple[str, str]:
        """Run env.py in Alembic's offline mode. Return the SQL, and the reason why it is not complete.

        An env.py without an offline mode gets the connection, with which Alembic executes nothing in this mode.
        """
        # Alembic is imported in the child process only: see `project`.
        from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415

        if len(self._heads) > 1:
            return "", f"the database has {len(self._heads)} heads"
        config, buffer = self._scripts.config, StringIO()
        config.output_buffer = buffer
        config.attributes.clear()
        config.attributes["connection"] = self._connection
        config.set_main_option("sqlalchemy.url", _URL)
        options: dict[str, Any] = {
            "as_sql": True,
            "starting_rev": self._heads[0] if self._heads else None,
            "destination_rev": "head",
            "tag": None,
        }
        directory = self._scripts.directory
        try:
            with SavedLoggers(), EnvironmentContext(config, directory, fn=lambda _heads, _context: steps, **options):
                directory.run_env()
        except Exception as exc:  # noqa: BLE001 - the user's code may need the answers of a database
            return buffer.getvalue()[:_MAX_SQL], f"{self._scripts.location(exc)}{format_error(exc)}"
        sql = buffer.getvalue()
        return sql[:_MAX_SQL], "" if len(sql) <= _MAX_SQL else f"the SQL is cut after {_MAX_SQL:,} characters"
