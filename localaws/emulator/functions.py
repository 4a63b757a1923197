"""Functions whose execution environments end with them. ministack's CloudFormation would leave the processes behind."""

from __future__ import annotations

from localaws.emulator.ministack import Properties, ResourceType, account_and_region
from localaws.lambda_runtime import environments

TYPE = "AWS::Lambda::Function"


def register() -> None:
    """End the environments of every function that CloudFormation removes from now on."""
    original = ResourceType.registered(TYPE)

    def delete(name: str, properties: Properties) -> None:
        original.delete(name, properties)
        environments.end_of_function(name, account_and_region())

    ResourceType(original.create, delete, original.update).register(TYPE)
