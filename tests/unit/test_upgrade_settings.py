import pytest

from migrator.errors import MigratorError
from migrator.settings import UpgradeSettings


def test_a_table_is_waited_for_three_seconds_unless_chosen_otherwise() -> None:
    assert UpgradeSettings.from_environment({}).session()["lock_timeout"] == "3000ms"
    assert UpgradeSettings.from_environment({"LOCK_TIMEOUT_SECONDS": "0.25"}).session()["lock_timeout"] == "250ms"
    assert UpgradeSettings.from_environment({"LOCK_TIMEOUT_SECONDS": "300"}).session()["lock_timeout"] == "300000ms"


@pytest.mark.parametrize("value", ["", "0", "-1", "301", "3s", "nan", "inf"])
def test_a_lock_timeout_that_is_none_is_refused_with_what_is_allowed(value: str) -> None:
    with pytest.raises(MigratorError, match=f"LOCK_TIMEOUT_SECONDS is '{value}', allowed are numbers up to 300"):
        UpgradeSettings.from_environment({"LOCK_TIMEOUT_SECONDS": value})
