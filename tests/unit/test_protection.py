"""The protections are set and lifted by events. Botocore's stubber replaces CloudFormation and RDS."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from migrator import aws_calls, protection, protection_handler
from migrator.errors import MigratorError

STACK_ID = "arn:aws:cloudformation:eu-central-1:000000000000:stack/PrivateDatabaseProd/6f1f7e60"
INSTANCE = {"DBInstanceIdentifier": "production"}
OTHER_STATUSES = [
    *("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
    *("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
]


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "test"

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return self.seconds * 1000


@dataclass(frozen=True)
class Aws:
    """The stubbed APIs. Each test declares the expected calls. Any other call fails the test."""

    cloudformation: Stubber
    rds: Stubber

    def has_status(self, status: str) -> None:
        stack = {"StackName": "PrivateDatabaseProd", "CreationTime": "2026-11-25T00:00:00Z", "StackStatus": status}
        self.cloudformation.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": STACK_ID})

    def shows_protection(self, *, protected: bool) -> None:
        instances = [{**INSTANCE, "DeletionProtection": protected}]
        self.rds.add_response("describe_db_instances", {"DBInstances": instances}, INSTANCE)

    def expects_protection(self, *, protected: bool) -> None:
        change = {**INSTANCE, "DeletionProtection": protected, "ApplyImmediately": True}
        self.rds.add_response("modify_db_instance", {"DBInstance": INSTANCE}, change)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    own: dict[str, Any] = {"region_name": "eu-central-1", "aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    clients = {name: boto3.client(name, **own) for name in ("cloudformation", "rds")}
    monkeypatch.setattr("boto3.client", lambda name, config=None: clients[name])
    monkeypatch.setattr(aws_calls, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(protection, "POLL_SECONDS", 0.01)
    stubbed = Aws(*(Stubber(client) for client in clients.values()))
    with stubbed.cloudformation, stubbed.rds:
        yield stubbed
        stubbed.cloudformation.assert_no_pending_responses()
        stubbed.rds.assert_no_pending_responses()


def call(
    request_type: str,
    kind: str = "Custom::DeletionProtection",
    properties: Mapping[str, str] | None = None,
    *,
    seconds: int = 16,
) -> dict[str, str]:
    event: dict[str, object] = {
        "RequestType": request_type,
        "ResourceType": kind,
        "StackId": STACK_ID,
        "ResourceProperties": {**INSTANCE, "Protected": "true", **(properties or {})},
    }
    answer: dict[str, str] = protection_handler.handler(event, Context(seconds))
    return answer


@pytest.mark.parametrize("protected", [True, False])
def test_every_deployment_sets_the_protection_of_the_template(aws: Aws, *, protected: bool) -> None:
    aws.has_status("UPDATE_IN_PROGRESS")
    for request_type in ("Create", "Update"):
        aws.expects_protection(protected=protected)
        answer = call(request_type, properties={"Protected": str(protected).lower()})
        assert answer == {"PhysicalResourceId": "deletion-protection"}


@pytest.mark.parametrize("code", ["InvalidDBInstanceState", "AccessDenied"])
def test_a_transient_error_is_retried(aws: Aws, code: str) -> None:
    aws.rds.add_client_error("modify_db_instance", code)
    aws.expects_protection(protected=True)
    call("Create")


@pytest.mark.parametrize("code", ["InvalidDBInstanceState", "AccessDenied"])
def test_a_transient_error_that_lasts_until_the_deadline_fails_the_deployment(aws: Aws, code: str) -> None:
    aws.rds.add_client_error("modify_db_instance", code)
    with pytest.raises(MigratorError, match=code):
        call("Create", seconds=15)


@pytest.mark.parametrize("code", ["DBInstanceNotFound", "InvalidParameterValue"])
def test_another_error_fails_the_deployment_at_once(aws: Aws, code: str) -> None:
    aws.has_status("UPDATE_IN_PROGRESS")
    aws.rds.add_client_error("modify_db_instance", code)
    with pytest.raises(MigratorError, match=code):
        call("Update")


@pytest.mark.parametrize("code", ["AccessDenied", "DBInstanceNotFound", "InvalidDBInstanceState", "Throttling"])
def test_the_rollback_of_a_later_deployment_succeeds_at_once_when_the_protection_cannot_be_set(
    aws: Aws, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.has_status("UPDATE_ROLLBACK_IN_PROGRESS")
    aws.rds.add_client_error("modify_db_instance", code)
    call("Update")
    assert '"RollbackIncomplete":[1.0]' in capsys.readouterr().out


def test_the_rollback_of_a_first_deployment_lifts_the_protection_and_waits_until_it_is_off(aws: Aws) -> None:
    aws.shows_protection(protected=True)
    aws.has_status("ROLLBACK_IN_PROGRESS")
    aws.expects_protection(protected=False)
    aws.shows_protection(protected=True)
    aws.shows_protection(protected=False)
    call("Delete")


def test_a_protection_that_stays_on_fails_the_rollback_and_names_the_instance(aws: Aws) -> None:
    aws.shows_protection(protected=True)
    aws.has_status("ROLLBACK_IN_PROGRESS")
    aws.expects_protection(protected=False)
    aws.shows_protection(protected=True)
    with pytest.raises(MigratorError, match="RDS still reports deletion protection for production"):
        call("Delete", seconds=15)


def test_a_deletion_succeeds_when_the_database_does_not_exist(aws: Aws) -> None:
    aws.rds.add_client_error("describe_db_instances", "DBInstanceNotFound")
    call("Delete")


@pytest.mark.parametrize("status", [status for status in OTHER_STATUSES if status != "DELETE_IN_PROGRESS"])
def test_any_other_deletion_of_the_resource_leaves_the_database_protected(aws: Aws, status: str) -> None:
    aws.shows_protection(protected=True)
    aws.has_status(status)
    call("Delete")


def test_a_stack_is_not_deleted_while_its_database_is_protected(aws: Aws) -> None:
    aws.shows_protection(protected=True)
    aws.has_status("DELETE_IN_PROGRESS")
    with pytest.raises(MigratorError, match="the database production is protected from deletion"):
        call("Delete")


def test_a_stack_is_deleted_when_the_protection_of_its_database_was_lifted(aws: Aws) -> None:
    aws.shows_protection(protected=False)
    call("Delete")


def test_the_rollback_of_a_first_deployment_lifts_the_termination_protection(aws: Aws) -> None:
    aws.has_status("ROLLBACK_IN_PROGRESS")
    lifted = {"StackName": STACK_ID, "EnableTerminationProtection": False}
    aws.cloudformation.add_response("update_termination_protection", {"StackId": STACK_ID}, lifted)
    assert call("Delete", "Custom::TerminationProtection") == {"PhysicalResourceId": "termination-protection"}


@pytest.mark.parametrize("status", OTHER_STATUSES)
def test_any_other_deletion_of_the_resource_leaves_the_termination_protection(aws: Aws, status: str) -> None:
    aws.has_status(status)
    call("Delete", "Custom::TerminationProtection")


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_a_deployment_leaves_the_termination_protection_to_the_cli(aws: Aws, request_type: str) -> None:
    call(request_type, "Custom::TerminationProtection")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"Protected": "yes"}, "Protected must be 'true' or 'false' .got 'yes'"),
        ({"DBInstanceIdentifier": ""}, "DBInstanceIdentifier must be a text .got ''"),
    ],
)
def test_malformed_properties_are_rejected(aws: Aws, properties: dict[str, str], message: str) -> None:
    with pytest.raises(MigratorError, match=message):
        call("Create", properties=properties)


def test_another_type_of_resource_is_rejected(aws: Aws) -> None:
    with pytest.raises(MigratorError, match=r"ResourceType must be .* \(got 'Custom::Other'\)"):
        call("Create", "Custom::Other")
