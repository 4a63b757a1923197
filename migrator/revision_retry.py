"""Run one revision, and try again while one of its tables is in use."""

import time
from collections.abc import Callable

from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import LockNotAvailableError, UpgradeError
from migrator.migration_log import check_not_cancelled
from migrator.upgrade_context import Progress, UpgradeContext
from rds_iam.backoff import Backoff

logger = Logger(child=True)


def run_revision(
    revision: str, run: Callable[[], None], *, session: Connection, context: UpgradeContext, progress: Progress
) -> None:
    """Call `run`, which runs the revision, while `session` holds the lock. Raises UpgradeError at the deadline."""
    backoff = Backoff(first=1.0, longest=60.0)
    while True:
        check_not_cancelled(session, context.request)
        began = time.monotonic()
        logger.info("revision started", extra={"revision": revision})
        context.on_started(revision)
        try:
            run()
        except LockNotAvailableError as exc:
            progress.retries += 1
            logger.warning("a table of the revision is in use", extra={"revision": revision, "error": str(exc)})
            if not backoff.pause(context.deadline):
                raise UpgradeError(f"{exc}, {backoff.tries} times") from exc
        else:
            seconds = time.monotonic() - began
            progress.seconds += seconds
            logger.info("revision finished", extra={"revision": revision, "seconds": round(seconds, 3)})
            return
