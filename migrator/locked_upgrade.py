"""The upgrade under the lock: decide, record a baseline, apply the missing revisions one by one."""

from dataclasses import dataclass, replace
from functools import cached_property

from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator import divergence
from migrator.baseline import check_baseline
from migrator.decision import Decision, decide
from migrator.manifest import Manifest
from migrator.migration_log import LoggedRevisions, MigrationLog, check_not_cancelled, read_log
from migrator.migration_log_schema import share_version_table
from migrator.projects import Project, configuration_of, qualified_name, read_project, record_project
from migrator.revision_retry import run_revision
from migrator.revision_runner import RevisionRunner
from migrator.revision_scripts import RevisionScripts
from migrator.session import has_tables
from migrator.upgrade_context import Outcome, Progress, UpgradeContext

# A revision is not begun when less is left: the next invocation gives it its full time instead.
MIN_REVISION_SECONDS = 30.0

logger = Logger(child=True)


@dataclass(frozen=True)
class LockedUpgrade:
    """One attempt of an upgrade. `session` holds the lock, and revisions run on the connections of `runner`."""

    session: Connection
    scripts: RevisionScripts
    runner: RevisionRunner
    manifest: Manifest
    context: UpgradeContext
    progress: Progress

    def bring_to_head(self) -> Outcome:
        """Decide, and carry the decision out. Raises UpgradeError."""
        heads = self.runner.heads()  # again: the previous holder of the lock may have applied everything
        self._record_project()
        request = self.context.request
        if request.baseline and not heads and not has_tables(self.session):
            # An empty database is built from the first revision on.
            logger.warning("the database is empty: the baseline is ignored", extra={"baseline": request.baseline})
            request = replace(request, baseline="")
        decision = decide(heads, request, self.manifest, self._read_log())
        if decision is Decision.BASELINE:
            heads = self._record_baseline(heads)
            request = replace(request, baseline="")
            decision = decide(heads, request, self.manifest, self._read_log())
        if decision is Decision.UPGRADE:
            return self._apply_missing(heads)
        ahead = divergence.ahead(heads, self.manifest, self._read_log(), request.old_revisions)
        return self.progress.outcome(decision, heads, ahead=ahead)

    @property
    def _log(self) -> MigrationLog:
        return MigrationLog(self.context.request, self.context.invocation, self.manifest, self._version_table)

    @cached_property
    def _version_table(self) -> str:
        """The qualified name of the table that `heads()` has read."""
        with self.runner.driver_connection() as connection:
            return qualified_name(connection, *self.runner.version_table)

    def _read_log(self) -> LoggedRevisions:
        return read_log(self.session, self._version_table)

    def _record_project(self) -> None:
        project = Project(self._version_table, configuration_of(self.context.request))
        if read_project(self.session, self.context.request) != project:
            with self.runner.driver_connection() as connection:
                record_project(connection, self.context.request, self._version_table)

    def _apply_missing(self, heads: frozenset[str]) -> Outcome:
        progress = self.progress
        self.scripts.check_match(self.context.request)
        missing = self.scripts.missing(heads, self.context.request.head)
        progress.planned = progress.planned or tuple(missing)
        self._prepare_log()
        while missing and self._has_time(missing):
            self._apply(missing[0])
            del missing[0]
        return progress.outcome(Decision.UPGRADE, self.runner.heads(), missing=missing)

    def _has_time(self, missing: list[str]) -> bool:
        """Return whether to begin a revision. The first one of an invocation is begun in any case."""
        has_applied = len(missing) < len(self.progress.planned)
        return not has_applied or self.context.deadline.seconds_left >= MIN_REVISION_SECONDS

    def _apply(self, revision: str) -> None:
        run_revision(
            revision,
            lambda: self.runner.apply(revision, self._log.record),
            session=self.session,
            context=self.context,
            progress=self.progress,
        )

    def _record_baseline(self, heads: frozenset[str]) -> frozenset[str]:
        """Record the schema as that of the baseline, in the version table and in the log. Return the heads."""
        baseline = self.context.request.baseline
        check_not_cancelled(self.session, self.context.request)
        self.scripts.check_match(self.context.request)
        self._check_baseline(heads)
        self._prepare_log()
        if not heads <= self.manifest.files.keys() or baseline not in self.manifest.ancestors(heads):
            step = self.scripts.stamp_step(baseline, heads)
            self.runner.stamp(f"recording the baseline {baseline} failed", step)
        part_of_schema = self.manifest.ancestors({baseline})
        with self.runner.driver_connection() as connection, connection:
            in_order = [revision for revision in self.manifest.files if revision in part_of_schema]
            self._log.record_all(connection, in_order, event="baseline")
        logger.warning("baseline recorded", extra={"baseline": baseline, "heads_before": sorted(heads)})
        return self.runner.heads()

    def _check_baseline(self, heads: frozenset[str]) -> None:
        """Compare the schema with that of the baseline, or with that of the heads if these come after the baseline."""
        request = self.context.request
        is_before = request.baseline in self.manifest.ancestors(heads) and heads <= self.manifest.files.keys()
        targets = sorted(heads) if is_before else [request.baseline]
        check_baseline(self.context, self.scripts, self.manifest, self.session, targets)

    def _prepare_log(self) -> None:
        with self.runner.driver_connection() as connection:
            self._log.prepare(connection)
            share_version_table(connection, *self.runner.version_table)
