"""Acknowledgements of cdk-nag findings."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, *, reason: str) -> None:
    """Acknowledge one finding on a construct and its children. The reason must be clear without knowing the project."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))
