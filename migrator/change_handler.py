"""Entry point of the function that changes the database for operators: an allow-list of commands.

An event has the name `command`, `arguments` by name, and `identity`, the headers with which the caller has signed a
request to STS. The permission to invoke the function is the authorisation, and the ARN of the caller is recorded.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from migrator.errors import EventError
from migrator.events import Event
from migrator.operations import change, plan, rerun, sessions
from migrator.operations.arguments import Answer, Command, Flag, Number, Numbers, Parameter, Text, Texts, run_command
from migrator.operations.caller import verify_caller
from migrator.operations.changing import Changing
from migrator.reporting import report_failure
from migrator.settings import UpgradeSettings
from rds_iam.deadline import Deadline
from rds_iam.settings import DatabaseSettings

_STEPS = Texts(most=1000)
# The operation is the same in all invocations of one command, and began at this Unix time in seconds.
_OPERATION: Mapping[str, Parameter] = {"operation": Text(longest=64), "started_at": Number(0, 2**40)}
_SESSIONS: Mapping[str, Parameter] = {"pids": Numbers(), "others": Flag()}
COMMANDS: Mapping[str, Command[Changing]] = {
    "plan": Command(plan.plan, {"action": Text(), "revision": Text()}),
    "upgrade": Command(change.upgrade, {"steps": _STEPS, **_OPERATION}),
    "downgrade": Command(change.downgrade, {"steps": _STEPS, **_OPERATION}),
    "stamp": Command(change.stamp, {"target": Text(default=""), "expected": Texts(), **_OPERATION}),
    "cancel": Command(sessions.cancel, _SESSIONS),
    "terminate": Command(sessions.terminate, _SESSIONS),
    "roles": Command(rerun.roles),
}
# The time that is kept to send the answer or the error.
_RESERVE_SECONDS = 15.0

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Event, context: LambdaContext) -> Answer:
    """Run a changing command. Raises MigratorError of one line."""
    with report_failure("command failed", logger, metric="ChangeCommandFailed"):
        identity = event.get("identity")
        if not isinstance(identity, Mapping) or not all(isinstance(value, str) for value in identity.values()):
            raise EventError("identity must be the signed headers of a request to STS")
        caller = verify_caller(identity, context.function_name)
        logger.info("command", extra={"command": str(event.get("command"))[:100], "caller": caller})
        changing = Changing(
            DatabaseSettings.from_environment(os.environ),
            UpgradeSettings.from_environment(os.environ),
            Path(os.environ["LAMBDA_TASK_ROOT"], "project"),
            Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS),
            caller,
            context.aws_request_id,
            os.environ,
        )
        return run_command(COMMANDS, changing, event)
