"""`DatabaseLogs`: the custom resource `Custom::DatabaseLogs`, which sets the retention of exported logs."""

from collections.abc import Sequence
from typing import Unpack

from aws_cdk import ArnFormat, CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from rds_alembic.assets.migrator import protection_asset
from rds_alembic.constructs.nag import acknowledge_wildcard
from rds_alembic.constructs.provider import Provider
from rds_alembic.constructs.python_function import FunctionOptions, PythonFunction


class DatabaseLogs(Construct):
    """The retention of the log groups that RDS creates for an instance. The log groups stay when the stack is deleted.

    - `database`: the instance
    - `exports`: the exported logs, as in `cloudwatch_logs_exports` of the instance
    - all others: see `FunctionOptions`; `log_retention` is also the one of
      the exported logs
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        database: rds.IDatabaseInstance,
        exports: Sequence[str],
        **options: Unpack[FunctionOptions],
    ) -> None:
        super().__init__(scope, construct_id)
        names = [f"/aws/rds/instance/{database.instance_identifier}/{log}" for log in exports]
        handler = PythonFunction(
            self,
            "Handler",
            asset=protection_asset(),
            handler="migrator.logs_handler.handler",
            description="Sets the retention of the logs that RDS exports",
            service="database-logs",
            timeout=Duration.minutes(2),  # a permission takes effect a while after the deployment of its policy
            **options,
        )
        handler.grant_stack_actions("cloudformation:DescribeStacks")  # to recognise a rollback
        resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::DatabaseLogs",
            service_token=Provider(self, "Provider", on_event=handler).service_token,
            service_timeout=Duration.minutes(5),
            properties={"LogGroupNames": names, "RetentionInDays": _retention_in_days(handler.log_group)},
        )
        resource.node.add_dependency(self._policy(handler.role, names))

    def _policy(self, role: iam.IRole, names: Sequence[str]) -> iam.Policy:
        """Allow the function to create the log groups and to set their retention.

        The default policy of its role cannot: it is created before the database, which is in the names.
        """
        groups = [
            Stack.of(self).format_arn(
                service="logs", resource="log-group", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
            )
            for name in names
        ]
        statement = iam.PolicyStatement(
            actions=["logs:CreateLogGroup", "logs:PutRetentionPolicy"],
            # A log group has two ARNs. The action decides which of them a policy must name.
            resources=[arn for group in groups for arn in (group, f"{group}:*")],
        )
        policy = iam.Policy(self, "Policy", statements=[statement], roles=[role])
        for group in groups:
            acknowledge_wildcard(policy, f"{group}:*", reason="The wildcard is for the streams of this one log group.")
        return policy


def _retention_in_days(log_group: logs.LogGroup) -> str:
    """Return the number of days, which CDK's enum `RetentionDays` does not contain in Python."""
    resource = log_group.node.default_child
    if not isinstance(resource, logs.CfnLogGroup) or resource.retention_in_days is None:
        raise TypeError(f"{log_group.node.path} must have a retention in days")
    return f"{resource.retention_in_days:g}"
