"""A first deployment of `prod` that fails, the next deployment, and the destruction, in this order.

The stack of `dev` is destroyed before.
"""

import re

import pytest
from botocore.exceptions import ClientError

from localaws.aws import LocalAws
from localaws.cdk import Cdk, CdkError, stack_events
from tests.e2e.assemblies import Assemblies
from tests.e2e.stack import schema, status

PRODUCTION = "PrivateDatabaseProd"


@pytest.fixture(scope="module")
def failed(aws: LocalAws, cdk: Cdk, assemblies: Assemblies) -> str:
    """Deploy a revision that fails; return the complete reason that CloudFormation shows."""
    with pytest.raises(CdkError, match="revision broken failed: 42P07"):
        cdk.deploy(assemblies["prod broken"], PRODUCTION)
    [reason] = [
        event["ResourceStatusReason"]
        for event in stack_events(aws, PRODUCTION)
        if event["ResourceStatus"] == "CREATE_FAILED" and event["ResourceType"] == "Custom::AlembicUpgrade"
    ]
    return str(reason)


@pytest.fixture(scope="module")
def deployed(failed: str, cdk: Cdk, assemblies: Assemblies) -> dict[str, str]:
    """Deploy the corrected revisions."""
    return cdk.deploy(assemblies["prod"], PRODUCTION)


def test_a_failed_first_deployment_of_prod_is_rolled_back_and_its_database_is_deleted(
    aws: LocalAws, failed: str
) -> None:
    assert status(aws, PRODUCTION) == "ROLLBACK_COMPLETE"
    assert aws.databases() == []
    assert aws.client("rds").describe_db_instances()["DBInstances"] == []
    assert not [name for name in snapshots(aws) if name.startswith(PRODUCTION.lower())]
    assert secrets(aws) == []


def test_the_log_group_that_a_failed_deployment_names_has_the_error_after_the_rollback(
    aws: LocalAws, failed: str
) -> None:
    [group] = re.findall(r"Logs: (\S+)", failed)
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    logged = [event["message"] for page in pages for event in page["events"]]
    assert any('relation \\"queries\\" already exists' in line for line in logged)


def test_the_deployment_after_a_failed_first_deployment_of_prod_needs_no_manual_step(
    aws: LocalAws, deployed: dict[str, str]
) -> None:
    assert status(aws, PRODUCTION) == "CREATE_COMPLETE"
    assert deployed["Revision"] == "second"
    assert ("queries", "second", "text", "app_owner") in schema(aws)


def test_the_stack_of_prod_is_protected_against_termination(aws: LocalAws, deployed: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        aws.client("cloudformation").delete_stack(StackName=PRODUCTION)


def test_the_database_of_prod_is_protected_against_deletion(aws: LocalAws, deployed: dict[str, str]) -> None:
    [database] = aws.databases()
    with pytest.raises(ClientError, match="DeletionProtection is enabled"):
        aws.client("rds").delete_db_instance(DBInstanceIdentifier=database.identifier, SkipFinalSnapshot=True)


def test_the_logs_of_the_database_of_prod_are_retained_for_180_days(aws: LocalAws, deployed: dict[str, str]) -> None:
    [database] = aws.databases()
    prefix = f"/aws/rds/instance/{database.identifier}/"
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    assert {group["logGroupName"].removeprefix(prefix): group["retentionInDays"] for group in groups} == {
        "postgresql": 180,
        "iam-db-auth-error": 180,
    }


def test_prod_without_protection_can_be_destroyed_and_its_snapshot_and_password_are_retained(
    aws: LocalAws, deployed: dict[str, str], cdk: Cdk, assemblies: Assemblies
) -> None:
    [database] = aws.databases()
    cdk.deploy(assemblies["prod unprotected"], PRODUCTION)
    cdk.destroy(assemblies["prod unprotected"], PRODUCTION)
    assert status(aws, PRODUCTION) == ""
    assert aws.databases() == []
    assert [name for name in snapshots(aws) if database.identifier in name]
    assert len(secrets(aws)) == 1


def snapshots(aws: LocalAws) -> list[str]:
    return [snapshot["DBSnapshotIdentifier"] for snapshot in aws.client("rds").describe_db_snapshots()["DBSnapshots"]]


def secrets(aws: LocalAws) -> list[str]:
    listed = aws.client("secretsmanager").list_secrets()["SecretList"]
    return [secret["Name"] for secret in listed if secret["Name"].startswith(PRODUCTION)]
