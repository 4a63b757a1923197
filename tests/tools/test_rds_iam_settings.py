from pathlib import Path

import pytest

from rds_iam.errors import SettingsError
from rds_iam.settings import DatabaseSettings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "rds-ca.pem").touch()
    return {
        "AWS_REGION": "eu-central-1",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "PGDATABASE": "app",
        "PGHOST": "db.example",
        "PGPORT": "5432",
        "PGSSLROOTCERT": "rds-ca.pem",
        "PGUSER": "migrator",
    }


def test_settings_are_read_from_the_variables_of_libpq(environ: dict[str, str], tmp_path: Path) -> None:
    assert DatabaseSettings.from_environment(environ) == DatabaseSettings(
        host="db.example",
        port=5432,
        database="app",
        user="migrator",
        ssl_root_cert=tmp_path / "rds-ca.pem",
        region="eu-central-1",
    )


def test_the_root_certificate_may_have_an_absolute_path(environ: dict[str, str], tmp_path: Path) -> None:
    certificate = tmp_path / "elsewhere.pem"
    certificate.touch()
    settings = DatabaseSettings.from_environment(environ | {"PGSSLROOTCERT": str(certificate)})
    assert settings.ssl_root_cert == certificate


def test_one_error_names_all_missing_and_malformed_settings() -> None:
    with pytest.raises(SettingsError) as error:
        DatabaseSettings.from_environment({"PGHOST": "db.example", "PGUSER": ""})
    assert str(error.value) == (
        "bad environment: PGDATABASE must be set (got nothing); PGUSER must be set (got nothing);"
        " AWS_REGION must be set (got nothing); PGPORT must be a number between 1 and 65535 (got '');"
        " PGSSLROOTCERT must be an existing file (got '.')"
    )


@pytest.mark.parametrize("port", ["1", "65535"])
def test_the_lowest_and_the_highest_port_are_accepted(environ: dict[str, str], port: str) -> None:
    assert DatabaseSettings.from_environment(environ | {"PGPORT": port}).port == int(port)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "5432 ", "٣", "pg"])
def test_a_malformed_port_is_rejected_with_the_rule(environ: dict[str, str], port: str) -> None:
    with pytest.raises(SettingsError, match=rf"PGPORT must be a number between 1 and 65535 \(got '{port}'\)"):
        DatabaseSettings.from_environment(environ | {"PGPORT": port})


def test_a_root_certificate_that_does_not_exist_is_rejected(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"PGSSLROOTCERT must be an existing file \(got '.*/other\.pem'\)"):
        DatabaseSettings.from_environment(environ | {"PGSSLROOTCERT": "other.pem"})
