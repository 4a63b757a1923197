"""Read the settings of the deployment from the texts of CDK's context. One error lists every problem."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from infra.settings import (
    PROJECT,
    DatabaseSettings,
    ExistingDatabaseSettings,
    RoleSettings,
    Settings,
    Stage,
    production,
)
from rds_alembic import RdsAlembicError, parse_lock_timeout, root_certificates

CONTEXT_KEYS = (
    *("stage", "architecture", "rds-ca", "querier-schedule", "alembic-project", "include", "requirements"),
    *("wheels", "querier", "lock-timeout", "baseline", "allow-ahead", "rerun", "protection", "alarm-subscribers"),
    *("database", "vpc", "master-secret", "master-user", "database-name", "downgrade", "snapshot"),
    *("hand-over-from", "hand-back-to", "accept-differences", "extensions"),
)
DEFAULT_REGION = "eu-central-1"
MAX_NAME_BYTES = 63  # PostgreSQL truncates longer names
ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
SUBSCRIBER = re.compile(r"[^@\s/]+@[^@\s/]+\.[^@\s/]+|https://\S+")
SNAPSHOT = re.compile(r"arn:aws[a-z-]*:rds:\S+|(rds:)?[A-Za-z](-?[A-Za-z0-9])*")
SCHEDULE = re.compile(r"cron\(\S+( \S+){5}\)|rate\(([2-9]|[1-9]\d+) (minutes|hours|days)\)|rate\(1 (minute|hour|day)\)")
EXISTING_DATABASE = {
    "database": (re.compile(r"[A-Za-z](-?[A-Za-z0-9]){0,62}"), "a DB instance identifier"),
    "vpc": (re.compile(r"vpc-[0-9a-f]+"), "the id of its VPC"),
    "master-secret": (
        re.compile(r"arn:aws[a-z-]*:secretsmanager:\S+|[\w/+=.@-]+"),
        "the ARN or name of the master user's secret",
    ),
}


def parse(context: Mapping[str, str], *, region: str = DEFAULT_REGION) -> Settings:
    """Return the settings for the texts of CDK's context. Raises one RdsAlembicError that lists every problem."""
    texts = _Texts(context)
    stage = texts.choice("stage", Stage)
    is_prod = stage == Stage.PROD
    protection = texts.choice("protection", ("on", "off"))
    project = texts.alembic_project()
    is_example = project.resolve() == PROJECT
    settings = Settings(
        region=region,
        rds_ca=texts.rds_ca(region),
        allow_downgrade=texts.choice("downgrade", ("off", "on") if is_prod else ("on", "off")) == "on",
        architecture=ARCHITECTURES[texts.choice("architecture", ARCHITECTURES)],
        local_wheels=texts.choice("wheels", ("lambda", "local")) == "local",
        has_querier=texts.choice("querier", ("on", "off") if is_example else ("off", "on")) == "on",
        querier_schedule=texts.schedule(),
        alarm_subscribers=texts.subscribers(),
        alembic_project=project,
        include=tuple(PROJECT / path for path in texts.items("include")),
        requirements=PROJECT / texts["requirements"] if texts["requirements"] else None,
        lock_timeout_seconds=texts.checked(lambda: parse_lock_timeout(context.get("lock-timeout", "3")), default=0.0),
        baseline=texts["baseline"],
        accept_differences=texts["accept-differences"],
        allow_ahead=texts["allow-ahead"],
        rerun=texts["rerun"],
        database=DatabaseSettings(
            name=texts.name("database-name", default=DatabaseSettings.name),
            master=texts.name("master-user", default=DatabaseSettings.master),
            snapshot=texts.snapshot(),
        ),
        existing_database=texts.existing_database(),
        roles=RoleSettings(
            hand_over_from=texts.items("hand-over-from"),
            hand_back_to=texts["hand-back-to"],
            extensions=texts.items("extensions"),
        ),
    )
    texts.raise_problems()
    return production(settings, protected=protection == "on") if is_prod else settings


