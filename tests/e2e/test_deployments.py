"""The life of a stack, by the real CDK CLI: a story in this order, which goes on in test_deployments_that_fail.py."""

import io
import zipfile

import pytest

from localaws.aws import FunctionError, LocalAws
from localaws.cdk import STACK, Cdk, stack_events
from tests.e2e.assemblies import REVISIONS, Assemblies
from tests.e2e.stack import Deployed, schema, select

UPGRADE = "Custom::AlembicUpgrade"


def upgrades_asked_for(aws: LocalAws) -> int:
    """Return how often CloudFormation has begun with the custom resource."""
    begun = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
    events = stack_events(aws, STACK)
    return sum(event["ResourceType"] == UPGRADE and event["ResourceStatus"] in begun for event in events)


def test_the_first_deployment_applies_all_revisions_through_a_token(aws: LocalAws, created: Deployed) -> None:
    assert created.outputs["Revision"] == REVISIONS[-1]
    assert created.outputs["RevisionsApplied"] == str(len(REVISIONS))
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
    assert ("queries", "second", "text", "app_owner") in schema(aws)


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
