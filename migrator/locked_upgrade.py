"""The upgrade under the lock: decide, record a baseline, apply the missing revisions one by one."""

import time
from dataclasses import dataclass, replace

from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator import divergence
from migrator.decision import Decision, decide
from migrator.errors import LockNotAvailableError, UpgradeError
from migrator.manifest import Manifest
from migrator.migration_log import MigrationLog, check_not_cancelled, read_log
from migrator.scripts import Scripts
from migrator.session import has_tables
from migrator.upgrade_context import Outcome, Progress, UpgradeContext
from rds_iam.backoff import Backoff

# A revision is not begun when less is left: it gets the next invocation's full time instead.
MIN_REVISION_SECONDS = 30.0

logger = Logger(child=True)


@dataclass(frozen=True)
class LockedUpgrade:
    """One attempt of an upgrade; `session` holds the lock, and revisions run on connections of `scripts`."""

    session: Connection
    scripts: Scripts
    manifest: Manifest
    run: UpgradeContext
    progress: Progress

    def bring_to_head(self) -> Outcome:
        """Do what the plan says; raises UpgradeError."""
        heads = self.scripts.heads()  # again: the run that had the lock before may have applied everything
        request = self.run.request if self._may_have_baseline(heads) else replace(self.run.request, baseline="")
        todo = decide(heads, request, self.manifest, read_log(self.session))
        if todo is Decision.BASELINE:
            heads = self._record_baseline(heads)
            todo = decide(heads, replace(request, baseline=""), self.manifest, read_log(self.session))
        if todo is Decision.UPGRADE:
            return self._apply_missing(heads)
        ahead = divergence.ahead(heads, self.manifest, read_log(self.session), request.old_revisions)
        return self.progress.outcome(todo, heads, ahead=ahead)

    @property
    def _log(self) -> MigrationLog:
        return MigrationLog(self.run.request, self.run.invocation, self.manifest)

    def _apply_missing(self, heads: frozenset[str]) -> Outcome:
        progress, deadline = self.progress, self.run.deadline
        self.scripts.check_same_as(self.run.request)
        missing = self.scripts.missing(heads, self.run.request.head)
        progress.todo = progress.todo or tuple(missing)
        self._prepare_log()
        while missing:
            if progress.todo[0] != missing[0] and deadline.seconds_left < MIN_REVISION_SECONDS:
                break
            self._apply(missing[0])
            del missing[0]
        return progress.outcome(Decision.UPGRADE, self.scripts.heads(), missing=missing)

    def _apply(self, revision: str) -> None:
        """Run one revision, again and again while one of its tables is in use."""
        backoff = Backoff(first=1.0, longest=60.0)
        while True:
            check_not_cancelled(self.session, self.run.request)
            began = time.monotonic()
            logger.info("revision started", extra={"revision": revision})
            self.run.on_started(revision)
            try:
                self.scripts.apply(revision, self._log.record)
            except LockNotAvailableError as exc:
                self.progress.retries += 1
                logger.warning("a table of the revision is in use", extra={"revision": revision, "error": str(exc)})
                if not backoff.pause(self.run.deadline):
                    raise UpgradeError(f"{exc}, {backoff.tries} times") from exc
            else:
                seconds = time.monotonic() - began
                self.progress.seconds += seconds
                logger.info("revision finished", extra={"revision": revision, "seconds": round(seconds, 3)})
                return

    def _may_have_baseline(self, heads: frozenset[str]) -> bool:
        """Return whether a baseline makes sense: an empty database is built from the first revision on."""
        baseline = self.run.request.baseline
        if not baseline or heads or has_tables(self.session):
            return True
        logger.warning("the database is empty: the baseline is ignored", extra={"baseline": baseline})
        return False

    def _record_baseline(self, heads: frozenset[str]) -> frozenset[str]:
        """Record the schema as that of the baseline, in the version table and in the log; return the heads."""
        baseline = self.run.request.baseline
        check_not_cancelled(self.session, self.run.request)
        self.scripts.check_same_as(self.run.request)
        self._prepare_log()
        if not heads <= self.manifest.files.keys() or baseline not in self.manifest.ancestors(heads):
            self.scripts.stamp(baseline, heads)
        part_of_schema = self.manifest.ancestors({baseline})
        with self.scripts.driver_connection() as connection, connection:
            in_order = [revision for revision in self.manifest.files if revision in part_of_schema]
            self._log.record_baseline(connection, in_order)
        logger.warning("baseline recorded", extra={"baseline": baseline, "heads_before": sorted(heads)})
        return self.scripts.heads()

    def _prepare_log(self) -> None:
        with self.scripts.driver_connection() as connection:
            self._log.prepare(connection)
