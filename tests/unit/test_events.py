import json
import re
from pathlib import Path
from typing import Any

import pytest

from migrator.database_identity import DatabaseIdentity
from migrator.errors import EventError
from migrator.events import RolesRequest, UpgradeRequest, request_type

DIGEST = "0" * 64


def stored(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((Path(__file__).parent / "events" / f"{name}.json").read_text())
    return event


def upgrade_event(**properties: object) -> dict[str, object]:
    return {
        "RequestType": "Create",
        "ResourceProperties": {"MigrationsDigest": DIGEST, "Revisions": ["a1", "b2"], **properties},
    }


def roles_event(**properties: object) -> dict[str, object]:
    return {
        "RequestType": "Create",
        "ResourceProperties": {"Owner": "app_owner", "Migrator": "migrator", "Users": ["querier"], **properties},
    }


def test_the_revisions_of_a_create_are_read() -> None:
    request = UpgradeRequest.from_event(stored("create"))
    assert request.revisions == ("e351aa908b6f", "0c4d5a1b2e3f")
    assert request.head == "0c4d5a1b2e3f"
    assert request.old_revisions == ()


def test_an_update_names_the_revisions_of_the_previous_deployment() -> None:
    request = UpgradeRequest.from_event(stored("rollback"))
    assert request.revisions == ("e351aa908b6f",)
    assert request.old_revisions == ("e351aa908b6f", "0c4d5a1b2e3f")


def test_every_property_of_an_upgrade_is_read() -> None:
    event = {
        **upgrade_event(Baseline="a1", AllowAhead=" c3, d4 ,", TimeoutSeconds="600"),
        "RequestType": "Update",
        "OldResourceProperties": {"Revisions": ["a1"]},
        "StackId": "arn:stack",
        "RequestId": "request",
        "StartedAt": "1764072000.125",
        "RollingBack": True,
    }
    assert UpgradeRequest.from_event(event) == UpgradeRequest(
        migrations_digest=DIGEST,
        revisions=("a1", "b2"),
        old_revisions=("a1",),
        stack_id="arn:stack",
        request_id="request",
        baseline="a1",
        allow_ahead=frozenset({"c3", "d4"}),
        rolling_back=True,
        started_at=1764072000.125,
        timeout_seconds=600,
    )


def test_a_property_that_an_event_does_not_have_gets_its_default() -> None:
    assert UpgradeRequest.from_event(upgrade_event()) == UpgradeRequest(DIGEST, ("a1", "b2"), timeout_seconds=3600)


@pytest.mark.parametrize(
    ("old", "revisions"),
    [
        ({"Name": "app", "Endpoint": "db.example"}, ("a1",)),
        ({"Name": "app", "Endpoint": "another.example"}, ()),
        ({}, ("a1",)),
    ],
)
def test_the_revisions_that_were_deployed_to_another_database_are_ignored(
    old: dict[str, str], revisions: tuple[str, ...]
) -> None:
    event = upgrade_event(Database={"Name": "app", "Endpoint": "db.example"})
    event |= {"RequestType": "Update", "OldResourceProperties": {"Revisions": ["a1"], "Database": old}}
    assert UpgradeRequest.from_event(event).old_revisions == revisions


def test_the_roles_of_an_event_are_read() -> None:
    request = RolesRequest.from_event(roles_event())
    assert request == RolesRequest("app_owner", "migrator", ("querier",))
    assert request.logins == ("migrator", "querier")


def test_the_option_to_revoke_public_and_the_identity_of_the_database_are_read() -> None:
    identity = {"Name": "app", "Endpoint": "db.example", "ResourceId": "db-1"}
    request = RolesRequest.from_event(roles_event(RevokePublic="false", Database=identity, Rerun="1"))
    assert request.revoke_public is False
    assert request.database == DatabaseIdentity(name="app", endpoint="db.example", resource_id="db-1")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("app", "a", "db-1"), ("app", "a", "db-1"), True),
        (("app", "a", "db-1"), ("app", "renamed", "db-1"), True),
        (("app", "a", "db-1"), ("app", "a", "db-2"), False),
        (("app", "a", "db-1"), ("other", "a", "db-1"), False),
        (("app", "a", ""), ("app", "a", "db-1"), True),
        (("app", "a", ""), ("app", "b", "db-1"), False),
        (("app", "a", ""), ("app", "b", ""), False),
        (("", "", ""), ("app", "a", "db-1"), True),
    ],
)
def test_databases_are_compared_by_resource_id_or_else_by_endpoint(
    first: tuple[str, str, str], second: tuple[str, str, str], same: bool
) -> None:
    assert DatabaseIdentity(*first).is_same(DatabaseIdentity(*second)) is same
    assert DatabaseIdentity(*second).is_same(DatabaseIdentity(*first)) is same


