"""Entry point of `Custom::DatabaseLogs`: set the retention of the logs that RDS exports to CloudWatch.

RDS creates these log groups itself, with unlimited retention, so CloudFormation cannot create them.
"""

from collections.abc import Sequence

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from migrator.aws_calls import call_aws
from migrator.events import Event, request_type
from migrator.properties import Properties
from migrator.reporting import report_failure
from migrator.stack_status import is_rolling_back
from rds_iam.deadline import Deadline

PHYSICAL_ID = "database-logs"
_RESERVE_SECONDS = 15.0

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Event, context: LambdaContext) -> dict[str, str]:
    """Create the log groups that do not exist yet, and set their retention. A Delete keeps the logs."""
    with report_failure("log retention not set", logger, metric="LogRetentionFailed"):
        if request_type(event) != "Delete":
            properties = Properties(event)
            groups, days = properties.names("LogGroupNames"), properties.whole_number("RetentionInDays", unit="days")
            properties.check()
            deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
            call_aws(lambda: _set_retention(groups, days), deadline, rolling_back=is_rolling_back(event))
        return {"PhysicalResourceId": PHYSICAL_ID}


def _set_retention(groups: Sequence[str], days: int) -> None:
    logs = boto3.client("logs")
    for group in groups:
        try:
            logs.create_log_group(logGroupName=group)
        except logs.exceptions.ResourceAlreadyExistsException:
            logger.info("RDS has created the log group", extra={"log_group": group})
        logs.put_retention_policy(logGroupName=group, retentionInDays=days)
