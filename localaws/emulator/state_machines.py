"""The removal of state machines: it stops their executions, as on AWS.

Names repeat in the emulator. An execution that continues would call the functions of the next stack of the same name.
"""

from __future__ import annotations

from localaws.emulator import ministack_runtime
from localaws.emulator.ministack import Properties, ResourceType

TYPE = "AWS::StepFunctions::StateMachine"


def register() -> None:
    """Stop the executions of each state machine that CloudFormation removes from now on."""
    ministack_runtime.end_stopped_executions()
    original = ResourceType.registered(TYPE)

    def delete(arn: str, properties: Properties) -> None:
        ministack_runtime.stop_executions(arn)
        original.delete(arn, properties)

    ResourceType(original.create, delete, original.update).register(TYPE)
