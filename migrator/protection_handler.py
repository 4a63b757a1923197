"""Entry point of `Custom::TerminationProtection` and `Custom::DeletionProtection`.

The first is created before everything that can fail and acts only on its own deletion. The second is created after
everything else: an instance that is protected earlier could not be deleted when the deployment is rolled back.
"""

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from migrator import protection
from migrator.aws_calls import call_aws
from migrator.errors import EventError, ProtectionError
from migrator.events import Event, request_type
from migrator.failure import report_failure
from rds_iam.deadline import Deadline

TERMINATION = "Custom::TerminationProtection"
DELETION = "Custom::DeletionProtection"
_PHYSICAL_IDS = {TERMINATION: "termination-protection", DELETION: "deletion-protection"}
_RESERVE_SECONDS = 15.0

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Event, context: LambdaContext) -> dict[str, str]:
    """Set the protection that the type of the resource names, or lift it if the first deployment is rolled back."""
    with report_failure("protection not set", logger, metric="ProtectionFailed"):
        kind = str(event.get("ResourceType"))
        if kind not in _PHYSICAL_IDS:
            raise EventError(f"ResourceType must be one of {', '.join(_PHYSICAL_IDS)} (got {kind!r})")
        deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
        handle = _handle_termination if kind == TERMINATION else _handle_deletion
        handle(event, deadline)
        return {"PhysicalResourceId": _PHYSICAL_IDS[kind]}


def _handle_termination(event: Event, deadline: Deadline) -> None:
    """Leave the protection to CDK's CLI, which sets it in each deployment, unless the first one is rolled back."""
    stack_id = str(event["StackId"])
    if request_type(event) == "Delete" and protection.is_rollback_of_creation(protection.stack_status(stack_id)):
        call_aws(lambda: protection.lift_termination_protection(stack_id), event, deadline)


def _handle_deletion(event: Event, deadline: Deadline) -> None:
    identifier, protected = _properties(event)
    if request_type(event) == "Delete":
        _handle_end_of_protection(event, identifier, deadline)
    else:
        call_aws(lambda: protection.set_deletion_protection(identifier, protected=protected), event, deadline)


def _handle_end_of_protection(event: Event, identifier: str, deadline: Deadline) -> None:
    """Lift the protection in the rollback of a first deployment; refuse the deletion of the stack; else do nothing."""
    if not protection.is_protected(identifier):
        return
    status = protection.stack_status(str(event["StackId"]))
    if protection.is_rollback_of_creation(status):
        call_aws(lambda: protection.set_deletion_protection(identifier, protected=False), event, deadline)
        protection.wait_until_unprotected(identifier, deadline)
    elif status == "DELETE_IN_PROGRESS":
        raise ProtectionError(
            f"the database {identifier} is protected from deletion: the stack is not deleted. See the runbook,"
            " 'prod: lifting protection, and destroying'"
        )


def _properties(event: Event) -> tuple[str, bool]:
    """Return the identifier of the instance, and whether the instance is to be protected."""
    properties = event.get("ResourceProperties")
    values = properties if isinstance(properties, dict) else {}
    identifier, protected = values.get("DBInstanceIdentifier"), values.get("Protected")
    if not isinstance(identifier, str) or not identifier:
        raise EventError(f"DBInstanceIdentifier must be a text (got {identifier!r})")
    if protected not in ("true", "false"):
        raise EventError(f"Protected must be 'true' or 'false' (got {protected!r})")
    return identifier, protected == "true"
