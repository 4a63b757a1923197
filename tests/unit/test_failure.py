import json
from unittest.mock import create_autospec

import pytest
from aws_lambda_powertools import Logger

from migrator.errors import MigratorError, UpgradeError
from migrator.failure import MAX_BYTES, brief, report_failure

KEYS = {"AWS_SECRET_ACCESS_KEY": "verysecret", "AWS_SESSION_TOKEN": "sessiontoken"}


def test_our_own_errors_speak_for_themselves() -> None:
    assert brief(UpgradeError("revision a failed:\n  no"), KEYS) == "revision a failed: no"


def test_a_foreign_error_names_its_type() -> None:
    assert brief(KeyError("x"), KEYS) == "KeyError: 'x'"


def test_credentials_and_tokens_are_blotted_out() -> None:
    token = "db:5432/?Action=connect&X-Amz-Security-Token=abc%2F&X-Amz-Signature=ff00"
    text = brief(ValueError(f"verysecret {token} sessiontoken"), KEYS)
    assert text == "ValueError: *** db:5432/?Action=connect&X-Amz-Security-Token=***&X-Amz-Signature=*** ***"


@pytest.mark.parametrize("letter", ["x", "ä", "😀"])
def test_a_long_message_is_cut_at_whole_characters(letter: str) -> None:
    text = brief(UpgradeError(letter * 5000), {})
    assert MAX_BYTES - 8 < len(text.encode()) <= MAX_BYTES
    assert text.endswith("...")


def test_a_failure_is_logged_counted_and_raised_as_ours(capsys: pytest.CaptureFixture[str]) -> None:
    logger = create_autospec(Logger, instance=True)
    with (
        pytest.raises(MigratorError, match=r"^ZeroDivisionError: division by zero$"),
        report_failure("upgrade failed", logger, metric="UpgradeFailed"),
    ):
        1 / 0  # noqa: B018 - the point
    logger.exception.assert_called_once()
    assert json.loads(capsys.readouterr().out)["UpgradeFailed"] == [1]
