import pytest

from migrator.errors import MigratorError
from migrator.settings import UpgradeSettings


@pytest.mark.parametrize(
    ("environ", "limit"),
    [
        ({}, "3000ms"),
        ({"LOCK_TIMEOUT_SECONDS": "0.25"}, "250ms"),
        ({"LOCK_TIMEOUT_SECONDS": "300"}, "300000ms"),
    ],
)
def test_a_statement_waits_three_seconds_for_a_table_unless_the_environment_says_otherwise(
    environ: dict[str, str], limit: str
) -> None:
    assert UpgradeSettings.from_environment(environ).server_settings()["lock_timeout"] == limit


@pytest.mark.parametrize("value", ["", "0", "-1", "301", "3s", "nan", "inf"])
def test_a_malformed_lock_timeout_is_rejected_with_the_rule(value: str) -> None:
    with pytest.raises(MigratorError, match=rf"LOCK_TIMEOUT_SECONDS must be .* up to 300 \(got '{value}'\)"):
        UpgradeSettings.from_environment({"LOCK_TIMEOUT_SECONDS": value})
