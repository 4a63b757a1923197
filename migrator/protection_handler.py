"""Entry point of `Custom::TerminationProtection` and `Custom::DeletionProtection`.

The first is created before everything that can fail and acts only on its own deletion. The second is created after
everything else: an instance that is protected earlier could not be deleted when the deployment is rolled back.
"""

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from migrator import protection
from migrator.errors import EventError
from migrator.events import Event, request_type
from migrator.failure import fail_briefly
from migrator.tolerance import never_fail_a_rollback
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
    with fail_briefly("protection not set", logger, metric="ProtectionFailed"):
        kind = str(event.get("ResourceType"))
        if kind not in _PHYSICAL_IDS:
            raise EventError(f"ResourceType must be one of {', '.join(_PHYSICAL_IDS)} (got {kind!r})")
        if kind == TERMINATION:
            _handle_termination(event)
        else:
            _handle_deletion(event, Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS))
        return {"PhysicalResourceId": _PHYSICAL_IDS[kind]}


def _handle_termination(event: Event) -> None:
    """Leave the protection to CDK's CLI, which sets it at the start of each deployment, unless nothing can follow."""
    stack_id = str(event["StackId"])
    if request_type(event) == "Delete" and protection.is_rollback_of_creation(protection.stack_status(stack_id)):
        protection.lift_termination_protection(stack_id)


def _handle_deletion(event: Event, deadline: Deadline) -> None:
    identifier, protected = _properties(event)
    if request_type(event) == "Delete":
        status = protection.stack_status(str(event["StackId"]))
        if protection.is_rollback_of_creation(status):
            protection.lift_deletion_protection(identifier, deadline)
        elif status == "DELETE_IN_PROGRESS":
            protection.refuse_if_protected(identifier)
        return
    with never_fail_a_rollback(event, logger):
        protection.set_deletion_protection(identifier, protected=protected, deadline=deadline)


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
