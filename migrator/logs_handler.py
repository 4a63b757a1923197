"""Entry point of `Custom::DatabaseLogs`: how long CloudWatch keeps the logs that RDS exports.

RDS creates these log groups itself, without an end of retention, so that CloudFormation cannot create them.
"""

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from migrator.aws_calls import call_aws
from migrator.errors import EventError
from migrator.events import Event, request_type
from migrator.failure import report_failure
from rds_iam.deadline import Deadline

PHYSICAL_ID = "database-logs"
_RESERVE_SECONDS = 15.0

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Event, context: LambdaContext) -> dict[str, str]:
    """Create the log groups that do not exist yet and set their retention. A Delete keeps the logs."""
    with report_failure("log retention not set", logger, metric="LogRetentionFailed"):
        if request_type(event) != "Delete":
            groups, days = _properties(event)
            deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
            call_aws(lambda: _keep(groups, days), event, deadline)
        return {"PhysicalResourceId": PHYSICAL_ID}


def _keep(groups: list[str], days: int) -> None:
    logs = boto3.client("logs")
    for group in groups:
        try:
            logs.create_log_group(logGroupName=group)
        except logs.exceptions.ResourceAlreadyExistsException:
            logger.info("RDS has created the log group", extra={"log_group": group})
        logs.put_retention_policy(logGroupName=group, retentionInDays=days)


def _properties(event: Event) -> tuple[list[str], int]:
    """Return the names of the log groups, and the days that CloudWatch keeps what is in them."""
    properties = event.get("ResourceProperties")
    values = properties if isinstance(properties, dict) else {}
    groups, days = values.get("LogGroupNames"), values.get("RetentionInDays")
    if not isinstance(groups, list) or not all(isinstance(group, str) and group for group in groups):
        raise EventError(f"LogGroupNames must be a list of names (got {groups!r})")
    if not isinstance(days, str) or not days.isdecimal():
        raise EventError(f"RetentionInDays must be a number of days (got {days!r})")
    return groups, int(days)
