"""Deployments by the CDK CLI, in this order. test_deployments_that_fail.py continues with the same stack."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from localaws.aws import FunctionError, LocalAws
from localaws.cdk import STACK, Cdk, stack_events
from localaws.certificates import CertificateAuthority
from tests.e2e.assemblies import REVISIONS, Assemblies
from tests.e2e.stack import Deployed, schema, select

UPGRADE = "Custom::AlembicUpgrade"


def upgrade_events(aws: LocalAws) -> int:
    """Return how often CloudFormation has started to create or update the custom resource."""
    started = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
    events = stack_events(aws, STACK)
    return sum(event["ResourceType"] == UPGRADE and event["ResourceStatus"] in started for event in events)


def test_the_first_deployment_applies_all_revisions_with_a_token_of_the_migrator(
    aws: LocalAws, created: Deployed
) -> None:
    assert created.outputs["Revision"] == REVISIONS[-1]
    assert created.outputs["RevisionsApplied"] == str(len(REVISIONS))
    assert created.outputs["DatabaseName"] == "app"
    assert select(aws, "SELECT tableowner FROM pg_tables WHERE tablename = 'queries'") == [("app_owner",)]
    [migrator] = {login.principal for login in aws.logins() if login.user == "migrator" and "role" in login.principal}
    assert migrator.startswith("arn:aws:sts::000000000000:assumed-role/PrivateDatabase-UpgradeMigrator")


def test_a_deployment_without_changes_does_not_run_an_upgrade(
    aws: LocalAws, created: Deployed, cdk: Cdk, assemblies: Assemblies
) -> None:
    before = upgrade_events(aws)
    assert cdk.deploy(assemblies["first"]) == created.outputs
    assert upgrade_events(aws) == before


def test_a_new_revision_is_applied_by_the_next_deployment(aws: LocalAws, upgraded: dict[str, str]) -> None:
    assert upgraded["Revision"] == "second"
    assert upgraded["RevisionsApplied"] == "1"
    assert ("queries", "second", "text", "app_owner") in schema(aws)


def test_a_revision_uses_included_code_and_a_file_of_the_project(aws: LocalAws, upgraded: dict[str, str]) -> None:
    assert upgraded["Revision"] == "second"
    assert select(aws, "SELECT obj_description('queries'::regclass)") == [("from a file",)]


def test_a_package_that_is_missing_in_the_zip_is_missing_in_the_function(aws: LocalAws, created: Deployed) -> None:
    failure = failure_with(aws, created, "querier-without-psycopg2", drop="psycopg2")
    assert failure.kind == "Runtime.ImportModuleError"
    assert "No module named 'psycopg2'" in str(failure)


def test_a_function_rejects_a_database_whose_certificate_is_not_of_the_authority_in_its_zip(
    aws: LocalAws, created: Deployed, tmp_path: Path
) -> None:
    root = CertificateAuthority(tmp_path / "another").ca_path.read_bytes()
    failure = failure_with(aws, created, "querier-with-another-root", root=root)
    assert "certificate verify failed" in str(failure)


def failure_with(
    aws: LocalAws, created: Deployed, name: str, *, drop: str = "", root: bytes | None = None
) -> FunctionError:
    """Invoke a copy of the querier without a package of its zip, or with another root certificate in it."""
    functions = aws.client("lambda")
    configuration = functions.get_function(FunctionName=created.outputs["QuerierFunction"])["Configuration"]
    replaced = {configuration["Environment"]["Variables"]["PGSSLROOTCERT"]: root} if root else {}
    functions.create_function(
        FunctionName=name,
        **{key: configuration[key] for key in ("Runtime", "Handler", "Role", "Environment", "Timeout")},
        Code={"ZipFile": changed(code_of(aws, configuration["FunctionName"]), drop=drop, replaced=replaced)},
    )
    with pytest.raises(FunctionError) as failure:
        aws.invoke(name, {"time": "2026-11-25T04:00:00Z"})
    functions.delete_function(FunctionName=name)
    return failure.value


def code_of(aws: LocalAws, function: str) -> bytes:
    """Return the zip of a function, from the bucket of its assets."""
    resources = aws.client("cloudformation").get_template(StackName=STACK)["TemplateBody"]["Resources"]
    [code] = [
        resource["Properties"]["Code"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function" and name in function
    ]
    body: bytes = aws.client("s3").get_object(Bucket=bucket(aws), Key=code["S3Key"])["Body"].read()
    return body


def bucket(aws: LocalAws) -> str:
    [assets] = aws.client("s3").list_buckets()["Buckets"]
    name: str = assets["Name"]
    return name


def changed(code: bytes, *, drop: str, replaced: Mapping[str, bytes]) -> bytes:
    """Return the zip without the entries of a package, and with other contents of some files."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(code)) as old, zipfile.ZipFile(result, "w") as new:
        assert replaced.keys() <= set(old.namelist())
        for entry in old.infolist():
            if not drop or not entry.filename.startswith(drop):
                new.writestr(entry, replaced.get(entry.filename) or old.read(entry))
    return result.getvalue()
