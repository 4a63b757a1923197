import json
import sys

import pytest
from aws_lambda_powertools import Logger

from migrator.errors import MigratorError, UpgradeError
from migrator.reporting import MAX_BYTES, redacted, report_failure

KEYS = {"AWS_SECRET_ACCESS_KEY": "verysecret", "AWS_SESSION_TOKEN": "sessiontoken"}


def test_an_error_of_this_project_is_reported_without_its_type() -> None:
    assert redacted(UpgradeError("revision a failed:\n  no"), KEYS) == "revision a failed: no"


def test_an_error_of_another_library_is_reported_with_its_type() -> None:
    assert redacted(KeyError("x"), KEYS) == "KeyError: 'x'"


def test_credentials_and_tokens_are_redacted() -> None:
    token = "db:5432/?Action=connect&X-Amz-Security-Token=abc%2F&X-Amz-Signature=ff00"
    text = redacted(ValueError(f"verysecret {token} sessiontoken"), KEYS)
    assert text == "ValueError: *** db:5432/?Action=connect&X-Amz-Security-Token=***&X-Amz-Signature=*** ***"


@pytest.mark.parametrize("letter", ["x", "ä", "😀"])
def test_a_long_message_is_truncated_between_characters(letter: str) -> None:
    text = redacted(UpgradeError(letter * 5000), {})
    assert MAX_BYTES - 8 < len(text.encode()) <= MAX_BYTES
    assert text.endswith("...")


def test_a_message_of_the_longest_length_is_not_truncated() -> None:
    assert redacted(UpgradeError("x" * MAX_BYTES), {}) == "x" * MAX_BYTES


def test_a_failure_is_logged_with_its_traceback_counted_and_raised_as_a_migrator_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = Logger(service="test", stream=sys.stdout)
    with (
        pytest.raises(MigratorError, match=r"^ZeroDivisionError: division by zero$"),
        report_failure("upgrade failed", logger, metric="UpgradeFailed"),
    ):
        1 / 0  # noqa: B018 - the point
    log, metric = map(json.loads, capsys.readouterr().out.splitlines())
    assert log["message"] == "upgrade failed"
    assert "ZeroDivisionError: division by zero" in log["exception"]
    assert metric["UpgradeFailed"] == [1]
