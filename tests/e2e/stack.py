"""Looking at the deployed stack: its status, what its database holds, what its migrator has logged."""

import json
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from localaws.aws import LocalAws
from localaws.cdk import STACK, Cdk, CdkError


@dataclass(frozen=True)
class Deployed:
    """A deployment's outputs, and when it was done, on the monotonic clock."""

    outputs: dict[str, str]
    at: float


def status(aws: LocalAws, name: str = STACK) -> str:
    """Return the stack's status; nothing when it is gone."""
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    return next((stack["StackStatus"] for stack in stacks if stack["StackName"] == name), "")


def select(aws: LocalAws, sql: str, *, user: str = "migrator") -> list[tuple[Any, ...]]:
    with closing(aws.connect(user)) as database, database.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def as_master(aws: LocalAws, sql: str) -> None:
    """Run a statement as the master user, who alone logs in with a password."""
    [database] = aws.databases()
    secrets = aws.client("secretsmanager")
    [secret] = [entry["ARN"] for entry in secrets.list_secrets()["SecretList"] if entry["Name"].startswith(STACK)]
    login = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
    connection = psycopg2.connect(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=login["username"],
        password=login["password"],
        sslmode="verify-full",
        sslrootcert=str(aws.ca_path),
    )
    with closing(connection), connection, connection.cursor() as cursor:
        cursor.execute(sql)


def schema(aws: LocalAws) -> list[tuple[Any, ...]]:
    """Return every column of every table of ours, and the revision."""
    columns = select(
        aws,
        "SELECT relname, attname, format_type(atttypid, atttypmod), pg_get_userbyid(relowner) FROM pg_attribute"
        " JOIN pg_class ON attrelid = pg_class.oid JOIN pg_namespace ON relnamespace = pg_namespace.oid"
        " WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND attnum > 0 ORDER BY 1, attnum",
    )
    return columns + select(aws, "SELECT version_num FROM alembic_version")


def refused(cdk: Cdk, assembly: Path) -> str:
    """Deploy what must fail and be rolled back; return the reason that CloudFormation shows for the one failure."""
    with pytest.raises(CdkError) as failure:
        cdk.deploy(assembly)
    ended = status(cdk.aws)
    assert ended == "UPDATE_ROLLBACK_COMPLETE", f"{ended}: {failure.value}"
    [reason] = failure.value.reasons.values()
    assert len(reason.encode()) < 1024, reason
    return reason


def logged_by_migrator(aws: LocalAws) -> list[dict[str, Any]]:
    """Return what the migrator has logged as JSON: messages and metrics."""
    names = [function["FunctionName"] for function in aws.client("lambda").list_functions()["Functions"]]
    [migrator] = [name for name in names if name.startswith(f"{STACK}-UpgradeMigrator")]
    entries = []
    for line in aws.logs(migrator):
        with suppress(json.JSONDecodeError):  # the runtime's own lines
            entries.append(json.loads(line))
    return entries
