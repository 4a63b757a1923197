"""`DatabaseRoles`: the custom resource `Custom::DatabaseRoles`, which creates the roles of a database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from rds_alembic.assets.migrator import roles_asset
from rds_alembic.constructs.baseline import baseline_database
from rds_alembic.constructs.checks.database import PostgresDatabase, check_database
from rds_alembic.constructs.checks.roles import check_roles, choose_master
from rds_alembic.constructs.checks.values import check_texts
from rds_alembic.constructs.postgres_function import PostgresFunction
from rds_alembic.constructs.provider import Provider
from rds_alembic.constructs.python_function import FunctionOptions
from rds_alembic.errors import RdsAlembicError


class DatabaseRoles(Construct):
    """The owner of the tables, and the roles that log in with IAM tokens.

    One function creates them as the master user. No other function may read the master secret.

    - `vpc`, `vpc_subnets`: the VPC and the subnets of the function, which needs a route to Secrets Manager; default:
      the private subnets with egress
    - `database`, `database_name`, `rds_ca`: see `PostgresFunction`
    - `master_user`, `master_secret`: the master user of the server, and the secret with its password; default: those of
      a server that the app creates with a generated password
    - `owner`: the role that owns the tables and does not log in; default: app_owner
    - `migrator`: the role that logs in and works as the owner; default: migrator
    - `users`: roles that log in and get the privileges that revisions grant
    - `reader`: the role of the function of `DatabaseOperations` that reads; the migrator may then end the sessions of
      other roles; default: no such role
    - `reader_reads_all`: the reader may read all tables, without a grant of a revision; default: False
    - `revoke_public`: revoke from PUBLIC the privileges on the database, and CREATE on the schema `public`, which other
      applications in the database may need; default: True
    - `hand_over_from`: the owners of an existing database, whose objects `owner` gets. They become members of `owner`,
      so that an application that logs in as one of them works on; for one deployment; default: no role
    - `hand_back_to`: the role that gets the objects of `owner`, to undo that; for one deployment; default: no role
    - `extensions`: the extensions to create, as the master user, in the schema `public`; default: no extension
    - `baseline`: the baseline of the upgrade, which is compared with the schema in a database that the function creates
      beside; for one deployment; default: ""
    - `rerun`: any text; a new text runs the role setup again in an otherwise unchanged deployment; default: ""
    - all others: see `FunctionOptions`
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        vpc_subnets: ec2.SubnetSelection | None = None,
        database: PostgresDatabase,
        database_name: str | None = None,
        rds_ca: Path | str | None = None,
        master_user: str | None = None,
        master_secret: secretsmanager.ISecret | None = None,
        owner: str = "app_owner",
        migrator: str = "migrator",
        users: Sequence[str],
        reader: str | None = None,
        reader_reads_all: bool = False,
        revoke_public: bool = True,
        hand_over_from: Sequence[str] = (),
        hand_back_to: str = "",
        extensions: Sequence[str] = (),
        baseline: str = "",
        rerun: str = "",
        **options: Unpack[FunctionOptions],
    ) -> None:
        super().__init__(scope, construct_id)
        check_database(database)
        master = choose_master(database, master_user, master_secret)
        check_roles(owner=owner, migrator=migrator, users=users, reader=reader, master_user=master.user)
        check_texts("hand_over_from", hand_over_from)
        check_texts("extensions", extensions)
        _check_hand_over(owner, hand_over_from, hand_back_to)
        handler = PostgresFunction(
            self,
            "Handler",
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            needs_route=True,
            database=database,
            database_name=database_name,
            db_user=master.user,
            rds_ca=rds_ca,
            asset=roles_asset(),
            handler="migrator.roles_handler.handler",
            description="Creates the database roles, as the master user",
            service="roles",
            variables={"MASTER_SECRET_ARN": master.secret.secret_arn},
            timeout=Duration.minutes(5),
            **options,
        )
        master.secret.grant_read(handler.function)
        handler.grant_stack_actions("cloudformation:DescribeStacks")  # to recognise a rollback
        handler.function.connections.allow_to_any_ipv4(
            ec2.Port.HTTPS, "Secrets Manager and CloudFormation, through the NAT gateway"
        )
        self.handler, self.reader = handler, reader
        self.properties = {
            "Owner": owner,
            "Migrator": migrator,
            "Users": list(users),
            "Reader": reader or "",
            "ReaderReadsAll": "true" if reader_reads_all else "false",
            "RevokePublic": "true" if revoke_public else "false",
            "Database": handler.database_identity,
        }
        self.resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::DatabaseRoles",
            service_token=Provider(self, "Provider", on_event=handler).service_token,
            service_timeout=Duration.minutes(15),
            properties={
                **self.properties,
                "HandOverFrom": list(hand_over_from),
                "HandBackTo": hand_back_to,
                "Extensions": list(extensions),
                "Baseline": baseline,
                "BaselineDatabase": baseline_database(handler.database_name) if baseline else "",
                "Rerun": rerun,
            },
        )
        handler.execute_before(self.resource)
        self._run_after_earlier_role_setups()

    def _run_after_earlier_role_setups(self) -> None:
        """Wait for other role setups of the server: two sessions cannot change one role at the same time."""
        server = self.handler.database.node.path
        for construct in Stack.of(self).node.find_all():
            if (
                isinstance(construct, DatabaseRoles)
                and construct is not self
                and construct.handler.database.node.path == server
            ):
                self.resource.node.add_dependency(construct.resource)

    def execute_before(self, resource: IConstruct) -> None:
        """Create a resource that needs the roles after the role setup."""
        resource.node.add_dependency(self.resource)


def _check_hand_over(owner: str, hand_over_from: Sequence[str], hand_back_to: str) -> None:
    if owner in (*hand_over_from, hand_back_to):
        raise RdsAlembicError(f"hand_over_from and hand_back_to must be other roles than the owner (got {owner!r})")
    if hand_over_from and hand_back_to:
        raise RdsAlembicError(f"hand_back_to must be empty while hand_over_from has roles (got {hand_back_to!r})")
