"""The permissions of a KMS key that encrypts log groups. CDK does not add them."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct


def allow_logs(key: kms.IKey, scope: Construct) -> None:
    """Allow CloudWatch Logs to use a key for the log groups of the stack's account and region.

    The policy of an imported key cannot be changed: its owner adds this statement.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    stack = Stack.of(scope)
    statement = iam.PolicyStatement(
        actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
        resources=["*"],
        conditions={
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": stack.format_arn(
                    service="logs", resource="*", arn_format=ArnFormat.NO_RESOURCE_NAME
                )
            }
        },
    )
    key.add_to_resource_policy(statement)
