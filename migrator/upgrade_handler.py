"""Entry points of the migrator, `Custom::AlembicUpgrade`, for CDK's Provider framework.

`on_event` checks the properties and names the resource; `is_complete` upgrades, and is called again until all is done.
Both raise on failure: the framework answers CloudFormation, and takes whatever is returned for success.
"""

import os
from collections.abc import Callable
from pathlib import Path

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.events import Event, UpgradeRequest, request_type
from migrator.failure import fail_briefly
from migrator.history import Totals
from migrator.plan import Plan
from migrator.settings import UpgradeSettings
from migrator.upgrade import Outcome, Run, upgrade
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from rds_iam.settings import DatabaseSettings

PHYSICAL_ID = "alembic-upgrade"
# What is left to report a failure when the deadline of the work has passed.
_RESERVE_SECONDS = 15.0

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def on_event(event: Event, _context: LambdaContext) -> dict[str, str]:
    """Refuse malformed properties before anything happens, and name the resource."""
    with fail_briefly("upgrade refused", logger, metric="UpgradeFailed"):
        if request_type(event) == "Delete":
            return {"PhysicalResourceId": str(event["PhysicalResourceId"])}
        UpgradeRequest.from_event(event)
        return {"PhysicalResourceId": PHYSICAL_ID}


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def is_complete(event: Event, context: LambdaContext) -> dict[str, object]:
    """Upgrade as far as the time of one invocation goes; a Delete leaves the schema alone."""
    with fail_briefly("upgrade failed", logger, metric="UpgradeFailed"):
        if request_type(event) == "Delete":
            return {"IsComplete": True}
        outcome = upgrade(_run(event, context))
        _report(outcome)
        return _response(outcome)


def _run(event: Event, context: LambdaContext) -> Run:
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
    return Run(
        request=UpgradeRequest.from_event(event),
        project=Path(os.environ["LAMBDA_TASK_ROOT"]),
        connect=_connect_until(deadline),
        deadline=deadline,
        invocation=context.aws_request_id,
    )


def _connect_until(deadline: Deadline) -> Callable[[], Connection]:
    settings = DatabaseSettings.from_environment(os.environ)
    session = UpgradeSettings.from_environment(os.environ).session()
    return lambda: connect(settings, deadline, application_name=PHYSICAL_ID, server_settings=session)


def _report(outcome: Outcome) -> None:
    heads = sorted(outcome.heads)
    logger.info("upgrade run", extra={"plan": outcome.plan.value, "heads": heads, "applied": outcome.applied})
    ahead = outcome.plan is Plan.STAY_AHEAD
    metrics.add_metric(name="RevisionsApplied", unit=MetricUnit.Count, value=len(outcome.applied))
    metrics.add_metric(name="UpgradeSeconds", unit=MetricUnit.Seconds, value=outcome.seconds)
    metrics.add_metric(name="UpgradeRetries", unit=MetricUnit.Count, value=outcome.retries)
    metrics.add_metric(name="AheadOfCode", unit=MetricUnit.Count, value=int(ahead))
    metrics.flush_metrics()
    if ahead:
        logger.warning("the database is ahead of the code and stays there: this is a rollback", extra={"heads": heads})


def _response(outcome: Outcome) -> dict[str, object]:
    """Tell CloudFormation what the deployment did in all its invocations, or in this one where there is no history."""
    if not outcome.complete:
        return {"IsComplete": False}
    totals = outcome.totals or Totals(len(outcome.applied), 1, outcome.seconds)
    data = {
        "Revision": ",".join(sorted(outcome.heads)),
        "RevisionsApplied": totals.revisions,
        "Invocations": max(1, totals.invocations),
        "Seconds": round(totals.seconds, 3),
    }
    return {"IsComplete": True, "Data": data}
