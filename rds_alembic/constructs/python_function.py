"""A Lambda function as this project wants it: Python 3.13, its own log group, traced, from a zip built here."""

from dataclasses import dataclass

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import Architecture, FunctionSettings, LogSettings
from rds_alembic.assets import function_asset
from rds_alembic.assets.function_asset import Bundle
from rds_alembic.constructs.function_environment import FunctionEnvironment
from rds_alembic.constructs.nag import ANY_RESOURCE, BASIC_EXECUTION, VPC_EXECUTION, acknowledge

ARCHITECTURES = {Architecture.ARM64: lambda_.Architecture.ARM_64, Architecture.X86_64: lambda_.Architecture.X86_64}


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a function runs, and what it may take."""

    description: str
    handler: str
    bundle: Bundle
    environment: FunctionEnvironment
    timeout: Duration
    memory_mib: int = 256


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a network a function stands."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection


class PythonFunction(lambda_.Function):
    """A function outside of any VPC, or given a place in one, where it reaches nothing until it is allowed to."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        program: Program,
        settings: FunctionSettings,
        place: Place | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=program.description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=ARCHITECTURES[settings.architecture],
            handler=program.handler,
            code=function_asset.build(program.bundle, settings.architecture).code(),
            environment=program.environment.variables(),
            timeout=program.timeout,
            memory_size=program.memory_mib,
            tracing=lambda_.Tracing.ACTIVE,
            vpc=place.vpc if place else None,
            vpc_subnets=place.subnets if place else None,
            allow_all_outbound=False if place else None,
        )
        self.own_log_group = self._create_log_group(settings.logs)
        self._acknowledge(in_vpc=place is not None)

    def _create_log_group(self, settings: LogSettings) -> logs.LogGroup:
        """Create `/aws/lambda/<function name>`, which CDK's Provider framework names in its failure messages.

        Lambda itself must not create it: before CloudFormation does, the deployment would fail with "already exists",
        and a log line that arrives after the deletion would leave a group without retention.
        """
        self.node.try_remove_child("LogGroup")  # CDK's own under this name; it takes no retention
        self.add_to_role_policy(
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
            log_group_name=f"/aws/lambda/{self.function_name}",
            retention=settings.retention,
            removal_policy=settings.removal_policy,
        )

    def _acknowledge(self, *, in_vpc: bool) -> None:
        acknowledge(
            self, "L1", reason="wheels and byte code in the zip are for Python 3.13, which the project is locked to"
        )
        acknowledge(self, BASIC_EXECUTION, reason="what every function needs to write its log; AWS maintains it")
        acknowledge(self, ANY_RESOURCE, reason="X-Ray's actions, to send traces, know no resources")
        if in_vpc:
            acknowledge(
                self, VPC_EXECUTION, reason="what Lambda needs for its network interface in the VPC; AWS maintains it"
            )
