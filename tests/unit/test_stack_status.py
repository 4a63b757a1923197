"""The status of the stack decides whether an Update is a rollback. Botocore's stubber replaces CloudFormation."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from migrator.stack_status import is_rolling_back

STACK_ID = "arn:aws:cloudformation:eu-central-1:000000000000:stack/PrivateDatabase/6f1f7e60"
UPDATE: dict[str, object] = {"RequestType": "Update", "StackId": STACK_ID}


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client(
        "cloudformation", region_name="eu-central-1", aws_access_key_id="a key", aws_secret_access_key="a secret"
    )

    def create_client(service: str, *, config: Any) -> Any:
        assert service == "cloudformation"
        longest = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
        assert longest <= 20, "a rollback must not wait long for an API that does not answer"
        return client

    monkeypatch.setattr("boto3.client", create_client)
    with Stubber(client) as stubber:
        yield stubber


def answer(status: str) -> dict[str, object]:
    return {"Stacks": [{"StackName": "PrivateDatabase", "CreationTime": "2026-11-25T00:00:00Z", "StackStatus": status}]}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("UPDATE_IN_PROGRESS", False),
        ("UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False),
    ],
)
def test_the_status_of_the_stack_distinguishes_a_rollback_from_a_deployment(
    cloudformation: Stubber, status: str, expected: bool
) -> None:
    cloudformation.add_response("describe_stacks", answer(status), {"StackName": STACK_ID})
    assert is_rolling_back(UPDATE) is expected


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "ValidationError"])
def test_a_rollback_is_unknown_when_cloudformation_does_not_answer(
    cloudformation: Stubber, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    cloudformation.add_client_error("describe_stacks", code)
    assert is_rolling_back(UPDATE) is None
    assert [record.message for record in caplog.records] == ["the status of the stack cannot be read"]


@pytest.mark.parametrize("request_type", ["Create", "Delete"])
def test_only_an_update_can_be_a_rollback(request_type: str) -> None:
    assert is_rolling_back({"RequestType": request_type, "StackId": STACK_ID}) is False
