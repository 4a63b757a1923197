"""The command `roles`: run the role setup again, with the properties of the deployment, without a deployment.

The changing function invokes the function of the role setup. Its event comes from the environment, so that a caller
cannot choose other roles.
"""

import json

from migrator.errors import MigratorError
from migrator.operations.arguments import Answer
from migrator.operations.changing import Changing


def roles(changing: Changing) -> Answer:
    """Set up the roles of the deployment. Raises MigratorError with the message of the role setup."""
    import boto3  # noqa: PLC0415 - no other command needs it

    # A Create is never a rollback. The status of the stack does not matter.
    event = {
        "RequestType": "Create",
        "StackId": changing.deployment["STACK_ID"],
        "RequestId": changing.invocation,
        "ResourceProperties": json.loads(changing.deployment["ROLES_PROPERTIES"]),
    }
    response = boto3.client("lambda").invoke(
        FunctionName=changing.deployment["ROLES_FUNCTION"], Payload=json.dumps(event).encode()
    )
    body = json.loads(response["Payload"].read() or b"null")
    if "FunctionError" in response:
        raise MigratorError(str(body.get("errorMessage", body)))
    # Afterwards: the role setup restores the login of the migrator, which writes the log.
    changing.record("roles", {})
    return {"roles": event["ResourceProperties"]}
