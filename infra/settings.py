"""Every choice of the deployment in one place: typed, with a default, and checked together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

from rds_alembic.assets import rds_ca
from rds_alembic.errors import RdsAlembicError

PROJECT = Path(__file__).parent.parent
CONTEXT_KEYS = (
    *("stage", "architecture", "rds-ca", "querier-schedule", "alembic-project", "lock-timeout"),
    *("baseline", "allow-ahead", "rerun", "protection"),
)
LOCK_TIMEOUT_SECONDS = 3.0
LONGEST_LOCK_TIMEOUT_SECONDS = 300
DEFAULT_REGION = "eu-central-1"
SCHEDULE = re.compile(r"cron\(\S+( \S+){5}\)|rate\(([2-9]|[1-9]\d+) (minutes|hours|days)\)|rate\(1 (minute|hour|day)\)")


class Stage(StrEnum):
    """How much a mistake costs: `dev` is made to be thrown away, `prod` to outlive one."""

    DEV = "dev"
    PROD = "prod"


class Protection(StrEnum):
    """The protection of the stack and the database of `prod`; `off` comes before the stack is destroyed."""

    ON = "on"
    OFF = "off"


class Architecture(StrEnum):
    """The processor of the functions; it decides which wheels are in their zips."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """The VPC: in each availability zone one subnet of each of the three tiers."""

    availability_zones: int = 2
    nat_gateways: int = 1
    subnet_mask: int = 24


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """The instance, and what happens to it when the stack goes."""

    name: str = "app"
    master: str = "postgres"
    storage_gib: int = 20
    backup_days: int = 21
    multi_az: bool = False
    monitoring_seconds: int = 0  # enhanced monitoring; 0 is off
    deletion_protection: bool = False  # set after the migration, by Custom::DeletionProtection
    keep_backups: bool = False  # beyond the life of the instance
    removal_policy: RemovalPolicy = RemovalPolicy.DESTROY
    secret_removal_policy: RemovalPolicy = RemovalPolicy.DESTROY


@dataclass(frozen=True, kw_only=True)
class RoleSettings:
    """The roles in the database: a NOLOGIN owner of the tables, and who logs in with an IAM token."""

    owner: str = "app_owner"
    migrator: str = "migrator"
    querier: str = "querier"


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What every log group has."""

    retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH
    removal_policy: RemovalPolicy = RemovalPolicy.DESTROY

    @property
    def days(self) -> int:
        """The retention as a number, which CDK does not tell."""
        return {logs.RetentionDays.ONE_MONTH: 30, logs.RetentionDays.SIX_MONTHS: 180}[self.retention]


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """What all functions have in common."""

    architecture: Architecture = Architecture.ARM64
    logs: LogSettings = LogSettings()


@dataclass(frozen=True, kw_only=True)
class UpgradeSettings:
    """Explicit choices for one deployment; empty unless the user makes them.

    - `baseline`: the revision whose schema the database has already: it is recorded, and not run
    - `allow_ahead`: the revisions, separated by commas, at which the database may stay ahead of this code
    - `rerun`: any text; a new text runs role setup and upgrade although nothing else has changed
    """

    baseline: str = ""
    allow_ahead: str = ""
    rerun: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One deployment. The defaults are the `dev` stage."""

    region: str
    rds_ca: Path
    stage: Stage = Stage.DEV
    stack_name: str = "PrivateDatabase"
    termination_protection: bool = False
    querier_schedule: str = "cron(0 4 * * ? *)"  # daily at 04:00 UTC
    alembic_project: Path = PROJECT
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS
    network: NetworkSettings = NetworkSettings()
    database: DatabaseSettings = DatabaseSettings()
    roles: RoleSettings = RoleSettings()
    functions: FunctionSettings = FunctionSettings()
    upgrade: UpgradeSettings = UpgradeSettings()


def parse(context: Mapping[str, str], *, region: str = DEFAULT_REGION) -> Settings:
    """Turn the text of CDK's context into settings; raise one `RdsAlembicError` that lists everything wrong with it."""
    wrong: list[str] = []
    stage = _choice(Stage, context, key="stage", wrong=wrong)
    protection = _choice(Protection, context, key="protection", wrong=wrong)
    settings = Settings(
        region=region,
        rds_ca=_rds_ca(context.get("rds-ca"), region, wrong=wrong),
        functions=FunctionSettings(architecture=_choice(Architecture, context, key="architecture", wrong=wrong)),
        querier_schedule=_schedule(context.get("querier-schedule", Settings.querier_schedule), wrong=wrong),
        alembic_project=_alembic_project(context.get("alembic-project", "."), wrong=wrong),
        lock_timeout_seconds=_lock_timeout(context.get("lock-timeout"), wrong=wrong),
        upgrade=UpgradeSettings(
            baseline=context.get("baseline", ""),
            allow_ahead=context.get("allow-ahead", ""),
            rerun=context.get("rerun", ""),
        ),
    )
    if wrong:
        raise RdsAlembicError("; ".join(wrong))
    return settings if stage is Stage.DEV else production(settings, protected=protection is Protection.ON)


