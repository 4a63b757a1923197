"""`DatabaseRoles`: the custom resource `Custom::DatabaseRoles`, which creates the roles of a database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from rds_alembic.assets.migrator import roles_asset
from rds_alembic.constructs.baseline import baseline_database
from rds_alembic.constructs.postgres_function import PostgresDatabase, PostgresFunction
from rds_alembic.constructs.provider import Provider
from rds_alembic.constructs.python_function import FunctionOptions
from rds_alembic.errors import RdsAlembicError


class DatabaseRoles(Construct):
    """The owner of the tables, and the roles that log in with IAM tokens.

    One function creates them as the master user. No other function may read the master secret.

    - `vpc`, `vpc_subnets`: the VPC and the subnets of the function, which needs a route to Secrets Manager
    - `database`, `database_name`, `rds_ca`: see `PostgresFunction`
    - `master_user`, `master_secret`: the master user of the server, and the secret with its password
    - `owner`: the role that owns the tables and does not log in
    - `migrator`: the role that logs in and works as the owner
    - `users`: roles that log in and get the privileges that revisions grant
    - `revoke_public`: revoke from PUBLIC the privileges on the database, and CREATE on the schema `public`, which other
      applications in the database may need; default: True
    - `hand_over_from`: the owners of an existing database, whose objects `owner` gets. They become members of `owner`,
      so that an application that logs in as one of them works on; for one deployment; default: no role
    - `hand_back_to`: the role that gets the objects of `owner`, to undo that; for one deployment; default: no role
    - `extensions`: the extensions to create, as the master user, in the schema `public`; default: no extension
    - `baseline`: the baseline of the upgrade, which is compared with the schema in a database that the function creates
      beside; for one deployment; default: ""
    - `rerun`: any text; a new text runs the role setup again in an otherwise unchanged deployment; default: ""
    - `architecture`, `log_retention`, `log_removal_policy`: see `FunctionOptions`
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        vpc_subnets: ec2.SubnetSelection,
        database: PostgresDatabase,
        database_name: str,
        rds_ca: Path | None = None,
        master_user: str,
        master_secret: secretsmanager.ISecret,
        owner: str,
        migrator: str,
        users: Sequence[str],
        revoke_public: bool = True,
        hand_over_from: Sequence[str] = (),
        hand_back_to: str = "",
        extensions: Sequence[str] = (),
        baseline: str = "",
        rerun: str = "",
        **options: Unpack[FunctionOptions],
    ) -> None:
        super().__init__(scope, construct_id)
        _check_hand_over(owner, hand_over_from, hand_back_to)
        handler = PostgresFunction(
            self,
            "Handler",
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            database=database,
            database_name=database_name,
            db_user=master_user,
            rds_ca=rds_ca,
            asset=roles_asset(),
            handler="migrator.roles_handler.handler",
            description="Creates the database roles, as the master user",
            service="roles",
            environment={"MASTER_SECRET_ARN": master_secret.secret_arn},
            timeout=Duration.minutes(5),
            **options,
        )
        master_secret.grant_read(handler.function)
        handler.grant_stack_actions("cloudformation:DescribeStacks")  # to recognise a rollback
        handler.function.connections.allow_to_any_ipv4(
            ec2.Port.HTTPS, "Secrets Manager and CloudFormation, through the NAT gateway"
        )
        self.resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::DatabaseRoles",
            service_token=Provider(self, "Provider", on_event=handler).service_token,
            service_timeout=Duration.minutes(15),
            properties={
                "Owner": owner,
                "Migrator": migrator,
                "Users": list(users),
                "HandOverFrom": list(hand_over_from),
                "HandBackTo": hand_back_to,
                "Extensions": list(extensions),
                "Baseline": baseline,
                "BaselineDatabase": baseline_database(database_name) if baseline else "",
                "RevokePublic": "true" if revoke_public else "false",
                "Database": handler.database_identity,
                "Rerun": rerun,
            },
        )
        handler.execute_before(self.resource)

    def execute_before(self, resource: IConstruct) -> None:
        """Create a resource that needs the roles after the role setup."""
        resource.node.add_dependency(self.resource)


def _check_hand_over(owner: str, hand_over_from: Sequence[str], hand_back_to: str) -> None:
    if owner in (*hand_over_from, hand_back_to):
        raise RdsAlembicError(f"hand_over_from and hand_back_to must be other roles than the owner (got {owner!r})")
    if hand_over_from and hand_back_to:
        raise RdsAlembicError(
            f"hand_back_to must be empty while hand_over_from has roles (got {hand_back_to!r})"
        )
