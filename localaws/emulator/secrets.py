"""Secrets whose `Ref` is the ARN, as on AWS.

In ministack, `Ref` is the name, and an IAM policy with that name as its resource allows nothing.
"""

from __future__ import annotations

from localaws.emulator.ministack import Attributes, Properties, ResourceType, secret_name

TYPE = "AWS::SecretsManager::Secret"


def register() -> None:
    """Use ARNs as the physical ids of the secrets that CloudFormation creates from now on."""
    by_name = ResourceType.registered(TYPE)
    update_by_name = by_name.update
    if update_by_name is None:
        raise RuntimeError(f"ministack must have an update handler for {TYPE}")

    def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, Attributes]:
        _, attributes = by_name.create(logical_id, properties, stack)
        return attributes["Id"], attributes

    def update(arn: str, old: Properties, new: Properties, stack: str, logical_id: str) -> tuple[str, Attributes]:
        _, attributes = update_by_name(secret_name(arn), old, new, stack, logical_id)
        return attributes["Id"], attributes

    def delete(arn: str, properties: Properties) -> None:
        by_name.delete(secret_name(arn), properties)

    ResourceType(create, delete, update).register(TYPE)
