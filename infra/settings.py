"""The settings of the deployment, with types, defaults and checks."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from infra.existing_settings import ExistingDatabaseSettings, parse_existing_database, parse_name
from rds_alembic import RdsAlembicError, parse_lock_timeout, root_certificates

PROJECT = Path(__file__).parent.parent
CONTEXT_KEYS = (
    *("stage", "architecture", "rds-ca", "querier-schedule", "alembic-project", "include", "requirements"),
    *("wheels", "querier", "lock-timeout", "baseline", "allow-ahead", "rerun", "protection", "alarm-subscribers"),
    *("database", "vpc", "master-secret", "master-user", "database-name", "downgrade"),
    *("hand-over-from", "hand-back-to", "accept-differences", "extensions"),
)
DEFAULT_REGION = "eu-central-1"
ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
SUBSCRIBER = re.compile(r"[^@\s/]+@[^@\s/]+\.[^@\s/]+|https://\S+")
SCHEDULE = re.compile(r"cron\(\S+( \S+){5}\)|rate\(([2-9]|[1-9]\d+) (minutes|hours|days)\)|rate\(1 (minute|hour|day)\)")


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
    """

    name: str = "app"
    master: str = "postgres"
    storage_gib: int = 20
    backup_days: int = 21
    multi_az: bool = False
    monitoring_seconds: int = 0
    deletion_protection: bool = False
    keep_backups: bool = False
    removal_policy: RemovalPolicy = RemovalPolicy.DESTROY
    secret_removal_policy: RemovalPolicy = RemovalPolicy.DESTROY


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
    architecture: lambda_.Architecture = ARCHITECTURES["arm64"]
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


def parse(context: Mapping[str, str], *, region: str = DEFAULT_REGION) -> Settings:
    """Return the settings for the texts of CDK's context. Raises one RdsAlembicError that lists every problem."""
    problems: list[str] = []
    stage = _choice(context, "stage", Stage, problems)
    protection = _choice(context, "protection", ("on", "off"), problems)
    downgrade = _choice(context, "downgrade", ("on", "off") if stage != Stage.PROD else ("off", "on"), problems)
    project = _alembic_project(context.get("alembic-project", "."), problems)
    is_example = project.resolve() == PROJECT
    settings = Settings(
        region=region,
        allow_downgrade=downgrade == "on",
        rds_ca=_rds_ca(context.get("rds-ca"), region, problems),
        architecture=ARCHITECTURES[_choice(context, "architecture", ARCHITECTURES, problems)],
        local_wheels=_choice(context, "wheels", ("lambda", "local"), problems) == "local",
        has_querier=_choice(context, "querier", ("on", "off") if is_example else ("off", "on"), problems) == "on",
        querier_schedule=_schedule(context.get("querier-schedule", Settings.querier_schedule), problems),
        alarm_subscribers=_subscribers(context.get("alarm-subscribers", ""), problems),
        alembic_project=project,
        include=tuple(PROJECT / path.strip() for path in context.get("include", "").split(",") if path.strip()),
        requirements=PROJECT / context["requirements"] if context.get("requirements") else None,
        lock_timeout_seconds=_lock_timeout(context.get("lock-timeout", "3"), problems),
        baseline=context.get("baseline", ""),
        accept_differences=context.get("accept-differences", ""),
        allow_ahead=context.get("allow-ahead", ""),
        rerun=context.get("rerun", ""),
        database=DatabaseSettings(
            name=parse_name(context, "database-name", DatabaseSettings.name, problems),
            master=parse_name(context, "master-user", DatabaseSettings.master, problems),
        ),
        existing_database=parse_existing_database(context, problems),
        roles=RoleSettings(
            hand_over_from=_list(context, "hand-over-from"),
            hand_back_to=context.get("hand-back-to", ""),
            extensions=_list(context, "extensions"),
        ),
    )
    if problems:
        raise RdsAlembicError("; ".join(problems))
    return production(settings, protected=protection == "on") if stage == Stage.PROD else settings


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


def _choice(context: Mapping[str, str], key: str, choices: Iterable[str], problems: list[str]) -> str:
    allowed = [str(choice) for choice in choices]
    value = context.get(key, allowed[0])
    if value in allowed:
        return value
    problems.append(f"{key} must be {' or '.join(allowed)} (got {value!r})")
    return allowed[0]


def _list(context: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in context.get(key, "").split(",") if name.strip())


def _schedule(expression: str, problems: list[str]) -> str:
    if not SCHEDULE.fullmatch(expression):
        problems.append(
            f"querier-schedule must be cron(six fields) or a rate, for example rate(5 minutes) (got {expression!r})"
        )
    return expression


def _subscribers(value: str, problems: list[str]) -> tuple[str, ...]:
    subscribers = tuple(text.strip() for text in value.split(",") if text.strip())
    if not all(SUBSCRIBER.fullmatch(subscriber) for subscriber in subscribers):
        problems.append(
            f"alarm-subscribers must be email addresses or https:// addresses, separated by commas (got {value!r})"
        )
    return subscribers


def _alembic_project(value: str, problems: list[str]) -> Path:
    project = PROJECT / value
    if not any((project / name).is_file() for name in ("alembic.ini", "pyproject.toml")):
        problems.append(f"alembic-project must be a folder with an alembic.ini or a pyproject.toml (got {value!r})")
    return project


def _lock_timeout(value: str, problems: list[str]) -> float:
    try:
        return parse_lock_timeout(value)
    except RdsAlembicError as exc:
        problems.append(str(exc))
        return 0.0


def _rds_ca(value: str | None, region: str, problems: list[str]) -> Path:
    if value is None:
        try:
            return root_certificates(region)
        except RdsAlembicError as exc:
            problems.append(str(exc))
            return PROJECT
    path = PROJECT / value
    if not path.is_file() or "-----BEGIN CERTIFICATE-----" not in path.read_text():
        problems.append(f"rds-ca must be the path of a file with PEM certificates (got {value!r})")
    return path
