"""Handle the rollback of a deployment: leave the schema as it is, and stop upgrades that are still running.

Never fails, whatever the state of the database: a failed rollback leaves the stack in UPDATE_ROLLBACK_FAILED.
"""

from contextlib import closing

import psycopg2
from aws_lambda_powertools import Logger

from migrator import divergence
from migrator.cancellation import cancel
from migrator.decision import Decision
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest
from migrator.migration_log import read_log, totals
from migrator.reporting import count
from migrator.session import Connect, read_heads
from migrator.upgrade_context import Outcome
from rds_iam.errors import RdsIamError

logger = Logger(child=True)


def roll_back(request: UpgradeRequest, manifest: Manifest, connect: Connect) -> Outcome:
    """Stop the upgrades of the failed deployment, and return the state of the schema, which is not changed.

    Returns an outcome without heads if the database cannot be reached.
    """
    try:
        with closing(connect()) as connection:
            cancel(connection, request.stack_id)
            heads = read_heads(connection)
            ahead = divergence.ahead(heads, manifest, read_log(connection), request.old_revisions)
            decision = Decision.STAY_AHEAD if ahead else Decision.ROLLBACK
            return Outcome(decision, heads, totals=totals(connection, request), ahead=ahead)
    except (psycopg2.Error, RdsIamError) as exc:
        logger.warning("the database cannot be reached during the rollback", extra={"error": str(exc)})
        count("RollbackWithoutDatabase")
        return Outcome(Decision.ROLLBACK, frozenset())


def stop_upgrades(stack_id: str, connect: Connect) -> None:
    """Stop the upgrades of a stack that is deleted, if the database can be reached."""
    try:
        with closing(connect()) as connection:
            cancel(connection, stack_id)
    except (psycopg2.Error, RdsIamError) as exc:
        logger.warning("the database cannot be reached during the deletion", extra={"error": str(exc)})
