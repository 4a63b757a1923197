"""The two protections of a deployment: its stack against termination, its database against deletion.

A failed first deployment is rolled back by deleting what it created, and both protections would prevent that.
"""

import time
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from migrator.errors import ProtectionError
from rds_iam.deadline import Deadline

_POLL_SECONDS = 2.0

logger = Logger(child=True)


def stack_status(stack_id: str) -> str:
    """Return the status of a stack. Needs `cloudformation:DescribeStacks` on the stack."""
    stacks = boto3.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"]
    return str(stacks[0]["StackStatus"])


def is_rollback_of_creation(status: str) -> bool:
    """Return whether a stack with this status is deleting what its first deployment created."""
    return status == "ROLLBACK_IN_PROGRESS"


def lift_termination_protection(stack_id: str) -> None:
    """Allow the deletion of a stack. Needs `cloudformation:UpdateTerminationProtection` on the stack.

    CloudFormation allows the change in every status except DELETE_IN_PROGRESS and DELETE_COMPLETE:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html
    """
    boto3.client("cloudformation").update_termination_protection(StackName=stack_id, EnableTerminationProtection=False)
    logger.info("termination protection lifted", extra={"stack_id": stack_id})


def set_deletion_protection(identifier: str, *, protected: bool, deadline: Deadline) -> None:
    """Switch the deletion protection of a DB instance on or off; wait while the instance cannot be modified.

    Needs `rds:ModifyDBInstance` on the instance. Raises botocore's ClientError, also when the deadline has passed.
    """
    rds = boto3.client("rds")
    while True:
        try:
            rds.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=protected, ApplyImmediately=True)
        except rds.exceptions.InvalidDBInstanceStateFault:  # for example during a backup
            if deadline.seconds_left < _POLL_SECONDS:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            logger.info("deletion protection set", extra={"instance": identifier, "protected": protected})
            return


def lift_deletion_protection(identifier: str, deadline: Deadline) -> None:
    """Switch the deletion protection of a DB instance off and wait until RDS reports that it is off.

    An instance that does not exist needs no change. Needs `rds:ModifyDBInstance` and `rds:DescribeDBInstances`.
    """
    rds = boto3.client("rds")
    if not _is_protected(rds, identifier):
        return
    set_deletion_protection(identifier, protected=False, deadline=deadline)
    while _is_protected(rds, identifier):
        if deadline.seconds_left < _POLL_SECONDS:
            raise ProtectionError(f"RDS still reports deletion protection for {identifier}; try again later")
        time.sleep(_POLL_SECONDS)


def refuse_if_protected(identifier: str) -> None:
    """Raise ProtectionError if a DB instance is protected from deletion. Needs `rds:DescribeDBInstances`."""
    if _is_protected(boto3.client("rds"), identifier):
        raise ProtectionError(
            f"the database {identifier} is protected from deletion: the stack is not deleted. See the runbook,"
            " 'prod: lifting protection, and destroying'"
        )


# boto3 makes the classes of its clients at run time.
def _is_protected(rds: Any, identifier: str) -> bool:
    try:
        instances = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    except rds.exceptions.DBInstanceNotFoundFault:
        return False
    return bool(instances[0]["DeletionProtection"])
