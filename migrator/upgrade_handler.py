"""Entry point of the migrator, `Custom::AlembicUpgrade`, for CDK's Provider framework.

The framework calls `is_complete` again until the upgrade is complete. `is_complete` raises on failure. The framework
reports the error to CloudFormation, and takes any returned value for success.
"""

import os
import time
from dataclasses import replace
from pathlib import Path

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.decision import Decision
from migrator.errors import CancelledError
from migrator.events import Event, UpgradeRequest, request_type
from migrator.manifest import Manifest
from migrator.migration_log import Totals
from migrator.reporting import report_failure
from migrator.rollback import application_name, roll_back, stop_upgrades
from migrator.session import Connect
from migrator.settings import UpgradeSettings
from migrator.supervisor import OnStarted, supervise
from migrator.upgrade import upgrade
from migrator.upgrade_context import Outcome, UpgradeContext
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from rds_iam.settings import DatabaseSettings

# The time that is kept to report a failure after the deadline of the work.
_RESERVE_SECONDS = 15.0
# The part of the custom resource's time after which nothing is applied. CloudFormation must receive the failure before
# it stops waiting, and it started to wait before the function began.
_USABLE_SHARE = 0.95
# A rollback and a deletion must not wait for a database that does not answer.
ROLLBACK_SECONDS = 10.0
_ROLLBACK_NAME = "alembic-rollback"

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def is_complete(event: Event, context: LambdaContext) -> dict[str, object]:
    """Upgrade as far as the time of one invocation allows. A rollback and a Delete leave the schema as it is."""
    with report_failure("upgrade failed", logger, metric="UpgradeFailed"):
        if request_type(event) == "Delete":
            stop_upgrades(str(event.get("StackId", "")), _connect_until(_rollback_deadline(), _ROLLBACK_NAME))
            return {"IsComplete": True}
        request = UpgradeRequest.from_event(event)
        outcome = _roll_back(request) if request.is_rollback else _upgrade(request, context)
        _report(outcome)
        return _answer(outcome)


def _upgrade(request: UpgradeRequest, context: LambdaContext) -> Outcome:
    seconds = context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS
    deadline = Deadline.after(min(seconds, _seconds_of_custom_resource(request)))
    name = application_name(request.stack_id)
    connect_in_time = _connect_until(deadline, name)

    def connect_to(database: str) -> Connection:
        return _connect_until(deadline, name, database)()

    invocation = context.aws_request_id

    def work(on_started: OnStarted) -> Outcome:
        os.chdir(_project())  # as on a developer's machine: relative paths in revisions start here
        return upgrade(
            UpgradeContext(request, _project(), connect_in_time, deadline, invocation, on_started, connect_to)
        )

    return supervise(work, deadline)


def _seconds_of_custom_resource(request: UpgradeRequest) -> float:
    """Return the seconds that are left before CloudFormation stops waiting. Raises CancelledError after that."""
    usable = request.timeout_seconds * _USABLE_SHARE
    left = usable if request.started_at is None else request.started_at + usable - time.time()
    if left <= 0:
        raise CancelledError(
            f"the upgrade took longer than the {request.timeout_seconds} s that CloudFormation waits: the applied"
            " revisions stay applied; deploy again to apply the others"
        )
    return left


def _roll_back(request: UpgradeRequest) -> Outcome:
    return roll_back(request, Manifest.read(_project()), _connect_until(_rollback_deadline(), _ROLLBACK_NAME))


def _rollback_deadline() -> Deadline:
    return Deadline.after(ROLLBACK_SECONDS)


def _project() -> Path:
    """Return the folder of the user's files in the zip."""
    return Path(os.environ["LAMBDA_TASK_ROOT"], "project")


def _connect_until(deadline: Deadline, name: str, database: str | None = None) -> Connect:
    def open_connection() -> Connection:
        settings = DatabaseSettings.from_environment(os.environ)
        settings = replace(settings, database=database or settings.database)
        server_settings = UpgradeSettings.from_environment(os.environ).server_settings()
        return connect(settings, deadline, application_name=name, server_settings=server_settings)

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


def _answer(outcome: Outcome) -> dict[str, object]:
    """Return the answer to the framework. Its data are texts.

    The numbers are those of all invocations of the deployment, or of this invocation if there is no migration log.
    """
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
