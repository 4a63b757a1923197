"""The settings of an existing database, which the stack uses instead of creating one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_NAME_BYTES = 63  # PostgreSQL truncates longer names
EXISTING_DATABASE = {
    "database": (r"[A-Za-z](-?[A-Za-z0-9]){0,62}", "a DB instance identifier"),
    "vpc": (r"vpc-[0-9a-f]+", "the id of its VPC"),
    "master-secret": (r"arn:aws[a-z-]*:secretsmanager:\S+|[\w/+=.@-]+", "the ARN or name of the master user's secret"),
}


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


def parse_name(context: Mapping[str, str], key: str, default: str, problems: list[str]) -> str:
    """Return the name of a database or a role. Adds a problem if PostgreSQL would truncate it."""
    name = context.get(key, default)
    if not 1 <= len(name.encode()) <= MAX_NAME_BYTES:
        problems.append(f"{key} must be a name of up to {MAX_NAME_BYTES} bytes (got {name!r})")
    return name


def parse_existing_database(context: Mapping[str, str], problems: list[str]) -> ExistingDatabaseSettings | None:
    """Return the settings, or None if the context has no value of them. Adds a problem that lists all bad values."""
    values = {key: context.get(key, "") for key in EXISTING_DATABASE}
    if not any(values.values()):
        return None
    bad = [
        f"{key} must be {rule} (got {values[key]!r})"
        for key, (pattern, rule) in EXISTING_DATABASE.items()
        if not re.fullmatch(pattern, values[key])
    ]
    if bad:
        problems.append(f"an existing database needs database, vpc and master-secret: {'; '.join(bad)}")
    return ExistingDatabaseSettings(
        identifier=values["database"], vpc_id=values["vpc"], master_secret=values["master-secret"]
    )
