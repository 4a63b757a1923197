"""`Custom::DatabaseLogs`: an end of retention for the log groups that RDS creates when it exports logs."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from constructs import Construct

from infra.settings import FunctionSettings
from rds_alembic.assets.function_asset import Bundle
from rds_alembic.constructs.function_environment import FunctionEnvironment
from rds_alembic.constructs.nag import acknowledge_wildcard
from rds_alembic.constructs.provider import Framework
from rds_alembic.constructs.python_function import Program, PythonFunction

SERVICE_TIMEOUT = Duration.minutes(5)


class DatabaseLogs(Construct):
    """The retention of the logs that an instance exports. The log groups stay when the stack is deleted."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        instance: rds.IDatabaseInstance,
        exports: Sequence[str],
        settings: FunctionSettings,
    ) -> None:
        """Take the names of the exported logs, as in `EnableCloudwatchLogsExports`."""
        super().__init__(scope, construct_id)
        names = [f"/aws/rds/instance/{instance.instance_identifier}/{log}" for log in exports]
        function = PythonFunction(self, "Function", program=_program(), settings=settings)
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Stack.of(self).stack_id])
        )
        resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::DatabaseLogs",
            service_token=Framework(self, "Framework", on_event=function, settings=settings.logs).service_token,
            service_timeout=SERVICE_TIMEOUT,
            properties={"LogGroupNames": names, "RetentionInDays": str(settings.logs.days)},
        )
        resource.node.add_dependency(self._policy(function, names))

    def _policy(self, function: PythonFunction, names: Sequence[str]) -> iam.Policy:
        """Allow the function what it does to these log groups; not in its role, which exists before the database."""
        stack = Stack.of(self)
        groups = [
            stack.format_arn(
                service="logs", resource="log-group", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
            )
            for name in names
        ]
        policy = iam.Policy(
            self,
            "Policy",
            statements=[
                iam.PolicyStatement(
                    actions=["logs:CreateLogGroup", "logs:PutRetentionPolicy"],
                    # A log group has two ARNs; which one a policy must name depends on the action.
                    resources=[arn for group in groups for arn in (group, f"{group}:*")],
                )
            ],
        )
        for group in groups:
            acknowledge_wildcard(
                policy, f"{group}:*", reason="the wildcard stands for the streams of this one log group"
            )
        if function.role is None:
            raise TypeError(f"{function.node.path} has no role")
        policy.attach_to_role(function.role)
        return policy


def _program() -> Program:
    return Program(
        description="Sets the retention of the logs that RDS exports",
        handler="migrator.logs_handler.handler",
        bundle=Bundle(name="protection", packages=("migrator", "rds_iam"), requirements="function.txt"),
        environment=FunctionEnvironment(powertools_service_name="database-logs"),
        timeout=Duration.minutes(2),  # the permission, as new as the database, may take a while to hold
    )
