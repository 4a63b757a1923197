"""From where the app takes its settings."""

from app import read_settings


def test_a_setting_comes_from_the_context_or_else_from_the_environment() -> None:
    context = {"stage": "prod", "lock-timeout": 0}
    environ = {
        "PRIVATE_DATABASE_STAGE": "dev",
        "PRIVATE_DATABASE_RDS_CA": "/ca.crt",
        "PRIVATE_DATABASE_QUERIER_SCHEDULE": "rate(1 day)",
        "RDS_CA": "/another",
    }
    assert read_settings(context.get, environ) == {
        "stage": "prod",
        "lock-timeout": "0",
        "rds-ca": "/ca.crt",
        "querier-schedule": "rate(1 day)",
    }
