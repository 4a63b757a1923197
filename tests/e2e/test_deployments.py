"""The life of a stack, by the real CDK CLI: the tests are a story and run in this order."""

import io
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localaws.aws import FunctionError, LocalAws
from localaws.cdk import STACK, Cdk, CdkError, stack_events
from tests.e2e.assemblies import FIRST_REVISION, Assemblies
from tests.e2e.processes import descendants, wait_until_gone

UPGRADE = "Custom::AlembicUpgrade"


@dataclass(frozen=True)
class Deployed:
    outputs: dict[str, str]
    at: float


@pytest.fixture(scope="module")
def created(aws: LocalAws, cdk: Cdk, assemblies: Assemblies) -> Iterator[Deployed]:
    outputs = cdk.deploy(assemblies["first"])
    yield Deployed(outputs, time.monotonic())
    if status(aws):
        cdk.destroy(assemblies["first"])


@pytest.fixture(scope="module")
def upgraded(created: Deployed, cdk: Cdk, assemblies: Assemblies) -> dict[str, str]:
    return cdk.deploy(assemblies["second"])


def status(aws: LocalAws) -> str:
    """Return the stack's status; nothing when it is gone."""
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    return next((stack["StackStatus"] for stack in stacks if stack["StackName"] == STACK), "")


def select(aws: LocalAws, sql: str, *, user: str = "migrator") -> list[tuple[Any, ...]]:
    with closing(aws.connect(user)) as database, database.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def schema(aws: LocalAws) -> list[tuple[Any, ...]]:
    """Return every column of every table of ours, and the revision."""
    columns = select(
        aws,
        "SELECT relname, attname, format_type(atttypid, atttypmod), pg_get_userbyid(relowner) FROM pg_attribute"
        " JOIN pg_class ON attrelid = pg_class.oid JOIN pg_namespace ON relnamespace = pg_namespace.oid"
        " WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND attnum > 0 ORDER BY 1, attnum",
    )
    return columns + select(aws, "SELECT version_num FROM alembic_version")


def upgrades_asked_for(aws: LocalAws) -> int:
    """Return how often CloudFormation has begun with the custom resource."""
    begun = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
    events = stack_events(aws, STACK)
    return sum(event["ResourceType"] == UPGRADE and event["ResourceStatus"] in begun for event in events)


def refused(cdk: Cdk, assembly: Path) -> str:
    """Deploy what must fail and be rolled back; return the reason that CloudFormation shows for the upgrade."""
    with pytest.raises(CdkError) as failure:
        cdk.deploy(assembly)
    assert status(cdk.aws) == "UPDATE_ROLLBACK_COMPLETE"
    [reason] = failure.value.reasons.values()
    assert len(reason.encode()) < 1024
    return reason


def test_the_first_deployment_applies_the_first_revision_through_a_token(aws: LocalAws, created: Deployed) -> None:
    assert created.outputs["Revision"] == FIRST_REVISION
    assert created.outputs["RevisionsApplied"] == "1"
    assert created.outputs["DatabaseName"] == "app"
    assert select(aws, "SELECT tableowner FROM pg_tables WHERE tablename = 'queries'") == [("app_owner",)]
    [migrator] = {login.principal for login in aws.logins() if login.user == "migrator" and "role" in login.principal}
    assert migrator.startswith("arn:aws:sts::000000000000:assumed-role/PrivateDatabase-UpgradeMigrator")


def test_a_deployment_without_changes_runs_no_upgrade(
    aws: LocalAws, created: Deployed, cdk: Cdk, assemblies: Assemblies
) -> None:
    before = upgrades_asked_for(aws)
    assert cdk.deploy(assemblies["first"]) == created.outputs
    assert upgrades_asked_for(aws) == before


def test_a_new_revision_is_applied_by_the_next_deployment(aws: LocalAws, upgraded: dict[str, str]) -> None:
    assert upgraded["Revision"] == "second"
    assert upgraded["RevisionsApplied"] == "1"
    assert ("queries", "note", "text", "app_owner") in schema(aws)