def production(settings: Settings, *, protected: bool = True) -> Settings:
    """Harden settings for the `prod` stage: nothing that holds data goes by accident, and one zone may fail.

    What is retained is deleted if its creation is rolled back: nothing is in it, and nobody would find it. Without
    protection, destroying the stack deletes the database and leaves a final snapshot.
    """
    return replace(
        settings,
        stage=Stage.PROD,
        stack_name="PrivateDatabaseProd",
        termination_protection=protected,
        database=replace(
            settings.database,
            multi_az=True,
            monitoring_seconds=60,
            deletion_protection=protected,
            keep_backups=True,
            # A final snapshot on the rollback of a first deployment would be left over, and RDS refuses to take one
            # of an instance whose creation failed.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if protected else RemovalPolicy.SNAPSHOT,
            # What is restored from a snapshot has this password.
            secret_removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        ),
        functions=replace(
            settings.functions,
            logs=LogSettings(retention=logs.RetentionDays.SIX_MONTHS, removal_policy=RemovalPolicy.RETAIN),
        ),
    )


def _choice[Choice: StrEnum](kind: type[Choice], context: Mapping[str, str], *, key: str, wrong: list[str]) -> Choice:
    default = next(iter(kind))
    value = context.get(key, default)
    if value in kind:
        return kind(value)
    wrong.append(f"{key} is {value!r}, allowed is {' or '.join(kind)}")
    return default


def _schedule(expression: str, *, wrong: list[str]) -> str:
    if not SCHEDULE.fullmatch(expression):
        wrong.append(f"querier-schedule is {expression!r}, allowed is cron(six fields) or, say, rate(5 minutes)")
    return expression


def _alembic_project(value: str, *, wrong: list[str]) -> Path:
    project = PROJECT / value
    if not (project / "alembic.ini").is_file():
        wrong.append(f"alembic-project is {value!r}, allowed is a folder that has an alembic.ini")
    return project


def _lock_timeout(value: str | None, *, wrong: list[str]) -> float:
    if value is None:
        return LOCK_TIMEOUT_SECONDS
    seconds = float(value) if re.fullmatch(r"\d{1,4}(\.\d{1,3})?", value) else 0.0
    if not 0 < seconds <= LONGEST_LOCK_TIMEOUT_SECONDS:
        wrong.append(f"lock-timeout is {value!r}, allowed are seconds up to {LONGEST_LOCK_TIMEOUT_SECONDS}")
    return seconds


def _rds_ca(value: str | None, region: str, *, wrong: list[str]) -> Path:
    if value is None:
        if region not in rds_ca.covered_regions():
            wrong.append(
                f"region is {region!r}, whose RDS roots are not in rds_alembic/assets/rds_ca: "
                f"give rds-ca the path of a PEM file, or choose one of {', '.join(rds_ca.covered_regions())}"
            )
        return rds_ca.roots_of(region)
    path = PROJECT / value
    if not path.is_file() or "-----BEGIN CERTIFICATE-----" not in path.read_text():
        wrong.append(f"rds-ca is {value!r}, allowed is the path of a file with PEM certificates")
    return path
