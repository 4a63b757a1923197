"""The state of the deployed stack: its status, its database, and the log of its migrator."""

import json
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localaws.aws import LocalAws
from localaws.cdk import STACK, Cdk, CdkError
from tests.connections import connect_verified


@dataclass(frozen=True)
class Deployed:
    """The outputs of a deployment, and the time of its end on the monotonic clock."""

    outputs: dict[str, str]
    at: float


def status(aws: LocalAws, name: str = STACK) -> str:
    """Return the status of the stack, or an empty string if the stack does not exist."""
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    return next((stack["StackStatus"] for stack in stacks if stack["StackName"] == name), "")


def select(aws: LocalAws, sql: str, *, user: str = "migrator") -> list[tuple[Any, ...]]:
    with closing(aws.connect(user)) as database, database.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def as_master(aws: LocalAws, sql: str) -> None:
    """Run a statement as the master user, with the password of the secret."""
    [database] = aws.databases()
    secrets = aws.client("secretsmanager")
    [secret] = [entry["ARN"] for entry in secrets.list_secrets()["SecretList"] if entry["Name"].startswith(STACK)]
    login = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
    connection = connect_verified(
        database.host,
        database.port,
        database=database.name,
        user=login["username"],
        password=login["password"],
        ca_path=aws.ca_path,
    )
    with closing(connection), connection, connection.cursor() as cursor:
        cursor.execute(sql)


def schema(aws: LocalAws) -> list[tuple[Any, ...]]:
    """Return the columns of all tables outside of the system catalogs, and the revision."""
    columns = select(
        aws,
        "SELECT relname, attname, format_type(atttypid, atttypmod), pg_get_userbyid(relowner) FROM pg_attribute"
        " JOIN pg_class ON attrelid = pg_class.oid JOIN pg_namespace ON relnamespace = pg_namespace.oid"
        " WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND attnum > 0 ORDER BY 1, attnum",
    )
    return columns + select(aws, "SELECT version_num FROM alembic_version")


def refused(cdk: Cdk, assembly: Path) -> str:
    """Deploy an assembly that fails and is rolled back; return the reason that CloudFormation shows for the failure."""
    with pytest.raises(CdkError) as failure:
        cdk.deploy(assembly)
    ended = status(cdk.aws)
    assert ended == "UPDATE_ROLLBACK_COMPLETE", f"{ended}: {failure.value}"
    [reason] = failure.value.reasons.values()
    assert len(reason.encode()) < 1024, reason
    return reason


def logged_by_migrator(aws: LocalAws) -> list[dict[str, Any]]:
    """Return the JSON lines in the log of the migrator: messages and metrics."""
    names = [function["FunctionName"] for function in aws.client("lambda").list_functions()["Functions"]]
    [migrator] = [name for name in names if name.startswith(f"{STACK}-UpgradeMigrator")]
    entries = []
    for line in aws.logs(migrator):
        with suppress(json.JSONDecodeError):  # the lines of the runtime are not JSON
            entries.append(json.loads(line))
    return entries
