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


def test_settings_come_from_libpqs_variables(environ: dict[str, str], tmp_path: Path) -> None:
    assert DatabaseSettings.from_environment(environ) == DatabaseSettings(
        host="db.example",
        port=5432,
        database="app",
        user="migrator",
        ssl_root_cert=tmp_path / "rds-ca.pem",
        region="eu-central-1",
    )


def test_an_absolute_root_certificate_is_taken_as_it_is(environ: dict[str, str], tmp_path: Path) -> None:
    certificate = tmp_path / "elsewhere.pem"
    certificate.touch()
    settings = DatabaseSettings.from_environment(environ | {"PGSSLROOTCERT": str(certificate)})
    assert settings.ssl_root_cert == certificate


def test_one_error_names_everything_that_is_missing() -> None:
    with pytest.raises(SettingsError) as error:
        DatabaseSettings.from_environment({"PGHOST": "db.example", "PGUSER": ""})
    assert str(error.value) == (
        "bad environment: PGPORT is not set; PGDATABASE is not set; PGUSER is not set;"
        " PGSSLROOTCERT is not set; AWS_REGION is not set"
    )


@pytest.mark.parametrize("port", ["0", "65536", "-1", "5432 ", "٣", "pg"])
def test_a_bad_port_is_refused_with_what_is_allowed(environ: dict[str, str], port: str) -> None:
    with pytest.raises(SettingsError, match=r"PGPORT is .*, allowed are 1 to 65535"):
        DatabaseSettings.from_environment(environ | {"PGPORT": port})


def test_a_root_certificate_that_is_not_there_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"PGSSLROOTCERT is '.*/other\.pem', which is no file"):
        DatabaseSettings.from_environment(environ | {"PGSSLROOTCERT": "other.pem"})
