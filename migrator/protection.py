"""Set and lift the two protections: of the stack from termination, of the database from deletion.

Both would prevent the rollback of a first deployment, which deletes what the deployment has created.
"""

import time

import boto3
from aws_lambda_powertools import Logger

from migrator.aws_calls import POLL_SECONDS
from migrator.errors import ProtectionError
from rds_iam.deadline import Deadline

logger = Logger(child=True)


def lift_termination_protection(stack_id: str) -> None:
    """Allow the deletion of a stack. Needs `cloudformation:UpdateTerminationProtection` on the stack.

    CloudFormation allows the change in every status except DELETE_IN_PROGRESS and DELETE_COMPLETE:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html
    """
    boto3.client("cloudformation").update_termination_protection(StackName=stack_id, EnableTerminationProtection=False)
    logger.info("termination protection lifted", extra={"stack_id": stack_id})


def is_protected(identifier: str) -> bool:
    """Return whether a DB instance exists and is protected from deletion. Needs `rds:DescribeDBInstances`."""
    rds = boto3.client("rds")
    try:
        instances = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    except rds.exceptions.DBInstanceNotFoundFault:
        return False
    return bool(instances[0]["DeletionProtection"])


def set_deletion_protection(identifier: str, *, protected: bool) -> None:
    """Switch the deletion protection of a DB instance on or off. Needs `rds:ModifyDBInstance`."""
    boto3.client("rds").modify_db_instance(
        DBInstanceIdentifier=identifier, DeletionProtection=protected, ApplyImmediately=True
    )
    logger.info("deletion protection set", extra={"instance": identifier, "protected": protected})


def wait_until_unprotected(identifier: str, deadline: Deadline) -> None:
    """Wait until RDS reports that a DB instance may be deleted. Raises ProtectionError after the deadline."""
    while is_protected(identifier):
        if deadline.seconds_left < POLL_SECONDS:
            raise ProtectionError(f"RDS still reports deletion protection for {identifier}: delete the stack again")
        time.sleep(POLL_SECONDS)