@pytest.mark.parametrize("kind", ["create", "", None, 7, ["Create"]])
def test_an_unknown_request_type_is_rejected_with_the_allowed_ones(kind: object) -> None:
    with pytest.raises(EventError, match="RequestType must be Create, Update or Delete"):
        request_type({"RequestType": kind})


def test_one_error_lists_all_malformed_properties() -> None:
    with pytest.raises(EventError) as error:
        UpgradeRequest.from_event({"RequestType": "Create", "ResourceProperties": {"Revisions": "a1"}})
    assert str(error.value) == (
        "bad ResourceProperties: MigrationsDigest must be a text (got nothing);"
        " Revisions must be a list of names (got 'a1')"
    )


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"MigrationsDigest": "abc"}, "MigrationsDigest must be 64 hexadecimal digits (got 'abc')"),
        ({"Revisions": []}, "Revisions must be a list of one or more revisions (got [])"),
        ({"Revisions": ["a1", ""]}, "Revisions must be a list of names (got ['a1', ''])"),
        ({"Revisions": ["a1", 2]}, "Revisions must be a list of names (got ['a1', 2])"),
        ({"Revisions": ["a1", "a1"]}, "Revisions must be a list of different names (got ['a1', 'a1'])"),
        ({"Revisions": {"a1": "b2"}}, "Revisions must be a list of names (got {'a1': 'b2'})"),
        ({"Baseline": "c3"}, "Baseline must be a revision of this deployment (got 'c3')"),
        ({"Baseline": 7}, "Baseline must be a text (got 7)"),
        ({"AllowAhead": ["c3"]}, "AllowAhead must be a text (got ['c3'])"),
        ({"TimeoutSeconds": "0"}, "TimeoutSeconds must be a whole number of seconds above 0, as a text (got '0')"),
        ({"TimeoutSeconds": 600}, "TimeoutSeconds must be a whole number of seconds above 0, as a text (got 600)"),
        ({"TimeoutSeconds": "1.5"}, "TimeoutSeconds must be a whole number of seconds above 0, as a text (got '1.5')"),
    ],
)
def test_malformed_properties_of_an_upgrade_are_rejected(properties: dict[str, object], problem: str) -> None:
    with pytest.raises(EventError, match=re.escape(problem)):
        UpgradeRequest.from_event(upgrade_event(**properties))


@pytest.mark.parametrize("event", [{}, {"RequestType": "Create"}, {"RequestType": "Create", "ResourceProperties": []}])
def test_an_event_without_properties_is_rejected(event: dict[str, object]) -> None:
    with pytest.raises(EventError):
        UpgradeRequest.from_event(event)
    with pytest.raises(EventError):
        RolesRequest.from_event(event)


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"Owner": ""}, "Owner must be a text (got '')"),
        ({"Users": ["migrator"]}, "role names must be different"),
        ({"Migrator": "pg_read_all_data"}, "not start with pg_ or rds (got 'pg_read_all_data')"),
        ({"Owner": "rds_superuser"}, "not start with pg_ or rds (got 'rds_superuser')"),
        ({"Users": ["x" * 64]}, "role name must be up to 63 bytes long"),
        ({"Users": ["ä" * 32]}, "role name must be up to 63 bytes long"),
        ({"RevokePublic": True}, "RevokePublic must be 'true' or 'false' (got True)"),
        ({"RevokePublic": "no"}, "RevokePublic must be 'true' or 'false' (got 'no')"),
        ({"Database": "app"}, "Database must be a map of texts (got 'app')"),
        ({"Database": {"Name": 7}}, "Database must be a map of texts (got {'Name': 7})"),
    ],
)
def test_malformed_properties_of_the_roles_are_rejected(properties: dict[str, object], problem: str) -> None:
    with pytest.raises(EventError, match=re.escape(problem)):
        RolesRequest.from_event(roles_event(**properties))


def test_a_long_value_is_shortened_in_the_error() -> None:
    with pytest.raises(EventError) as error:
        UpgradeRequest.from_event(upgrade_event(Revisions="x" * 10_000))
    assert len(str(error.value)) < 200
