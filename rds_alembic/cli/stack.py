"""The deployed stack: find its functions in its outputs, and invoke them with the caller's credentials."""

import json
from dataclasses import dataclass
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rds_alembic import outputs
from rds_alembic.cli.aws_errors import explain
from rds_alembic.cli.identity import sign_identity
from rds_alembic.errors import RdsAlembicError

type Answer = dict[str, Any]

# An invocation takes up to Lambda's maximum of 15 minutes. It is never repeated: a change must not run twice.
_CONFIG = Config(connect_timeout=10, read_timeout=920, retries={"total_max_attempts": 1})


class CommandError(RdsAlembicError):
    """The function could not be called, or has rejected the command."""


class StackNotFoundError(CommandError):
    """The stack does not exist in the region and the account of the caller."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack with `DatabaseOperations`.

    `operations` is the id of the construct. It is needed only if the stack has several.
    """

    session: boto3.Session
    name: str
    status: str
    id: str
    outputs: list[dict[str, str]]
    operations: str = ""

    @classmethod
    def find(cls, name: str, *, region: str | None, profile: str | None, operations: str = "") -> Self:
        """Describe the stack. Raises CommandError that names what is missing."""
        try:
            session = boto3.Session(profile_name=profile, region_name=region)
            client = session.client("cloudformation", config=_CONFIG)
        except BotoCoreError as exc:
            raise CommandError(explain(exc)) from exc
        try:
            [stack] = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as exc:
            if "does not exist" in exc.response["Error"]["Message"]:
                raise StackNotFoundError(
                    f"--stack must be a stack in {session.region_name} (got {name!r}): choose another --region or "
                    "--profile"
                ) from exc
            raise CommandError(explain(exc, "cloudformation:DescribeStacks")) from exc
        except BotoCoreError as exc:
            raise CommandError(explain(exc)) from exc
        return cls(session, name, stack["StackStatus"], stack["StackId"], stack.get("Outputs", []), operations)

    @property
    def has_operations(self) -> bool:
        """The presence of the outputs of `DatabaseOperations`, which the first deployment adds at its end."""
        return any(entry.get("Description") == outputs.READ_FUNCTION for entry in self.outputs)

    def output(self, description: str) -> str:
        """Return the value of an output. Raises CommandError if the stack has none of these, or several."""
        values = {
            entry["OutputKey"]: entry["OutputValue"]
            for entry in self.outputs
            if entry.get("Description") == description and entry["OutputKey"].startswith(self.operations)
        }
        match list(values.values()):
            case [value]:
                return value
            case []:
                raise CommandError(
                    f"--stack must have the construct DatabaseOperations (got {self.name!r}, {self.status}): add it to"
                    " the stack, and deploy"
                )
        raise CommandError(
            f"--operations must be the id of one construct DatabaseOperations (got {self.operations!r}): the stack has"
            f" the outputs {', '.join(values)}"
        )

    def client(self, service: str) -> Any:  # boto3 makes the classes of its clients at run time
        """Return an API client with the caller's credentials."""
        return self.session.client(service, config=_CONFIG)

    def read(self, command: str, **arguments: object) -> Answer:
        """Run a reading command. Raises CommandError."""
        return self._invoke(outputs.READ_FUNCTION, command, arguments)

    def change(self, command: str, **arguments: object) -> Answer:
        """Run a changing command, with a signature that proves the caller's identity. Raises CommandError."""
        return self._invoke(outputs.CHANGE_FUNCTION, command, arguments, signed=True)

    def _invoke(self, description: str, command: str, arguments: dict[str, object], *, signed: bool = False) -> Answer:
        function = self.output(description)
        event: Answer = {"command": command, "arguments": arguments}
        try:
            if signed:
                event["identity"] = sign_identity(self.session, function)
            payload = json.dumps(event).encode()
            response = self.client("lambda").invoke(FunctionName=function, Payload=payload)
            body = json.loads(response["Payload"].read() or b"null")
        except (ClientError, BotoCoreError) as exc:
            is_read = description == outputs.READ_FUNCTION
            policy = self.output(outputs.READ_POLICY if is_read else outputs.CHANGE_POLICY)
            raise CommandError(explain(exc, f"lambda:InvokeFunction on {function}", policy=policy)) from exc
        if "FunctionError" in response:
            raise CommandError(failure_of(body, function))
        answer: Answer = body
        return answer


def call_aws(call: Any, action: str, **arguments: object) -> Any:
    """Call an AWS API. Raises CommandError that explains a failure."""
    try:
        return call(**arguments)
    except (ClientError, BotoCoreError) as exc:
        raise CommandError(explain(exc, action)) from exc


def failure_of(body: Any, function: str) -> str:
    """Return the message of a function that has failed: its own, or Lambda's about its end."""
    message = str(body.get("errorMessage", "no message")) if isinstance(body, dict) else str(body)
    kind = str(body.get("errorType", "")) if isinstance(body, dict) else ""
    if "Task timed out" in message:
        return f"the function {function} did not answer in time ({message}): try again, or see rds-alembic activity"
    if kind.startswith("Runtime."):
        return f"the function {function} cannot run ({kind}: {message}): see rds-alembic logs"
    return message
