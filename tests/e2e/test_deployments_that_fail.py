"""Deployments that fail, and the deployment that corrects them, in this order, after those of test_deployments.py.

A rollback restores the code and leaves the schema: the database keeps the revisions that a failed deployment applied.
"""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from localaws.aws import LocalAws
from localaws.cdk import STACK, Cdk
from tests.e2e.assemblies import REVISIONS, Assemblies
from tests.e2e.stack import Deployed, as_master, logged_by_migrator, refused, schema, select

AHEAD = "the database is ahead of the code and stays there"


@dataclass(frozen=True)
class Failed:
    """A failed deployment: the reason that CloudFormation shows, the change of the schema, and the migrator's log."""

    reason: str
    added: set[tuple[Any, ...]]
    removed: set[tuple[Any, ...]]
    logged: list[dict[str, Any]]


def fail(cdk: Cdk, assemblies: Assemblies, name: str) -> Failed:
    """Deploy an assembly that fails and is rolled back."""
    before, logged = set(schema(cdk.aws)), logged_by_migrator(cdk.aws)
    reason = refused(cdk, assemblies[name])
    after = set(schema(cdk.aws))
    new = [entry for entry in logged_by_migrator(cdk.aws) if entry not in logged]
    return Failed(reason, added=after - before, removed=before - after, logged=new)


@pytest.fixture(scope="module")
def rerun(upgraded: dict[str, str], cdk: Cdk, assemblies: Assemblies) -> dict[str, str]:
    """Deploy the same revisions with a new value of `rerun`, after the migrator's login was revoked."""
    return cdk.deploy(assemblies["rerun"])


@pytest.fixture(scope="module")
def stopped_between(rerun: dict[str, str], cdk: Cdk, assemblies: Assemblies) -> Failed:
    return fail(cdk, assemblies, "broken")


@pytest.fixture(scope="module")
def failed_elsewhere(stopped_between: Failed, cdk: Cdk, assemblies: Assemblies) -> Failed:
    return fail(cdk, assemblies, "other resource")


@pytest.fixture(scope="module")
def forgetful(failed_elsewhere: Failed, cdk: Cdk, assemblies: Assemblies) -> Failed:
    return fail(cdk, assemblies, "forgetful")


@pytest.fixture(scope="module")
def repaired(forgetful: Failed, cdk: Cdk, assemblies: Assemblies) -> dict[str, str]:
    return cdk.deploy(assemblies["repaired"])


def test_a_migrator_without_permission_to_connect_fails_the_deployment_and_its_rollback_succeeds(
    aws: LocalAws, upgraded: dict[str, str], cdk: Cdk, assemblies: Assemblies
) -> None:
    """The rollback restores the permission. The role cannot log in during the rollback either."""
    before = schema(aws)
    as_master(aws, "REVOKE rds_iam FROM migrator")
    reason = refused(cdk, assemblies["without grant"])
    assert 'authentication failed for user "migrator"' in reason
    failed = [entry for entry in logged_by_migrator(aws) if "RollbackWithoutDatabase" in entry]
    assert [entry["RollbackWithoutDatabase"] for entry in failed] == [[1.0]]
    as_master(aws, "GRANT rds_iam TO migrator")
    assert schema(aws) == before
    as_master(aws, "REVOKE rds_iam FROM migrator")


def test_a_deployment_with_another_value_of_rerun_repairs_the_login(aws: LocalAws, rerun: dict[str, str]) -> None:
    assert (rerun["Revision"], rerun["RevisionsApplied"], rerun["Schema"]) == ("second", "0", "at head")
    aws.connect("migrator").close()


def test_a_deployment_that_fails_in_its_second_revision_keeps_the_first_and_nothing_of_the_second(
    stopped_between: Failed,
) -> None:
    assert "revision broken failed" in stopped_between.reason
    assert "42P07" in stopped_between.reason
    assert 'relation "queries" already exists' in stopped_between.reason
    assert stopped_between.added == {("queries", "ahead", "text", "app_owner"), ("ahead",)}
    assert stopped_between.removed == {("second",)}
    assert warned(stopped_between) == [["ahead"]]


