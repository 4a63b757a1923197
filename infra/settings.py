"""The settings of the deployment, with types and defaults. `context` reads them from the context of the CDK app."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

PROJECT = Path(__file__).parent.parent


class Stage(StrEnum):
    """The purpose of a deployment: `dev` may be lost, `prod` is protected from mistakes."""

    DEV = "dev"
    PROD = "prod"


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """The VPC. Each availability zone has one subnet of each of the three tiers."""

    availability_zones: int = 2
    nat_gateways: int = 1
    subnet_mask: int = 24


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """The instance, and the removal of its data.

    - `monitoring_seconds`: the interval of enhanced monitoring; 0 is off
    - `deletion_protection`: set by Custom::DeletionProtection after the migration
    - `keep_backups`: keep the automated backups after the deletion of the instance
    - `snapshot`: the DB snapshot that the instance is restored from; empty for a new database
    """

    name: str = "app"
    master: str = "postgres"
    storage_gib: int = 20
    backup_days: int = 21
    multi_az: bool = False
    monitoring_seconds: int = 0
    deletion_protection: bool = False
    keep_backups: bool = False
    snapshot: str = ""
    removal_policy: RemovalPolicy = RemovalPolicy.DESTROY
    secret_removal_policy: RemovalPolicy = RemovalPolicy.DESTROY


@dataclass(frozen=True, kw_only=True)
class ExistingDatabaseSettings:
    """The instance that the stack uses instead of creating one.

    - `identifier`: the DB instance identifier
    - `vpc_id`: the VPC of the instance, with private subnets that have a way out
    - `master_secret`: the ARN or the name of the secret with the password of the master user
    """

    identifier: str
    vpc_id: str
    master_secret: str


@dataclass(frozen=True, kw_only=True)
class RoleSettings:
    """The roles in the database: the NOLOGIN owner of the tables, and the roles that log in with IAM tokens.

    - `hand_over_from`, `hand_back_to`, `extensions`: see `DatabaseRoles`
    """

    owner: str = "app_owner"
    migrator: str = "migrator"
    querier: str = "querier"
    reader: str = "reader"
    hand_over_from: tuple[str, ...] = ()
    hand_back_to: str = ""
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one deployment. The defaults are those of the stage `dev`.

    - `local_wheels`: see `FunctionOptions`
    - `has_querier`: whether the stack has the querier, which needs the tables of the example project
    - `existing_database`: the database that the stack uses; default: the stack creates one
    - `include`, `requirements`, `lock_timeout_seconds`, `baseline`, `accept_differences`, `allow_ahead`, `rerun`: see
      `AlembicUpgrade`
    """

    region: str
    rds_ca: Path
    stage: Stage = Stage.DEV
    stack_name: str = "PrivateDatabase"
    termination_protection: bool = False
    has_querier: bool = True
    querier_schedule: str = "cron(0 4 * * ? *)"  # daily at 04:00 UTC
    alarm_subscribers: tuple[str, ...] = ()
    allow_downgrade: bool = True
    alembic_project: Path = PROJECT
    include: tuple[Path, ...] = ()
    requirements: Path | None = None
    lock_timeout_seconds: float = 3.0
    baseline: str = ""
    accept_differences: str = ""
    allow_ahead: str = ""
    rerun: str = ""
    architecture: lambda_.Architecture = lambda_.Architecture.ARM_64
    local_wheels: bool = False
    log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH
    log_removal_policy: RemovalPolicy = RemovalPolicy.DESTROY
    network: NetworkSettings = NetworkSettings()
    database: DatabaseSettings = DatabaseSettings()
    existing_database: ExistingDatabaseSettings | None = None
    roles: RoleSettings = RoleSettings()

    @property
    def users(self) -> tuple[str, ...]:
        """The login roles of the functions of the stack."""
        return (self.roles.querier,) if self.has_querier else ()


def production(settings: Settings, *, protected: bool) -> Settings:
    """Return the settings for the stage `prod`: data is retained, and one availability zone may fail.

    A retained resource is deleted if its creation is rolled back, because it is empty. Without protection, destroying
    the stack deletes the database and leaves a final snapshot.
    """
    return replace(
        settings,
        stage=Stage.PROD,
        stack_name="PrivateDatabaseProd",
        # An existing database is protected by its own stack, or not at all.
        termination_protection=protected and settings.existing_database is None,
        database=replace(
            settings.database,
            multi_az=True,
            monitoring_seconds=60,
            deletion_protection=protected,
            keep_backups=True,
            # SNAPSHOT would leave a snapshot after the rollback of a first deployment, and RDS refuses to take a
            # snapshot of an instance whose creation failed.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if protected else RemovalPolicy.SNAPSHOT,
            # A database that is restored from a snapshot has this password.
            secret_removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        ),
        log_retention=logs.RetentionDays.SIX_MONTHS,
        log_removal_policy=RemovalPolicy.RETAIN,
    )
