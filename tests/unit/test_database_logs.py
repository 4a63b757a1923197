"""The retention of the logs that RDS exports. Botocore's stubber replaces CloudWatch Logs."""

from collections.abc import Iterator, Mapping

import boto3
import pytest
from botocore.stub import Stubber

from migrator import aws_calls, logs_handler
from migrator.errors import MigratorError

GROUP = "/aws/rds/instance/production/postgresql"


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "test"

    def get_remaining_time_in_millis(self) -> int:
        return 16_000


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("logs", region_name="eu-central-1", aws_access_key_id="key", aws_secret_access_key="secret")
    monkeypatch.setattr("boto3.client", lambda _name: client)
    monkeypatch.setattr(aws_calls, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(logs_handler, "is_rolling_back", lambda event: "rolling back" in event)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def call(
    request_type: str, properties: Mapping[str, object] | None = None, *, rolling_back: bool = False
) -> dict[str, str]:
    event: dict[str, object] = {
        "RequestType": request_type,
        "ResourceProperties": {"LogGroupNames": [GROUP], "RetentionInDays": "30", **(properties or {})},
        **({"rolling back": True} if rolling_back else {}),
    }
    answer: dict[str, str] = logs_handler.handler(event, Context())
    return answer


def expect_retention(logs: Stubber) -> None:
    logs.add_response("put_retention_policy", {}, {"logGroupName": GROUP, "retentionInDays": 30})


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_a_log_group_that_rds_has_not_created_yet_is_created_with_its_retention(
    logs: Stubber, request_type: str
) -> None:
    logs.add_response("create_log_group", {}, {"logGroupName": GROUP})
    expect_retention(logs)
    assert call(request_type) == {"PhysicalResourceId": "database-logs"}


def test_a_log_group_that_rds_has_created_gets_its_retention(logs: Stubber) -> None:
    logs.add_client_error("create_log_group", "ResourceAlreadyExistsException")
    expect_retention(logs)
    call("Create")


def test_a_permission_that_has_not_taken_effect_yet_is_retried(logs: Stubber) -> None:
    logs.add_client_error("create_log_group", "AccessDeniedException")
    logs.add_response("create_log_group", {}, {"logGroupName": GROUP})
    expect_retention(logs)
    call("Create")


def test_a_rollback_succeeds_when_the_retention_cannot_be_set(logs: Stubber) -> None:
    logs.add_client_error("create_log_group", "AccessDeniedException")
    assert call("Update", rolling_back=True) == {"PhysicalResourceId": "database-logs"}


def test_the_logs_stay_when_the_stack_is_deleted(logs: Stubber) -> None:
    assert call("Delete") == {"PhysicalResourceId": "database-logs"}


def test_another_error_of_cloudwatch_fails_the_deployment(logs: Stubber) -> None:
    logs.add_client_error("create_log_group", "LimitExceededException")
    with pytest.raises(MigratorError, match="LimitExceededException"):
        call("Create")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"LogGroupNames": "one"}, "LogGroupNames must be a list of names .got 'one'"),
        ({"LogGroupNames": [""]}, "LogGroupNames must be a list of names"),
        (
            {"RetentionInDays": "a month"},
            "RetentionInDays must be a whole number of days above 0, .* .got 'a month'",
        ),
    ],
)
def test_malformed_properties_are_rejected(logs: Stubber, properties: dict[str, object], message: str) -> None:
    with pytest.raises(MigratorError, match=message):
        call("Create", properties)
