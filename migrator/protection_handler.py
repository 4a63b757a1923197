"""Entry point of `Custom::TerminationProtection` and `Custom::DeletionProtection`.

The first is created before everything that can fail, and acts only when it is deleted. The second is created after
everything else: an instance that is protected earlier could not be deleted when the deployment is rolled back.
"""

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from migrator import protection
from migrator.aws_calls import call_aws
from migrator.errors import EventError, ProtectionError
from migrator.events import Event, request_type
from migrator.properties import Properties, shorten
from migrator.reporting import report_failure
from migrator.stack_status import is_rollback_of_creation, is_rolling_back, stack_status
from rds_iam.deadline import Deadline

_RESERVE_SECONDS = 15.0

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Event, context: LambdaContext) -> dict[str, str]:
    """Set the protection that the type of the resource names, or lift it if the first deployment is rolled back."""
    with report_failure("protection not set", logger, metric="ProtectionFailed"):
        deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
        match event.get("ResourceType"):
            case "Custom::TerminationProtection":
                _handle_termination(event, deadline)
                return {"PhysicalResourceId": "termination-protection"}
            case "Custom::DeletionProtection":
                _handle_deletion(event, deadline)
                return {"PhysicalResourceId": "deletion-protection"}
            case other:
                raise EventError(
                    "ResourceType must be Custom::TerminationProtection or Custom::DeletionProtection"
                    f" (got {shorten(other)})"
                )


def _handle_termination(event: Event, deadline: Deadline) -> None:
    """Lift the termination protection in the rollback of a first deployment. CDK's CLI sets it in each deployment."""
    stack_id = str(event["StackId"])
    if request_type(event) == "Delete" and is_rollback_of_creation(stack_status(stack_id)):
        call_aws(lambda: protection.lift_termination_protection(stack_id), deadline, rolling_back=False)


def _handle_deletion(event: Event, deadline: Deadline) -> None:
    properties = Properties(event)
    identifier, protected = properties.text("DBInstanceIdentifier"), properties.flag("Protected")
    properties.check()
    if request_type(event) == "Delete":
        _handle_end_of_protection(str(event["StackId"]), identifier, deadline)
    else:
        call_aws(
            lambda: protection.set_deletion_protection(identifier, protected=protected),
            deadline,
            rolling_back=is_rolling_back(event),
        )


def _handle_end_of_protection(stack_id: str, identifier: str, deadline: Deadline) -> None:
    """Lift the protection in the rollback of a first deployment. Reject the deletion of the stack."""
    if not protection.is_protected(identifier):
        return
    status = stack_status(stack_id)
    if is_rollback_of_creation(status):
        call_aws(lambda: protection.set_deletion_protection(identifier, protected=False), deadline, rolling_back=False)
        protection.wait_until_unprotected(identifier, deadline)
    elif status == "DELETE_IN_PROGRESS":
        raise ProtectionError(
            f"the database {identifier} is protected from deletion, so the stack is not deleted: see the runbook,"
            " 'prod: lifting protection, and destroying'"
        )
