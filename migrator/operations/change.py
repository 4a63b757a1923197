"""The commands `upgrade`, `downgrade` and `stamp`: the steps that an operator has seen, under the upgrade's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator import divergence
from migrator.errors import EventError, HistoryError
from migrator.lock import upgrade_lock
from migrator.manifest import Manifest
from migrator.migration_log import Event, MigrationLog, read_log
from migrator.migration_log_schema import share_version_table
from migrator.operations.arguments import Answer
from migrator.operations.changing import Changing
from migrator.operations.plan import check_action
from migrator.operations.project import read_scripts
from migrator.projects import qualified_name
from migrator.revision_retry import run_revision
from migrator.supervisor import OnStarted, supervise
from migrator.upgrade_context import Progress, UpgradeContext

if TYPE_CHECKING:
    from migrator.revision_runner import RevisionRunner
    from migrator.revision_scripts import RevisionScripts

# An operator waits for another upgrade for this time.
LOCK_SECONDS = 20.0
# A revision is not begun when less is left: the next invocation gives it its full time instead.
MIN_REVISION_SECONDS = 30.0


def upgrade(changing: Changing, *, steps: Sequence[str], operation: str, started_at: int) -> Answer:
    """Apply revisions that follow the heads of the database, as far as the time of the invocation allows."""
    changing.record("upgrade", {"steps": list(steps), "operation": operation})
    return _in_child(changing, operation, started_at, lambda change: change.run("upgrade", steps))


def downgrade(changing: Changing, *, steps: Sequence[str], operation: str, started_at: int) -> Answer:
    """Revert revisions, beginning with the head of the database. Raises EventError if the stack does not allow it."""
    check_action(changing, "downgrade")
    changing.record("downgrade", {"steps": list(steps), "operation": operation})
    return _in_child(changing, operation, started_at, lambda change: change.run("downgrade", steps))


def stamp(changing: Changing, *, target: str, expected: Sequence[str], operation: str, started_at: int) -> Answer:
    """Write the version table without running a revision. An empty `target` is the state before the first revision.

    `expected` are the heads that the operator has seen.
    """
    changing.record("stamp", {"target": target, "expected": list(expected)})
    return _in_child(changing, operation, started_at, lambda change: change.stamp(target, frozenset(expected)))


@dataclass(frozen=True)
class _LockedChange:
    """A change while `session` holds the lock of the upgrade. Revisions run on the connections of `runner`."""

    session: Connection
    scripts: RevisionScripts
    runner: RevisionRunner
    manifest: Manifest
    context: UpgradeContext
    log: MigrationLog

    def run(self, event: Event, steps: Sequence[str]) -> Answer:
        """Apply or revert the steps that are left. Raises UpgradeError if they no longer fit the database."""
        heads = self.runner.heads()
        if event == "upgrade":
            remaining = steps_to_apply(steps, heads, self.manifest)
            divergence.check_unchanged(
                self.manifest.ancestors(heads), self.manifest, read_log(self.session, self.log.version_table)
            )
        else:
            remaining = steps_to_revert(steps, heads, self.manifest)
        self._prepare_log()
        progress = Progress()
        done: list[str] = []
        run = self.runner.apply if event == "upgrade" else self.runner.revert
        for revision in remaining:
            if done and self.context.deadline.seconds_left < MIN_REVISION_SECONDS:
                break
            work = partial(run, revision, partial(self.log.record, event=event))
            run_revision(revision, work, session=self.session, context=self.context, progress=progress)
            done.append(revision)
        return self._answer(done, complete=len(done) == len(remaining), seconds=progress.seconds)

    def stamp(self, target: str, expected: frozenset[str]) -> Answer:
        """Replace the heads. Records the revisions that become part of the schema, and those that no longer are."""
        heads = self.runner.heads()
        if heads != expected:
            raise _has_moved(heads, f"{_listed(expected)} as shown")
        self._prepare_log()
        if heads != frozenset([target] if target else []):
            self.runner.stamp(f"stamp {target or 'base'} failed", self.scripts.stamp_step(target, heads))
        before = divergence.applied(heads, read_log(self.session, self.log.version_table)) | self.manifest.ancestors(
            heads
        )
        after = self.manifest.ancestors([target] if target else [])
        added = [revision for revision in self.manifest.files if revision in after - before] or [target] * bool(target)
        with self.runner.driver_connection() as connection, connection:
            self.log.record_all(connection, sorted(before - after), event="unstamp")
            self.log.record_all(connection, added, event="stamp")
        return self._answer([], complete=True, seconds=0.0)

    def _prepare_log(self) -> None:
        with self.runner.driver_connection() as connection:
            self.log.prepare(connection)
            share_version_table(connection, *self.runner.version_table)

    def _answer(self, done: Sequence[str], *, complete: bool, seconds: float) -> Answer:
        heads = sorted(self.runner.heads())
        return {"revision": heads, "done": list(done), "complete": complete, "seconds": round(seconds, 3)}


def steps_to_apply(steps: Sequence[str], heads: frozenset[str], manifest: Manifest) -> list[str]:
    """Return the steps that are left. Raises HistoryError if they do not follow the heads of the database."""
    _check_known(heads, steps, manifest)
    applied = manifest.ancestors(heads)
    remaining = [step for step in steps if step not in applied]
    if remaining != list(steps[len(steps) - len(remaining) :]):
        raise _has_moved(heads, "the revision of the plan")
    reached = set(applied)
    for step in remaining:
        if not set(manifest.files[step].parents) <= reached:
            raise _has_moved(heads, f"a revision before {step}")
        reached.add(step)
    return remaining


def steps_to_revert(steps: Sequence[str], heads: frozenset[str], manifest: Manifest) -> list[str]:
    """Return the steps that are left. Raises HistoryError if they do not begin at a head of the database."""
    _check_known(heads, steps, manifest)
    applied = manifest.ancestors(heads)
    remaining = [step for step in steps if step in applied]
    if remaining != list(steps[len(steps) - len(remaining) :]):
        raise _has_moved(heads, "the revision of the plan")
    left = set(applied)
    for step in remaining:
        if any(step in manifest.files[other].parents for other in left):
            raise _has_moved(heads, step)
        left.discard(step)
    return remaining


def _check_known(heads: frozenset[str], steps: Sequence[str], manifest: Manifest) -> None:
    if len(set(steps)) != len(steps):
        raise EventError(f"steps must be different (got {', '.join(steps)})")
    unknown = sorted((heads | set(steps)) - manifest.files.keys())
    if unknown:
        raise HistoryError(
            f"the deployed code must have the revisions {', '.join(unknown)}: deploy a version that does"
        )


def _has_moved(heads: frozenset[str], expected: str) -> EventError:
    return EventError(f"the database must be at {expected} (got {_listed(heads)}): run the command again")


def _listed(heads: frozenset[str]) -> str:
    return ", ".join(sorted(heads)) or "no revision"


def _in_child(changing: Changing, operation: str, started_at: int, work: Callable[[_LockedChange], Answer]) -> Answer:
    def run(on_started: OnStarted) -> Answer:
        with _locked(changing, operation, started_at, on_started) as change:
            return work(change)

    return supervise(run, changing.deadline)


@contextmanager
def _locked(changing: Changing, operation: str, started_at: int, on_started: OnStarted) -> Iterator[_LockedChange]:
    """Take the lock of the upgrade, which ends with the block."""
    from migrator.revision_runner import RevisionRunner  # noqa: PLC0415 - Alembic is imported in the child process

    manifest, request = changing.manifest, changing.request(operation, started_at)
    context = UpgradeContext(
        request, changing.project, changing.connect, changing.deadline, changing.invocation, on_started
    )
    scripts = read_scripts(changing.project, manifest)
    with (
        changing.session() as session,
        upgrade_lock(session, changing.deadline.sooner(LOCK_SECONDS)),
        RevisionRunner.open(scripts, changing.connect, changing.deadline) as runner,
    ):
        runner.heads()  # reads the name of the version table, too
        with runner.driver_connection() as connection:
            version_table = qualified_name(connection, *runner.version_table)
        log = MigrationLog(request, changing.invocation, manifest, version_table, changing.caller)
        yield _LockedChange(session, scripts, runner, manifest, context, log)
