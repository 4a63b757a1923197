import json
from pathlib import Path
from typing import Any

import pytest

from migrator.errors import EventError
from migrator.events import DatabaseIdentity, RolesRequest, UpgradeRequest, request_type

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


def test_a_create_is_read() -> None:
    request = UpgradeRequest.from_event(stored("create"))
    assert request.revisions == ("e351aa908b6f", "0c4d5a1b2e3f")
    assert request.head == "0c4d5a1b2e3f"
    assert request.old_revisions == ()


def test_an_update_carries_the_history_deployed_before() -> None:
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
        timeout_seconds=600.0,
    )


def test_what_an_event_does_not_say_is_the_default() -> None:
    assert UpgradeRequest.from_event(upgrade_event()) == UpgradeRequest(DIGEST, ("a1", "b2"), timeout_seconds=3600.0)


@pytest.mark.parametrize(
    ("old", "revisions"),
    [
        ({"Name": "app", "Endpoint": "db.example"}, ("a1",)),
        ({"Name": "app", "Endpoint": "another.example"}, ()),
        ({}, ("a1",)),
    ],
)
def test_the_history_of_another_database_is_not_that_of_this_one(
    old: dict[str, str], revisions: tuple[str, ...]
) -> None:
    event = upgrade_event(Database={"Name": "app", "Endpoint": "db.example"})
    event |= {"RequestType": "Update", "OldResourceProperties": {"Revisions": ["a1"], "Database": old}}
    assert UpgradeRequest.from_event(event).old_revisions == revisions


def test_a_roles_event_is_read() -> None:
    request = RolesRequest.from_event(roles_event())
    assert request == RolesRequest("app_owner", "migrator", ("querier",))
    assert request.logins == ("migrator", "querier")


def test_a_roles_event_carries_the_option_on_public_and_the_identity_of_the_database() -> None:
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
def test_an_unknown_request_type_is_refused_with_what_is_allowed(kind: object) -> None:
    with pytest.raises(EventError, match="allowed are Create, Update, Delete"):
        request_type({"RequestType": kind})


def test_one_error_lists_every_bad_property() -> None:
    with pytest.raises(EventError) as error:
        UpgradeRequest.from_event({"RequestType": "Create", "ResourceProperties": {"Revisions": "a1"}})
    assert str(error.value) == (
        "bad ResourceProperties: MigrationsDigest is missing, allowed: a text;"
        " Revisions is 'a1', allowed: a list of names"
    )


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"MigrationsDigest": "abc"}, "MigrationsDigest is 'abc', allowed: 64 hexadecimal digits"),
        ({"Revisions": []}, "Revisions is .*, allowed: one revision at least"),
        ({"Revisions": ["a1", ""]}, "Revisions is .*, allowed: a list of names"),
        ({"Revisions": ["a1", 2]}, "Revisions is .*, allowed: a list of names"),
        ({"Revisions": ["a1", "a1"]}, "Revisions is .*, allowed: each name once"),
        ({"Revisions": {"a1": "b2"}}, "Revisions is .*, allowed: a list of names"),
        ({"Baseline": "c3"}, "Baseline is 'c3', allowed: a revision of this deployment"),
        ({"Baseline": 7}, "Baseline is 7, allowed: a text"),
        ({"AllowAhead": ["c3"]}, "AllowAhead is .*, allowed: a text"),
        ({"TimeoutSeconds": "0"}, "TimeoutSeconds is '0', allowed: a whole number of seconds above 0, as a text"),
        ({"TimeoutSeconds": 600}, "TimeoutSeconds is 600, allowed: a whole number of seconds above 0, as a text"),
        ({"TimeoutSeconds": "1.5"}, "TimeoutSeconds is '1.5', allowed: a whole number of seconds above 0, as a text"),
    ],
)
def test_bad_upgrade_properties_are_refused(properties: dict[str, object], problem: str) -> None:
    with pytest.raises(EventError, match=problem):
        UpgradeRequest.from_event(upgrade_event(**properties))


@pytest.mark.parametrize("event", [{}, {"RequestType": "Create"}, {"RequestType": "Create", "ResourceProperties": []}])
def test_an_event_without_properties_is_refused(event: dict[str, object]) -> None:
    with pytest.raises(EventError):
        UpgradeRequest.from_event(event)
    with pytest.raises(EventError):
        RolesRequest.from_event(event)


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"Owner": ""}, "Owner is ''"),
        ({"Users": ["migrator"]}, "different names"),
        ({"Migrator": "pg_read_all_data"}, "not starting with pg_ or rds"),
        ({"Owner": "rds_superuser"}, "not starting with pg_ or rds"),
        ({"Users": ["x" * 64]}, "up to 63 bytes"),
        ({"Users": ["ä" * 32]}, "up to 63 bytes"),
        ({"RevokePublic": True}, "RevokePublic is True, allowed: true or false"),
        ({"RevokePublic": "no"}, "RevokePublic is 'no', allowed: true or false"),
        ({"Database": "app"}, "Database is 'app', allowed: a map of texts"),
        ({"Database": {"Name": 7}}, "Database is .*, allowed: a map of texts"),
    ],
)
def test_bad_properties_of_the_roles_are_refused(properties: dict[str, object], problem: str) -> None:
    with pytest.raises(EventError, match=problem):
        RolesRequest.from_event(roles_event(**properties))


def test_a_huge_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(EventError) as error:
        UpgradeRequest.from_event(upgrade_event(Revisions="x" * 10_000))
    assert len(str(error.value)) < 200
