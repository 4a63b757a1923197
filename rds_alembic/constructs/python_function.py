"""`PythonFunction`: a Lambda function in Python 3.13, with a log group, from a zip that is built at synth."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypedDict

from aws_cdk import ArnFormat, AssetHashType, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from rds_alembic.assets import wheels
from rds_alembic.assets.function_asset import FunctionAsset, build_asset
from rds_alembic.constructs.checks.function_options import (
    check_architecture,
    check_encryption_key,
    check_environment,
    check_log_level,
    check_memory_size,
    check_metrics_namespace,
)
from rds_alembic.constructs.encryption import allow_logs
from rds_alembic.constructs.nag import ANY_RESOURCE, BASIC_EXECUTION, VPC_EXECUTION, acknowledge, acknowledge_invoke


class FunctionOptions(TypedDict, total=False):
    """The props that every construct of this package passes on to its functions.

    - `architecture`: the processor, which decides the wheels in the zip; default: ARM64
    - `memory_size`: the memory of each function in MiB, from 128 to 10240; default: 512 for the migrator, 256 for the
      others
    - `environment`: more environment variables, for example for env.py; names that Lambda or this package sets are
      rejected; default: none
    - `encryption_key`: the KMS key of the log groups and of the environment variables; default: keys of AWS
    - `log_level`: TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL; default: INFO
    - `log_retention`: the retention of the log groups; default: one month
    - `log_removal_policy`: the removal policy of the log groups; default: DESTROY
    - `metrics_namespace`: the namespace of the metrics in CloudWatch; default: PrivateDatabase
    - `local_wheels`: put wheels for this machine into the zips, for functions that run on a local AWS; default: False
    """

    architecture: lambda_.Architecture
    memory_size: int
    environment: Mapping[str, str]
    encryption_key: kms.IKey
    log_level: str
    log_retention: logs.RetentionDays
    log_removal_policy: RemovalPolicy
    metrics_namespace: str
    local_wheels: bool


class PythonFunction(Construct):
    """A function in Python 3.13, outside of any VPC or in one.

    In a VPC, the function cannot open connections until its `connections` allow them.

    - `asset`: the contents of the zip
    - `handler`: the handler, as `package.module.function`
    - `description`: the description of the function
    - `service`: the name of the function in logs, metrics and traces
    - `timeout`: the timeout of an invocation
    - `variables`: the environment variables that the construct sets itself; default: those of Powertools only
    - `vpc`, `vpc_subnets`: the VPC and the subnets of the function; default: outside of any VPC
    - all others: see `FunctionOptions`
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
        variables: Mapping[str, str] = MappingProxyType({}),
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        architecture: lambda_.Architecture = lambda_.Architecture.ARM_64,
        memory_size: int = 256,
        environment: Mapping[str, str] = MappingProxyType({}),
        encryption_key: kms.IKey | None = None,
        log_level: str = "INFO",
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        log_removal_policy: RemovalPolicy = RemovalPolicy.DESTROY,
        metrics_namespace: str = "PrivateDatabase",
        local_wheels: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        users_variables = check_environment(environment)
        check_architecture(architecture)
        check_encryption_key(encryption_key)
        check_log_level(log_level)
        check_memory_size(memory_size)
        check_metrics_namespace(metrics_namespace)
        self.asset, self.encryption_key = asset, encryption_key
        self.log_retention, self.log_removal_policy = log_retention, log_removal_policy
        self.platform = wheels.THIS_MACHINE if local_wheels else architecture.name
        zip_file = build_asset(asset, self.platform)
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
                **users_variables,
                "POWERTOOLS_SERVICE_NAME": service,
                "POWERTOOLS_METRICS_NAMESPACE": metrics_namespace,
                "POWERTOOLS_LOG_LEVEL": log_level,
                **variables,
            },
            environment_encryption=encryption_key,
            timeout=timeout,
            memory_size=memory_size,
            tracing=lambda_.Tracing.ACTIVE,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            allow_all_outbound=False if vpc else None,
        )
        if encryption_key:
            encryption_key.grant_decrypt(self.function)  # CDK does not allow it
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
        if self.encryption_key:
            allow_logs(self.encryption_key, self)
        return logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=f"/aws/lambda/{self.function.function_name}",
            encryption_key=self.encryption_key,
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