def test_a_failure_after_the_migration_rolls_back_the_code_and_not_the_schema(failed_elsewhere: Failed) -> None:
    assert "no-such-alias" in failed_elsewhere.reason
    assert failed_elsewhere.added == {("queries", "further", "text", "app_owner"), ("further",)}
    assert failed_elsewhere.removed == {("ahead",)}


def test_a_rollback_with_a_newer_schema_logs_a_warning_and_a_metric(failed_elsewhere: Failed) -> None:
    assert warned(failed_elsewhere) == [["further"]]
    # Two invocations: the upgrade and the rollback.
    assert [entry["AheadOfCode"] for entry in failed_elsewhere.logged if "AheadOfCode" in entry] == [[0.0], [1.0]]


def test_code_without_the_revision_of_the_database_is_rejected_with_an_advice_and_rolled_back(
    forgetful: Failed,
) -> None:
    assert "the database is at revision further. This deployment lacks ahead (applied 20" in forgetful.reason
    assert "and adds third on another branch" in forgetful.reason
    assert "put third after further" in forgetful.reason
    assert forgetful.added | forgetful.removed == set()
    assert warned(forgetful) == [["further"]]


def test_the_corrected_deployment_upgrades_to_its_head_in_several_invocations(
    aws: LocalAws, repaired: dict[str, str]
) -> None:
    assert repaired["Revision"] == "last"
    assert repaired["RevisionsApplied"] == "2"
    assert repaired["Invocations"] == "2"
    assert {("queries", "slow", "text", "app_owner"), ("queries", "last", "text", "app_owner")} <= set(schema(aws))
    applied = [entry["applied"] for entry in logged_by_migrator(aws) if entry.get("message") == "upgrade run"]
    assert applied[-2:] == [["slow"], ["last"]]


def test_the_migration_log_names_the_deployment_and_the_invocation_of_each_revision(
    aws: LocalAws, repaired: dict[str, str]
) -> None:
    # The rows of operators, in test_deployments_commands.py, have a caller.
    deployed = "SELECT revision, request_id, invocation FROM alembic_history.revisions WHERE caller IS NULL ORDER BY id"
    rows = select(aws, deployed)
    revisions, requests, invocations = zip(*rows, strict=True)
    assert revisions == (*REVISIONS, "second", "ahead", "further", "slow", "last")
    assert requests[-2] == requests[-1]
    assert len(set(requests)) == 5
    assert len(set(invocations)) == 6
    [stack] = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert select(aws, "SELECT DISTINCT stack_id, login FROM alembic_history.revisions") == [
        (stack["StackId"], "migrator")
    ]


def test_the_schedule_writes_rows_after_failed_deployments_too(aws: LocalAws, created: Deployed) -> None:
    """The schedule invokes the querier every minute."""
    recent = "SELECT (now() AT TIME ZONE 'utc')::date - query_date IN (0, 1) FROM queries"
    while not (rows := select(aws, recent, user="querier")):
        assert time.monotonic() - created.at < 240, aws.logs(created.outputs["QuerierFunction"])
        time.sleep(0.5)
    assert set(rows) == {(True,)}


def test_a_replaced_database_gets_its_roles_and_its_schema_in_the_same_deployment(
    aws: LocalAws, repaired: dict[str, str], cdk: Cdk, assemblies: Assemblies
) -> None:
    before = schema(aws)
    outputs = cdk.deploy(assemblies["replaced"])
    assert [database.name for database in aws.databases()] == ["replaced"]
    assert (outputs["Revision"], outputs["RevisionsApplied"]) == ("last", str(len(REVISIONS) + 5))
    assert schema(aws) == before
    assert select(aws, "SELECT count(*) >= 0 FROM queries", user="querier") == [(True,)]


def warned(deployment: Failed) -> list[list[str]]:
    """Return the heads of the database in each warning of a rollback."""
    return [
        entry["heads"]
        for entry in deployment.logged
        if entry.get("level") == "WARNING" and entry.get("message") == AHEAD
    ]
