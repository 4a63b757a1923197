"""The upgrade: look, lock, bring to head; start over when the server went away.

Alembic and SQLAlchemy are imported only where there is something to apply: a deployment without a new revision,
which is most of them, starts in a third of the time.
"""

from contextlib import closing
from dataclasses import replace

from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import wrap_database_errors
from migrator.decision import Decision, decide
from migrator.errors import ConnectionLostError
from migrator.events import UpgradeRequest
from migrator.lock import upgrade_lock
from migrator.manifest import Manifest
from migrator.migration_log import check_not_cancelled, read_log, totals
from migrator.session import open_session, read_heads
from migrator.upgrade_context import Outcome, Progress, UpgradeContext
from rds_iam.backoff import Backoff

logger = Logger(child=True)


def upgrade(run: UpgradeContext) -> Outcome:
    """Bring the database to the head of the project, as far as the deadline allows.

    Every revision has a transaction of its own. Raises MigratorError or RdsIamError; what was applied until then stays
    applied, and the next run goes on from there.
    """
    progress = Progress()
    backoff = Backoff(first=0.5, longest=10.0)
    manifest = Manifest.read(run.project)
    while True:
        try:
            return _attempt(run, manifest, progress)
        except ConnectionLostError as exc:
            logger.warning("the server went away, starting over", extra={"error": str(exc)})
            progress.retries += 1
            if not backoff.pause(run.deadline):
                raise


def _attempt(run: UpgradeContext, manifest: Manifest, progress: Progress) -> Outcome:
    with closing(open_session(run.connect)) as session, wrap_database_errors("the upgrade was interrupted"):
        check_not_cancelled(session, run.request)  # also when starting over: a rollback ends the session
        heads = read_heads(session)
        if _is_at_head(session, heads, run.request, manifest):
            outcome = progress.outcome(Decision.NOTHING, heads)
        else:
            with upgrade_lock(session, run.deadline):
                outcome = _upgrade_locked(session, run, manifest, progress)
        return replace(outcome, totals=totals(session, run.request))


def _is_at_head(session: Connection, heads: frozenset[str], request: UpgradeRequest, manifest: Manifest) -> bool:
    """Look without a lock and without Alembic, whose version table may be elsewhere; raises HistoryError."""
    return heads == {request.head} and decide(heads, request, manifest, read_log(session)) is Decision.NOTHING


def _upgrade_locked(session: Connection, run: UpgradeContext, manifest: Manifest, progress: Progress) -> Outcome:
    # See the module's docstring for the imports.
    from migrator.locked_upgrade import LockedUpgrade  # noqa: PLC0415
    from migrator.scripts import Scripts  # noqa: PLC0415

    with Scripts.opened(run.project, run.connect, run.deadline) as scripts:
        return LockedUpgrade(session, scripts, manifest, run, progress).bring_to_head()
