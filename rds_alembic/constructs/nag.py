"""Acknowledgements of cdk-nag findings. A finding that a construct can fix is fixed in the construct."""

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct

BASIC_EXECUTION = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]"
VPC_EXECUTION = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]"
ANY_RESOURCE = "IAM5[Resource::*]"


def acknowledge(construct: IConstruct, rule: str, *, reason: str) -> None:
    """Acknowledge one finding on a construct and its children. The reason must be clear without knowing the project.

    aws-cdk-lib before 2.270 rejects ids with `::`, which the findings about IAM have. There, they stay findings.
    """
    try:
        Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))
    except RuntimeError as exc:  # of jsii
        if "InvalidValidationId" not in str(exc):
            raise


def acknowledge_invoke(construct: IConstruct, function: lambda_.Function) -> None:
    """Acknowledge that `grant_invoke` allows to invoke all versions of a function."""
    child = function.node.default_child
    if not isinstance(child, lambda_.CfnFunction):
        raise TypeError(f"{function.node.path} must have a CfnFunction as its default child (got {child!r})")
    finding = f"IAM5[Resource::<{Stack.of(function).get_logical_id(child)}.Arn>:*]"
    acknowledge(construct, finding, reason="The wildcard is for the versions of this one function.")


def acknowledge_wildcard(construct: IConstruct, arn: str, *, reason: str) -> None:
    """Acknowledge a resource with a wildcard in a policy. The finding has `<name>` for each token of CDK."""
    resolved = Stack.of(construct).resolve(arn)
    parts = [resolved] if isinstance(resolved, str) else resolved["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
    acknowledge(construct, f"IAM5[Resource::{text}]", reason=reason)
