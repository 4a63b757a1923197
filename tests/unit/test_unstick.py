"""The resources that `unstick` skips."""

from typing import Any

import pytest

from rds_alembic.cli.stack import CommandError
from rds_alembic.cli.unstick import failed_resources, skipped_resources


def event(name: str, kind: str, status: str) -> dict[str, Any]:
    return {"LogicalResourceId": name, "ResourceType": kind, "ResourceStatus": status, "ResourceStatusReason": "why"}


# Newest first, as CloudFormation returns them.
EVENTS = [
    event("Stack", "AWS::CloudFormation::Stack", "UPDATE_ROLLBACK_FAILED"),
    event("Upgrade", "Custom::AlembicUpgrade", "UPDATE_FAILED"),
    event("Instance", "AWS::RDS::DBInstance", "UPDATE_FAILED"),
    event("Stack", "AWS::CloudFormation::Stack", "UPDATE_ROLLBACK_IN_PROGRESS"),
    event("Querier", "AWS::Lambda::Function", "UPDATE_FAILED"),
]


def test_the_resources_that_failed_in_the_last_rollback_are_found() -> None:
    assert list(failed_resources(EVENTS)) == ["Upgrade", "Instance"]


def test_only_custom_resources_that_change_nothing_in_a_rollback_are_skipped() -> None:
    assert skipped_resources(failed_resources(EVENTS), ()) == ["Upgrade"]


def test_another_resource_is_skipped_if_it_is_named() -> None:
    assert skipped_resources(failed_resources(EVENTS), ("Instance",)) == ["Upgrade", "Instance"]


def test_a_resource_that_did_not_fail_cannot_be_skipped() -> None:
    with pytest.raises(CommandError, match=r"--skip must be a resource that failed \(got Querier\): Upgrade, Instance"):
        skipped_resources(failed_resources(EVENTS), ("Querier",))
