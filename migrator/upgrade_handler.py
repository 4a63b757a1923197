"""Entry point of the migrator, `Custom::AlembicUpgrade`, for CDK's Provider framework.

`is_complete` upgrades, and is called again until all is done. It raises on failure: the framework answers
CloudFormation, and takes whatever is returned for success.
"""

import os
import time
from contextlib import closing
from pathlib import Path

import psycopg2
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.cancellation import application_name, cancel, roll_back
from migrator.decision import Decision
from migrator.errors import CancelledError
from migrator.events import Event, UpgradeRequest, request_type
from migrator.failure import report_failure
from migrator.manifest import Manifest
from migrator.migration_log import Totals
from migrator.session import Connect
from migrator.settings import UpgradeSettings
from migrator.supervisor import OnStarted, supervise
from migrator.upgrade import upgrade
from migrator.upgrade_context import Outcome, UpgradeContext
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from rds_iam.errors import RdsIamError
from rds_iam.settings import DatabaseSettings

# What is left to report a failure when the deadline of the work has passed.
_RESERVE_SECONDS = 15.0
# The share of the custom resource's time after which nothing is applied: the failure must reach CloudFormation before
# CloudFormation gives up, and its clock started before the function's.
_USABLE_SHARE = 0.95
# A rollback and a deletion must not wait for a database that does not answer.
_ROLLBACK_SECONDS = 10.0

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def is_complete(event: Event, context: LambdaContext) -> dict[str, object]:
    """Upgrade as far as the time of one invocation goes; a rollback and a Delete leave the schema alone."""
    with report_failure("upgrade failed", logger, metric="UpgradeFailed"):
        if request_type(event) == "Delete":
            _cancel(str(event.get("StackId", "")))
            return {"IsComplete": True}
        request = UpgradeRequest.from_event(event)
        outcome = _roll_back(request) if request.is_rollback else _upgrade(request, context)
        _report(outcome)
        return _response(outcome)


def _upgrade(request: UpgradeRequest, context: LambdaContext) -> Outcome:
    seconds = context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS
    deadline = Deadline.after(min(seconds, _seconds_until_cloudformation_gives_up(request)))
    connect_in_time = _connect_until(deadline, application_name(request.stack_id))

    def work(on_started: OnStarted) -> Outcome:
        return upgrade(
            UpgradeContext(request, _project(), connect_in_time, deadline, context.aws_request_id, on_started)
        )

    return supervise(work, deadline)


def _seconds_until_cloudformation_gives_up(request: UpgradeRequest) -> float:
    usable = request.timeout_seconds * _USABLE_SHARE
    left = usable if request.started_at is None else request.started_at + usable - time.time()
    if left <= 0:
        raise CancelledError(
            f"the {request.timeout_seconds:.0f} s that CloudFormation waits for the upgrade are over: the revisions"
            " applied until now stay applied, and the next deployment goes on from there"
        )
    return left


def _roll_back(request: UpgradeRequest) -> Outcome:
    connect_briefly = _connect_until(Deadline.after(_ROLLBACK_SECONDS), "alembic-rollback")
    return roll_back(request, Manifest.read(_project()), connect_briefly)


def _cancel(stack_id: str) -> None:
    """Stop an upgrade that still runs for a stack whose creation failed, if the database answers."""
    try:
        with closing(_connect_until(Deadline.after(_ROLLBACK_SECONDS), "alembic-rollback")()) as connection:
            cancel(connection, stack_id)
    except (psycopg2.Error, RdsIamError) as exc:
        logger.warning("the database cannot be asked during the deletion", extra={"error": str(exc)})


def _project() -> Path:
    return Path(os.environ["LAMBDA_TASK_ROOT"])


def _connect_until(deadline: Deadline, name: str) -> Connect:
    def open_connection() -> Connection:
        settings = DatabaseSettings.from_environment(os.environ)
        session = UpgradeSettings.from_environment(os.environ).session()
        return connect(settings, deadline, application_name=name, server_settings=session)

    return open_connection


def _report(outcome: Outcome) -> None:
    heads, ahead = sorted(outcome.heads), list(outcome.ahead)
    logger.info("upgrade run", extra={"decision": outcome.decision.value, "heads": heads, "applied": outcome.applied})
    metrics.add_metric(name="RevisionsApplied", unit=MetricUnit.Count, value=len(outcome.applied))
    metrics.add_metric(name="UpgradeSeconds", unit=MetricUnit.Seconds, value=outcome.seconds)
    metrics.add_metric(name="UpgradeRetries", unit=MetricUnit.Count, value=outcome.retries)
    metrics.add_metric(name="AheadOfCode", unit=MetricUnit.Count, value=int(bool(ahead)))
    metrics.flush_metrics()
    if ahead:
        logger.warning("the database is ahead of the code and stays there", extra={"heads": heads, "ahead": ahead})
    elif outcome.decision is Decision.ROLLBACK:
        logger.warning("the stack is rolling back: the schema stays as it is", extra={"heads": heads})


def _response(outcome: Outcome) -> dict[str, object]:
    """Return what the deployment did in all its invocations, or in this one if there is no log; texts only."""
    if not outcome.complete:
        return {"IsComplete": False}
    totals = outcome.totals or Totals(len(outcome.applied), 1, outcome.seconds)
    data = {
        "Revision": ",".join(sorted(outcome.heads)) or "unknown",
        "RevisionsApplied": str(totals.revisions),
        "Invocations": str(max(1, totals.invocations)),
        "Seconds": f"{totals.seconds:.3f}",
        "Schema": _schema(outcome),
    }
    return {"IsComplete": True, "Data": data}


def _schema(outcome: Outcome) -> str:
    if outcome.ahead:
        return f"ahead of the code by {', '.join(outcome.ahead)}"[:1000]
    return "not known" if outcome.decision is Decision.ROLLBACK else "at head"
