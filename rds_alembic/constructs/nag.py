"""Say why a finding of cdk-nag stands. What a construct can fix is fixed in the construct."""

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct

BASIC_EXECUTION = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]"
VPC_EXECUTION = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]"
ENHANCED_MONITORING = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole]"
ANY_RESOURCE = "IAM5[Resource::*]"


def acknowledge(construct: IConstruct, rule: str, *, reason: str) -> None:
    """Accept one finding on a construct and what is below it, for a reason that a stranger can judge."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))


def acknowledge_invoke(construct: IConstruct, function: lambda_.Function) -> None:
    """Accept that whoever may invoke a function may invoke all its versions, which is what `grant_invoke` gives."""
    child = function.node.default_child
    if not isinstance(child, lambda_.CfnFunction):
        raise TypeError(f"{function.node.path} has no function in it")
    finding = f"IAM5[Resource::<{Stack.of(function).get_logical_id(child)}.Arn>:*]"
    acknowledge(construct, finding, reason="the wildcard stands for the versions of this one function")


def acknowledge_wildcard(construct: IConstruct, arn: str, *, reason: str) -> None:
    """Accept a resource with a wildcard in a policy; the finding has `<…>` for what is known at deployment."""
    resolved = Stack.of(construct).resolve(arn)
    parts = [resolved] if isinstance(resolved, str) else resolved["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
    acknowledge(construct, f"IAM5[Resource::{text}]", reason=reason)
