from pathlib import Path

import pytest

from infra.context import parse
from infra.settings import PROJECT, Stage
from rds_alembic import RdsAlembicError
from rds_alembic.assets.rds_ca import covered_regions

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_a_lock_timeout_is_a_number_of_seconds() -> None:
    assert parse({"lock-timeout": "0.5"}).lock_timeout_seconds == 0.5


def test_the_choices_for_one_deployment_come_from_the_context() -> None:
    settings = parse({"baseline": "a", "allow-ahead": "b,c", "rerun": "1"})
    assert (settings.baseline, settings.allow_ahead, settings.rerun) == ("a", "b,c", "1")


def test_the_defaults_are_those_of_the_stage_dev() -> None:
    settings = parse({})
    assert settings.stage is Stage.DEV
    assert settings.region == "eu-central-1"
    assert settings.architecture.name == "arm64"
    assert settings.querier_schedule == "cron(0 4 * * ? *)"
    assert settings.alembic_project == PROJECT
    assert settings.lock_timeout_seconds == 3
    assert settings.rds_ca.name == "eu-central-1.pem"
    assert (settings.baseline, settings.allow_ahead, settings.rerun) == ("", "", "")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("stage", "staging", "stage must be dev or prod (got 'staging')"),
        ("protection", "none", "protection must be on or off (got 'none')"),
        ("querier", "yes", "querier must be on or off (got 'yes')"),
        ("architecture", "mips", "architecture must be arm64 or x86_64 (got 'mips')"),
        ("lock-timeout", "0", "lock-timeout must be a number of seconds above 0, up to 300 (got '0')"),
        ("lock-timeout", "301", "lock-timeout must be a number of seconds above 0, up to 300 (got '301')"),
        ("lock-timeout", "3s", "lock-timeout must be a number of seconds above 0, up to 300 (got '3s')"),
        ("querier-schedule", "daily", "querier-schedule must be cron(six fields) or a rate"),
        ("querier-schedule", "cron(0 4 * * *)", "querier-schedule must be cron(six fields) or a rate"),
        ("querier-schedule", "rate(1 minutes)", "querier-schedule must be cron(six fields) or a rate"),
        ("alarm-subscribers", "ops", "alarm-subscribers must be email addresses or https:// addresses"),
        ("alarm-subscribers", "a@example.com, http://example.com", "alarm-subscribers must be email addresses or"),
        ("alarm-subscribers", "a@example.com;b@example.com", "alarm-subscribers must be email addresses or"),
        ("alembic-project", "nowhere", "alembic-project must be a folder with an alembic.ini or"),
        ("snapshot", "before deploy", "snapshot must be the identifier or the ARN of a DB snapshot (got"),
        ("snapshot", "x;y", "snapshot must be the identifier or the ARN of a DB snapshot (got"),
        ("rds-ca", "no.pem", "rds-ca must be the path of a file with PEM certificates (got 'no.pem')"),
        ("rds-ca", "cdk.json", "rds-ca must be the path of a file with PEM certificates (got 'cdk.json')"),
    ],
)
def test_an_invalid_value_is_rejected_with_the_rule_and_the_value(key: str, value: str, message: str) -> None:
    with pytest.raises(RdsAlembicError) as error:
        parse({key: value})
    assert str(error.value).startswith(message)
    assert f"(got {value!r})" in str(error.value)


@pytest.mark.parametrize(
    ("context", "has_querier"),
    [
        ({}, True),
        ({"alembic-project": "."}, True),
        ({"alembic-project": str(PROJECT)}, True),
        ({"querier": "off"}, False),
        ({"alembic-project": "{other}"}, False),
        ({"alembic-project": "{other}", "querier": "on"}, True),
    ],
)
def test_the_querier_is_by_default_in_the_stack_of_the_example_project_only(
    context: dict[str, str], has_querier: bool, tmp_path: Path
) -> None:
    (tmp_path / "alembic.ini").touch()
    settings = parse({name: value.format(other=tmp_path) for name, value in context.items()})
    assert settings.has_querier == has_querier
    assert settings.users == (("querier",) if has_querier else ())


@pytest.mark.parametrize("expression", ["rate(1 minute)", "rate(5 minutes)", "rate(12 hours)", "cron(0 4 ? * MON *)"])
def test_schedule_expressions_of_eventbridge_are_accepted(expression: str) -> None:
    assert parse({"querier-schedule": expression}).querier_schedule == expression


@pytest.mark.parametrize(
    "snapshot", ["before", "rds:shop-2026-11-25-04-05", "arn:aws:rds:eu-central-1:111122223333:snapshot:before"]
)
def test_a_snapshot_has_a_name_or_an_arn(snapshot: str) -> None:
    assert parse({"snapshot": snapshot}).database.snapshot == snapshot


def test_an_existing_database_is_not_restored() -> None:
    existing = {"database": "shop", "vpc": "vpc-0a1b2c3d", "master-secret": "shop"}
    with pytest.raises(RdsAlembicError, match="snapshot must be omitted with an existing database"):
        parse({**existing, "snapshot": "before"})


def test_one_error_lists_all_problems() -> None:
    with pytest.raises(RdsAlembicError) as error:
        parse({"stage": "x", "architecture": "y", "querier-schedule": "z"}, region="mars-north-1")
    for value in ("'x'", "'y'", "'z'", "'mars-north-1'"):
        assert f"(got {value})" in str(error.value)


def test_a_region_without_root_certificates_is_rejected_with_the_covered_regions() -> None:
    with pytest.raises(RdsAlembicError, match=r"region must be one of .*got 'il-central-1'.* rds-ca") as error:
        parse({}, region="il-central-1")
    assert ", ".join(covered_regions()) in str(error.value)


def test_a_region_without_root_certificates_is_accepted_with_a_pem_file(tmp_path: Path) -> None:
    bundle = tmp_path / "own.pem"
    bundle.write_text(PEM)
    assert parse({"rds-ca": str(bundle)}, region="il-central-1").rds_ca == bundle


@pytest.mark.parametrize(
    ("context", "allowed"),
    [
        ({}, True),
        ({"downgrade": "off"}, False),
        ({"stage": "prod"}, False),
        ({"stage": "prod", "downgrade": "on"}, True),
    ],
)
def test_a_downgrade_is_allowed_by_the_stage_or_by_the_setting(context: dict[str, str], allowed: bool) -> None:
    assert parse(context).allow_downgrade is allowed