class _Texts:
    """The texts of the context, and the problems found in them."""

    def __init__(self, context: Mapping[str, str]) -> None:
        self._context = context
        self._problems: list[str] = []

    def __getitem__(self, key: str) -> str:
        return self._context.get(key, "")

    def raise_problems(self) -> None:
        if self._problems:
            raise RdsAlembicError("; ".join(self._problems))

    def reject(self, key: str, rule: str) -> None:
        self._problems.append(f"{key} must be {rule} (got {self[key]!r})")

    def checked[T](self, check: Callable[[], T], *, default: T) -> T:
        """Return the result of a check of the package. An error is one more problem."""
        try:
            return check()
        except RdsAlembicError as exc:
            self._problems.append(str(exc))
            return default

    def choice(self, key: str, choices: Iterable[str]) -> str:
        """Return one of the choices. The first is the default."""
        allowed = [str(choice) for choice in choices]
        value = self._context.get(key, allowed[0])
        if value not in allowed:
            self.reject(key, " or ".join(allowed))
            return allowed[0]
        return value

    def items(self, key: str) -> tuple[str, ...]:
        return tuple(item.strip() for item in self[key].split(",") if item.strip())

    def name(self, key: str, *, default: str) -> str:
        """Return the name of a database or a role."""
        name = self._context.get(key, default)
        if not 1 <= len(name.encode()) <= MAX_NAME_BYTES:
            self.reject(key, f"a name of up to {MAX_NAME_BYTES} bytes")
        return name

    def snapshot(self) -> str:
        """Return the DB snapshot of the stack's own instance."""
        snapshot = self["snapshot"]
        if snapshot and not SNAPSHOT.fullmatch(snapshot):
            self.reject("snapshot", "the identifier or the ARN of a DB snapshot")
        if snapshot and self["database"]:
            self.reject("snapshot", "omitted with an existing database")
        return snapshot

    def schedule(self) -> str:
        expression = self._context.get("querier-schedule", Settings.querier_schedule)
        if not SCHEDULE.fullmatch(expression):
            self.reject("querier-schedule", "cron(six fields) or a rate, for example rate(5 minutes)")
        return expression

    def subscribers(self) -> tuple[str, ...]:
        subscribers = self.items("alarm-subscribers")
        if not all(SUBSCRIBER.fullmatch(subscriber) for subscriber in subscribers):
            self.reject("alarm-subscribers", "email addresses or https:// addresses, separated by commas")
        return subscribers

    def alembic_project(self) -> Path:
        project = PROJECT / self._context.get("alembic-project", ".")
        if not any((project / name).is_file() for name in ("alembic.ini", "pyproject.toml")):
            self.reject("alembic-project", "a folder with an alembic.ini or a pyproject.toml")
        return project

    def rds_ca(self, region: str) -> Path:
        if "rds-ca" not in self._context:
            return self.checked(lambda: root_certificates(region), default=PROJECT)
        path = PROJECT / self["rds-ca"]
        if not path.is_file() or "-----BEGIN CERTIFICATE-----" not in path.read_text():
            self.reject("rds-ca", "the path of a file with PEM certificates")
        return path

    def existing_database(self) -> ExistingDatabaseSettings | None:
        """Return the settings, or None if the context has no value of them."""
        if not any(self[key] for key in EXISTING_DATABASE):
            return None
        rejected = [
            f"{key} must be {rule} (got {self[key]!r})"
            for key, (pattern, rule) in EXISTING_DATABASE.items()
            if not pattern.fullmatch(self[key])
        ]
        if rejected:
            self._problems.append(f"an existing database needs database, vpc and master-secret: {'; '.join(rejected)}")
        return ExistingDatabaseSettings(
            identifier=self["database"], vpc_id=self["vpc"], master_secret=self["master-secret"]
        )
