"""`Custom::DatabaseRoles`: the login roles for IAM, and the owner and grants they need."""

from collections.abc import Sequence
from dataclasses import asdict

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import FunctionSettings
from rds_alembic.assets.function_asset import Bundle
from rds_alembic.constructs.function_environment import RolesEnvironment
from rds_alembic.constructs.postgres_function import Login, PostgresFunction
from rds_alembic.constructs.provider import Framework
from rds_alembic.constructs.python_function import Place, Program

SERVICE_TIMEOUT = Duration.minutes(15)


class DatabaseRoles(Construct):
    """The roles of one database, made by the only function that may read the master's secret."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        login: Login,
        master_secret: secretsmanager.ISecret,
        owner: str,
        migrator: str,
        users: Sequence[str],
        place: Place,
        settings: FunctionSettings,
        revoke_public: bool = True,
        rerun: str = "",
    ) -> None:
        """Take the master's login; `owner` has the tables, `migrator` works as it, `users` get what revisions grant.

        `revoke_public` takes the privileges on the database, and CREATE on schema `public`, from PUBLIC; other
        applications in the database may need them. A changed `rerun` repeats the setup in an unchanged deployment.
        """
        super().__init__(scope, construct_id)
        function = PostgresFunction(
            self, "Function", login=login, program=_program(login, master_secret), place=place, settings=settings
        )
        master_secret.grant_read(function)
        function.add_to_role_policy(_read_stack_status(self))
        function.connections.allow_to_any_ipv4(
            ec2.Port.HTTPS, "Secrets Manager and CloudFormation, through the NAT gateway"
        )
        self.resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::DatabaseRoles",
            service_token=Framework(self, "Framework", on_event=function, settings=settings.logs).service_token,
            service_timeout=SERVICE_TIMEOUT,
            properties={
                "Owner": owner,
                "Migrator": migrator,
                "Users": list(users),
                "RevokePublic": "true" if revoke_public else "false",
                "Database": login.identity(),
                "Rerun": rerun,
            },
        )
        function.usable_before(self.resource)


def _read_stack_status(scope: Construct) -> iam.PolicyStatement:
    """Allow to ask whether the stack is rolling back, which an event does not say."""
    return iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Stack.of(scope).stack_id])


def _program(login: Login, master_secret: secretsmanager.ISecret) -> Program:
    return Program(
        description="Makes the database roles, as the master user",
        handler="migrator.roles_handler.handler",
        bundle=Bundle(name="roles", packages=("migrator", "rds_iam"), requirements="function.txt", files=login.files()),
        environment=RolesEnvironment(**asdict(login.environment("roles")), master_secret_arn=master_secret.secret_arn),
        timeout=Duration.minutes(5),
    )
