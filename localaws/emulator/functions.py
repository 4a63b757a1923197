"""The removal of functions: it ends their execution environments. ministack's CloudFormation leaves the processes."""

from __future__ import annotations

from localaws.emulator import pool
from localaws.emulator.ministack import Properties, ResourceType, account_and_region

TYPE = "AWS::Lambda::Function"


def register() -> None:
    """End the execution environments of each function that CloudFormation removes from now on."""
    original = ResourceType.registered(TYPE)

    def delete(name: str, properties: Properties) -> None:
        original.delete(name, properties)
        pool.end_function(name, account_and_region())

    ResourceType(original.create, delete, original.update).register(TYPE)
