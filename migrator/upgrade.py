"""Upgrade the schema: read the heads, take the lock, apply the missing revisions. Start over after a lost connection.

Imports Alembic and SQLAlchemy only if there is something to apply. Most deployments have no new revision, and start in
a third of the time.
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
from migrator.projects import configuration_of, read_project
from migrator.session import open_session, read_heads
from migrator.upgrade_context import Outcome, Progress, UpgradeContext
from rds_iam.backoff import Backoff

logger = Logger(child=True)


def upgrade(context: UpgradeContext) -> Outcome:
    """Bring the database to the head of the project, as far as the deadline allows.

    Every revision has a transaction of its own. Raises MigratorError or RdsIamError. Revisions that were applied before
    the error stay applied, and the next upgrade continues after them.
    """
    progress = Progress()
    backoff = Backoff(first=0.5, longest=10.0)
    manifest = Manifest.read(context.project)
    while True:
        try:
            return _attempt(context, manifest, progress)
        except ConnectionLostError as exc:
            logger.warning("the connection was lost, starting over", extra={"error": str(exc)})
            progress.retries += 1
            if not backoff.pause(context.deadline):
                raise


def _attempt(context: UpgradeContext, manifest: Manifest, progress: Progress) -> Outcome:
    request = context.request
    with wrap_database_errors("the upgrade was interrupted"), closing(open_session(context.connect)) as session:
        check_not_cancelled(session, request)  # also when starting over: a rollback ends the session
        if (heads := _heads_at_head(session, request, manifest)) is not None:
            outcome = progress.outcome(Decision.NOTHING, heads)
        else:
            with upgrade_lock(session, context.deadline):
                outcome = _upgrade_locked(session, context, manifest, progress)
        return replace(outcome, totals=totals(session, request))


def _heads_at_head(session: Connection, request: UpgradeRequest, manifest: Manifest) -> frozenset[str] | None:
    """Return the heads if the database is at head, without the lock and without Alembic, or None if that is not sure.

    The version table is known if an invocation with the same files and environment has recorded it.
    """
    project = read_project(session, request)
    if project is None or project.configuration != configuration_of(request):
        return None
    heads = read_heads(session, project.version_table)
    if heads != {request.head}:
        return None
    log = read_log(session, project.version_table)
    return heads if decide(heads, request, manifest, log) is Decision.NOTHING else None


def _upgrade_locked(session: Connection, context: UpgradeContext, manifest: Manifest, progress: Progress) -> Outcome:
    # See the module's docstring for the imports.
    from migrator.locked_upgrade import LockedUpgrade  # noqa: PLC0415
    from migrator.revision_runner import RevisionRunner  # noqa: PLC0415
    from migrator.revision_scripts import RevisionScripts  # noqa: PLC0415

    scripts = RevisionScripts(context.project, manifest)
    with RevisionRunner.open(scripts, context.connect, context.deadline) as runner:
        return LockedUpgrade(session, scripts, runner, manifest, context, progress).bring_to_head()
