"""`PythonFunction`: a Lambda function in Python 3.13, with a log group, from a zip that is built at synth."""

from collections.abc import Mapping
from typing import TypedDict

from aws_cdk import ArnFormat, AssetHashType, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from rds_alembic.assets.function_asset import FunctionAsset, build_asset
from rds_alembic.constructs.nag import ANY_RESOURCE, BASIC_EXECUTION, VPC_EXECUTION, acknowledge, acknowledge_invoke


class FunctionOptions(TypedDict, total=False):
    """The props that every construct of this package passes on to its functions.

    - `architecture`: the processor, which decides the wheels in the zip; default: ARM64
    - `log_retention`: the retention of the log groups; default: one month
    - `log_removal_policy`: the removal policy of the log groups; default: DESTROY
    """

    architecture: lambda_.Architecture
    log_retention: logs.RetentionDays
    log_removal_policy: RemovalPolicy


class PythonFunction(Construct):
    """A function in Python 3.13, outside of any VPC or in one.

    In a VPC, the function cannot open connections until its `connections` allow them.

    - `asset`: the contents of the zip
    - `handler`: the handler, as `package.module.function`
    - `description`: the description of the function
    - `service`: the name of the function in logs, metrics and traces
    - `timeout`: the timeout of an invocation
    - `environment`: more environment variables; default: those of Powertools only
    - `memory_size`: the memory in MiB; default: 256
    - `vpc`, `vpc_subnets`: the VPC and the subnets of the function; default: outside of any VPC
    - `architecture`, `log_retention`, `log_removal_policy`: see `FunctionOptions`
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        asset: FunctionAsset,
        handler: str,
        description: str,
        service: str,
        timeout: Duration,
        environment: Mapping[str, str] | None = None,
        memory_size: int = 256,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        architecture: lambda_.Architecture = lambda_.Architecture.ARM_64,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        log_removal_policy: RemovalPolicy = RemovalPolicy.DESTROY,
    ) -> None:
        super().__init__(scope, construct_id)
        self.asset, self.log_retention, self.log_removal_policy = asset, log_retention, log_removal_policy
        zip_file = build_asset(asset, architecture.name)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=architecture,
            handler=handler,
            # Every machine computes the same digest. CDK's hash of a zip contains the name of the file.
            code=lambda_.Code.from_asset(
                str(zip_file.path), asset_hash=zip_file.digest, asset_hash_type=AssetHashType.CUSTOM
            ),
            environment={
                "POWERTOOLS_SERVICE_NAME": service,
                "POWERTOOLS_METRICS_NAMESPACE": "PrivateDatabase",
                "POWERTOOLS_LOG_LEVEL": "INFO",
                **(environment or {}),
            },
            timeout=timeout,
            memory_size=memory_size,
            tracing=lambda_.Tracing.ACTIVE,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            allow_all_outbound=False if vpc else None,
        )
        self.log_group = self._create_log_group()
        self._acknowledge(in_vpc=vpc is not None)

    @property
    def role(self) -> iam.IRole:
        """The execution role of the function."""
        if self.function.role is None:
            raise TypeError(f"{self.function.node.path} must have a role (got None)")
        return self.function.role

    def grant_invoke(self, role: iam.Role) -> None:
        """Allow a role to invoke the function."""
        self.function.grant_invoke(role)
        acknowledge_invoke(role, self.function)

    def grant_stack_actions(self, *actions: str) -> None:
        """Allow the function actions of CloudFormation on the stack that it belongs to."""
        self.function.add_to_role_policy(
            iam.PolicyStatement(actions=list(actions), resources=[Stack.of(self).stack_id])
        )

    def _create_log_group(self) -> logs.LogGroup:
        """Create `/aws/lambda/<function name>`, which CDK's Provider framework names in its failure messages.

        Lambda must not create it. If Lambda were first, the deployment would fail with "already exists", and a log
        line after the deletion of the stack would create a group without retention.
        """
        self.function.node.try_remove_child("LogGroup")  # CDK's group has this name and no retention
        self.function.add_to_role_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=["logs:CreateLogGroup"],
                resources=[
                    Stack.of(self).format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name="/aws/lambda/*",
                        arn_format=ArnFormat.COLON_RESOURCE_NAME,
                    )
                ],
            )
        )
        return logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=f"/aws/lambda/{self.function.function_name}",
            retention=self.log_retention,
            removal_policy=self.log_removal_policy,
        )

    def _acknowledge(self, *, in_vpc: bool) -> None:
        acknowledge(self, "L1", reason="The wheels and the byte code in the zip are for Python 3.13.")
        acknowledge(self, BASIC_EXECUTION, reason="Every function needs this policy, which AWS maintains, for its log.")
        acknowledge(self, ANY_RESOURCE, reason="The actions of X-Ray that send traces support no resources.")
        if in_vpc:
            acknowledge(
                self, VPC_EXECUTION, reason="Lambda needs this policy, which AWS maintains, for network interfaces."
            )
