import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra import settings
from infra.settings import PROJECT, Architecture, Stage
from rds_alembic.assets.rds_ca import covered_regions
from rds_alembic.errors import RdsAlembicError

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_a_lock_timeout_is_given_in_seconds() -> None:
    assert settings.parse({"lock-timeout": "0.5"}).lock_timeout_seconds == 0.5


def test_explicit_choices_for_an_upgrade_are_empty_unless_they_are_made() -> None:
    assert settings.parse({}).upgrade == settings.UpgradeSettings()
    context = {"baseline": "a", "allow-ahead": "b,c", "rerun": "1"}
    assert settings.parse(context).upgrade == settings.UpgradeSettings(baseline="a", allow_ahead="b,c", rerun="1")


def test_without_context_it_is_the_dev_stage_of_the_design() -> None:
    chosen = settings.parse({})
    assert chosen.stage is Stage.DEV
    assert chosen.region == "eu-central-1"
    assert chosen.functions.architecture is Architecture.ARM64
    assert chosen.querier_schedule == "cron(0 4 * * ? *)"
    assert chosen.alembic_project == PROJECT
    assert chosen.rds_ca.name == "eu-central-1.pem"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("stage", "staging", "stage is 'staging', allowed is dev or prod"),
        ("protection", "none", "protection is 'none', allowed is on or off"),
        ("architecture", "mips", "architecture is 'mips', allowed is arm64 or x86_64"),
        ("lock-timeout", "0", "lock-timeout is '0', allowed are seconds up to 300"),
        ("lock-timeout", "301", "lock-timeout is '301', allowed are seconds up to 300"),
        ("lock-timeout", "3s", "lock-timeout is '3s', allowed are seconds up to 300"),
        ("querier-schedule", "daily", "querier-schedule is 'daily', allowed is cron(six fields) or"),
        ("querier-schedule", "cron(0 4 * * *)", "querier-schedule is 'cron(0 4 * * *)', allowed is"),
        ("querier-schedule", "rate(1 minutes)", "querier-schedule is 'rate(1 minutes)', allowed is"),
        ("alembic-project", "nowhere", "alembic-project is 'nowhere', allowed is a folder that has an alembic.ini"),
        ("rds-ca", "no.pem", "rds-ca is 'no.pem', allowed is the path of a file with PEM certificates"),
        ("rds-ca", "cdk.json", "rds-ca is 'cdk.json', allowed is the path of a file with PEM certificates"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(key: str, value: str, message: str) -> None:
    with pytest.raises(RdsAlembicError) as refused:
        settings.parse({key: value})
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("expression", ["rate(1 minute)", "rate(5 minutes)", "rate(12 hours)", "cron(0 4 ? * MON *)"])
def test_schedules_of_eventbridge_are_taken(expression: str) -> None:
    assert settings.parse({"querier-schedule": expression}).querier_schedule == expression


def test_everything_wrong_is_listed_at_once() -> None:
    with pytest.raises(RdsAlembicError) as refused:
        settings.parse({"stage": "x", "architecture": "y", "querier-schedule": "z"}, region="mars-north-1")
    for wrong in ("stage is 'x'", "architecture is 'y'", "querier-schedule is 'z'", "region is 'mars-north-1'"):
        assert wrong in str(refused.value)


def test_a_region_without_roots_is_refused_naming_the_regions_that_have_them() -> None:
    with pytest.raises(RdsAlembicError, match="region is 'il-central-1'") as refused:
        settings.parse({}, region="il-central-1")
    assert ", ".join(covered_regions()) in str(refused.value)
    assert "rds-ca" in str(refused.value)


def test_a_region_without_roots_is_taken_with_a_bundle_of_ones_own(tmp_path: Path) -> None:
    bundle = tmp_path / "own.pem"
    bundle.write_text(PEM)
    assert settings.parse({"rds-ca": str(bundle)}, region="il-central-1").rds_ca == bundle


def test_the_app_reports_bad_context_in_one_line_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env=os.environ | {"CDK_CONTEXT_JSON": json.dumps({"stage": "staging"}), "CDK_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error: stage is 'staging', allowed is dev or prod" in done.stderr
    assert "Traceback" not in done.stderr
