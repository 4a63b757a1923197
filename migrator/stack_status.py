"""Tell the Update that CloudFormation sends as a rollback from the Update of a new deployment.

The event of a rollback looks like any other Update. Only the status of the stack tells them apart:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from migrator.events import Event

# A rollback must not wait long for this answer: 2 attempts, each up to 5 s to connect and 5 s to read.
_CONFIG = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2})

logger = Logger(child=True)


def is_rolling_back(event: Event) -> bool | None:
    """Return whether the stack that sent the event is rolling back; None if CloudFormation does not tell.

    Needs `cloudformation:DescribeStacks` on the stack.
    """
    if event.get("RequestType") != "Update":
        return False  # a rollback sends Updates and Deletes, and a Delete changes nothing here
    try:
        stacks = boto3.client("cloudformation", config=_CONFIG).describe_stacks(StackName=str(event["StackId"]))
        status: str = stacks["Stacks"][0]["StackStatus"]
    except (BotoCoreError, ClientError) as exc:
        logger.warning("the status of the stack cannot be read", extra={"error": str(exc)})
        return None
    return "ROLLBACK" in status
