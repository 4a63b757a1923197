"""Read the status of the stack from CloudFormation.

Only the status distinguishes the Update of a rollback from the Update of a deployment. The events look the same:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from migrator.events import Event

# A rollback must not wait long for the answer: 2 attempts, each with up to 5 s to connect and 5 s to read.
_CONFIG = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2})

logger = Logger(child=True)


def stack_status(stack_id: str, config: Config | None = None) -> str:
    """Return the status of a stack. Needs `cloudformation:DescribeStacks` on the stack."""
    stacks = boto3.client("cloudformation", config=config).describe_stacks(StackName=stack_id)["Stacks"]
    return str(stacks[0]["StackStatus"])


def is_rolling_back(event: Event) -> bool | None:
    """Return whether the stack that sent the event is rolling back, or None if CloudFormation does not answer."""
    if event.get("RequestType") != "Update":
        return False  # a rollback sends Updates and Deletes, and a Delete changes nothing here
    try:
        status = stack_status(str(event["StackId"]), _CONFIG)
    except (BotoCoreError, ClientError) as exc:
        logger.warning("the status of the stack cannot be read", extra={"error": str(exc)})
        return None
    return "ROLLBACK" in status


def is_rollback_of_creation(status: str) -> bool:
    """Return whether a stack with this status is deleting the resources that its first deployment created."""
    return status == "ROLLBACK_IN_PROGRESS"
