"""Functions whose execution environments end with them. ministack's CloudFormation would leave the processes behind."""

from __future__ import annotations

from localaws.emulator.ministack import Properties, ResourceType, end_environments

TYPE = "AWS::Lambda::Function"


def register() -> None:
    """End the environments of every function that CloudFormation removes from now on."""
    theirs = ResourceType.registered(TYPE)

    def delete(name: str, properties: Properties) -> None:
        theirs.delete(name, properties)
        end_environments(name)

    ResourceType(theirs.create, delete, theirs.update).register(TYPE)