def test_a_broken_revision_fails_the_deployment_and_leaves_no_trace(
    aws: LocalAws, upgraded: dict[str, str], cdk: Cdk, assemblies: Assemblies
) -> None:
    before = schema(aws)
    reason = refused(cdk, assemblies["broken"])
    assert "broken" in reason
    assert "42P07" in reason
    assert 'relation "queries" already exists' in reason
    assert schema(aws) == before


def test_a_migrator_that_was_not_granted_to_connect_fails_the_deployment(
    aws: LocalAws, upgraded: dict[str, str], cdk: Cdk, assemblies: Assemblies
) -> None:
    before = schema(aws)
    reason = refused(cdk, assemblies["without grant"])
    assert 'PAM authentication failed for user "migrator"' in reason
    assert schema(aws) == before


def test_a_package_that_is_missing_from_the_zip_is_missing_though_it_is_installed_here(
    aws: LocalAws, created: Deployed
) -> None:
    functions = aws.client("lambda")
    querier = functions.get_function(FunctionName=created.outputs["QuerierFunction"])
    configuration = querier["Configuration"]
    functions.create_function(
        FunctionName="querier-without-psycopg2",
        Runtime=configuration["Runtime"],
        Handler=configuration["Handler"],
        Role=configuration["Role"],
        Environment=configuration["Environment"],
        Code={"ZipFile": without(code_of(aws, configuration["FunctionName"]), "psycopg2")},
    )
    with pytest.raises(FunctionError) as failure:
        aws.invoke("querier-without-psycopg2")
    assert failure.value.kind == "Runtime.ImportModuleError"
    assert "No module named 'psycopg2'" in str(failure.value)


def test_the_schedule_writes_a_row(aws: LocalAws, created: Deployed) -> None:
    """It first fires a minute after its creation, most of it past by now; the next test breaks the querier too."""
    recent = "SELECT (now() AT TIME ZONE 'utc')::date - query_date IN (0, 1) FROM queries"
    while not (rows := select(aws, recent, user="querier")):
        assert time.monotonic() - created.at < 100, aws.logs(created.outputs["QuerierFunction"])
        time.sleep(0.5)
    assert set(rows) == {(True,)}


def test_a_database_whose_certificate_is_not_trusted_fails_the_deployment(
    aws: LocalAws, upgraded: dict[str, str], cdk: Cdk, assemblies: Assemblies
) -> None:
    before = schema(aws)
    reason = refused(cdk, assemblies["wrong ca"])
    assert "certificate verify failed" in reason
    assert schema(aws) == before


def test_destroying_leaves_no_stack_no_database_and_no_process(
    aws: LocalAws, created: Deployed, cdk: Cdk, assemblies: Assemblies
) -> None:
    processes = descendants(aws.state.pid)
    cdk.destroy(assemblies["first"])
    assert status(aws) == ""
    assert aws.databases() == []
    assert wait_until_gone(processes, 10) == set()


def code_of(aws: LocalAws, function: str) -> bytes:
    """Return a function's zip, from where CDK has put it."""
    resources = aws.client("cloudformation").get_template(StackName=STACK)["TemplateBody"]["Resources"]
    [code] = [
        resource["Properties"]["Code"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function" and name in function
    ]
    body: bytes = aws.client("s3").get_object(Bucket=bucket(aws), Key=code["S3Key"])["Body"].read()
    return body


def bucket(aws: LocalAws) -> str:
    [found] = aws.client("s3").list_buckets()["Buckets"]
    name: str = found["Name"]
    return name


def without(code: bytes, package: str) -> bytes:
    """Return the zip without a package."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(code)) as old, zipfile.ZipFile(result, "w") as new:
        for entry in old.infolist():
            if not entry.filename.startswith(package):
                new.writestr(entry, old.read(entry))
    return result.getvalue()
