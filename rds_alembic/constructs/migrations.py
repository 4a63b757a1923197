"""`Migrations`: the roles of a database and its schema, as a part of the deployment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from rds_alembic.constructs.alembic_upgrade import AlembicUpgrade
from rds_alembic.constructs.checks.database import PostgresDatabase
from rds_alembic.constructs.database_roles import DatabaseRoles
from rds_alembic.constructs.python_function import FunctionOptions


class Migrations(Construct):
    """`DatabaseRoles`, and then `AlembicUpgrade`, with the same database and the same network.

    Raises RdsAlembicError for props that a deployment would reject.

    - `project`, `include`, `requirements`, `lock_timeout_seconds`, `accept_differences`, `allow_ahead`: see
      `AlembicUpgrade`
    - `vpc`: the VPC of the functions, from which they reach the database
    - `vpc_subnets`: private subnets with a route to Secrets Manager; default: those with egress
    - `database`, `database_name`, `rds_ca`: see `PostgresFunction`
    - `users`: the roles of the application; default: no role
    - `owner`, `migrator`, `reader`, `reader_reads_all`, `master_user`, `master_secret`, `revoke_public`,
      `hand_over_from`, `hand_back_to`, `extensions`: see `DatabaseRoles`
    - `baseline`: see `AlembicUpgrade` and `DatabaseRoles`
    - `rerun`: any text; a new text runs role setup and upgrade again in an otherwise unchanged deployment; default: ""
    - all others: see `FunctionOptions`
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Path | str,
        vpc: ec2.IVpc,
        database: PostgresDatabase,
        users: Sequence[str] = (),
        vpc_subnets: ec2.SubnetSelection | None = None,
        database_name: str | None = None,
        rds_ca: Path | str | None = None,
        include: Sequence[Path | str] = (),
        requirements: Path | str | None = None,
        owner: str = "app_owner",
        migrator: str = "migrator",
        reader: str | None = None,
        reader_reads_all: bool = False,
        master_user: str | None = None,
        master_secret: secretsmanager.ISecret | None = None,
        revoke_public: bool = True,
        hand_over_from: Sequence[str] = (),
        hand_back_to: str = "",
        extensions: Sequence[str] = (),
        lock_timeout_seconds: float = 3.0,
        baseline: str = "",
        accept_differences: str = "",
        allow_ahead: str = "",
        rerun: str = "",
        **options: Unpack[FunctionOptions],
    ) -> None:
        super().__init__(scope, construct_id)
        self.roles = DatabaseRoles(
            self,
            "Roles",
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            database=database,
            database_name=database_name,
            rds_ca=rds_ca,
            master_user=master_user,
            master_secret=master_secret,
            owner=owner,
            migrator=migrator,
            users=users,
            reader=reader,
            reader_reads_all=reader_reads_all,
            revoke_public=revoke_public,
            hand_over_from=hand_over_from,
            hand_back_to=hand_back_to,
            extensions=extensions,
            baseline=baseline,
            rerun=rerun,
            **options,
        )
        self.upgrade = AlembicUpgrade(
            self,
            "Upgrade",
            project=project,
            include=include,
            requirements=requirements,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            database=database,
            database_name=database_name,
            db_user=migrator,
            rds_ca=rds_ca,
            lock_timeout_seconds=lock_timeout_seconds,
            baseline=baseline,
            accept_differences=accept_differences,
            allow_ahead=allow_ahead,
            rerun=rerun,
            **options,
        )
        self.roles.execute_before(self.upgrade.resource)

    def execute_before(self, resource: IConstruct) -> None:
        """Create a resource that needs the schema after the upgrade."""
        self.upgrade.execute_before(resource)
