"""Every command of the runbook, on the deployed stack.

`rds-alembic` runs for real, as an operator with the permission to change. The commands of the aws CLI are checked
against the model of the API, and those that read run. `make`, `cdk` and `alembic` are checked without being run.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]  # without stubs
import psycopg2
import pytest
from alembic.config import CommandLine
from click.testing import CliRunner, Result

from infra.context import CONTEXT_KEYS, parse
from localaws.aws import LocalAws
from localaws.cdk import STACK
from localaws.constants import CHECKOUT, REGION
from rds_alembic import outputs
from rds_alembic.cli.commands import main
from tests.e2e.operators import create_operator
from tests.e2e.runbook import AwsCall, commands
from tests.e2e.stack import Deployed, as_master, select

PLACEHOLDERS = {
    "REVISION": "second",
    "TIME": "2026-11-25T10:00:00Z",
    "SNAPSHOT": "before-the-deployment",
    "VPC": "vpc-0a1b2c3d4e5f60718",
    "SECRET": "shop",
}
CHANGING = ("upgrade", "stamp", "rerun", "terminate", "cancel", "unstick")
ALL = commands()


def of_program(*programs: str) -> list[Any]:
    return [pytest.param(words, id=" ".join(words)[:90]) for words in ALL if words[0] in programs]


def test_each_command_belongs_to_a_program_that_is_checked() -> None:
    programs = {words[0] for words in ALL}
    assert programs == {"rds-alembic", "aws", "make", "export", ".venv/bin/alembic", "node_modules/.bin/cdk"}
    assert [f"export RDS_ALEMBIC_STACK={STACK}".split()] == [words for words in ALL if words[0] == "export"]


@pytest.fixture(scope="module")
def operator(aws: LocalAws, created: Deployed) -> Mapping[str, str]:
    """Return the environment of an operator with the permission to change."""
    [stack] = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    [policy] = [entry["OutputValue"] for entry in stack["Outputs"] if entry.get("Description") == outputs.CHANGE_POLICY]
    return {**aws.env(), **create_operator(aws, "on-call", policy), "RDS_ALEMBIC_STACK": STACK}


@pytest.fixture
def other_session(aws: LocalAws) -> Iterator[Any]:
    """Open a session of the querier, which blocks nothing."""
    with closing(aws.connect("querier")) as session:
        yield session


@pytest.fixture
def upgrade_session(aws: LocalAws) -> Iterator[Any]:
    """Open a session with the name of an upgrade."""
    with closing(aws.connect("migrator")) as session:
        session.autocommit = True
        session.cursor().execute("SET application_name = 'alembic-upgrade runbook'")
        yield session


def run(words: Sequence[str], operator: Mapping[str, str], *, pid: int = 0) -> Result:
    """Run rds-alembic in this process, off a terminal."""
    arguments = [str(pid) if word == "PID" else PLACEHOLDERS.get(word, word) for word in words[1:]]
    confirmed = ["--yes"] if words[1] in CHANGING and "--sql" not in words else []
    unset = {name: None for name in os.environ if name.startswith("AWS_")}
    return CliRunner().invoke(main, [*arguments, *confirmed], env={**unset, **operator})


ENDING = ("terminate", "cancel")


@pytest.mark.parametrize("words", [case for case in of_program("rds-alembic") if case.values[0][1] not in ENDING])
def test_a_command_of_rds_alembic_runs(
    aws: LocalAws, upgraded: dict[str, str], operator: Mapping[str, str], words: list[str]
) -> None:
    result = run(words, operator)
    if words[1] == "unstick":
        assert "the stack must be in UPDATE_ROLLBACK_FAILED (got UPDATE_COMPLETE)" in result.output
        return
    # `check` exits with 1, because the test's revision added a column that the models lack.
    assert result.exit_code == (1 if words[1] == "check" else 0), result.output
    may_be_empty = words[1] == "logs" or "--sql" in words or "NOT indisvalid" in words[-1]
    assert result.stdout.strip() or may_be_empty


@pytest.mark.parametrize("words", [case for case in of_program("rds-alembic") if case.values[0][1] == "terminate"])
def test_a_session_is_ended(
    upgraded: dict[str, str], operator: Mapping[str, str], other_session: Any, upgrade_session: Any, words: list[str]
) -> None:
    session = other_session if "--any" in words else upgrade_session
    result = run(words, operator, pid=session.info.backend_pid)
    assert result.exit_code == 0, result.output
    with pytest.raises(psycopg2.OperationalError):
        session.cursor().execute("SELECT 1")


def test_the_statement_of_an_upgrade_is_canceled(
    upgraded: dict[str, str], operator: Mapping[str, str], upgrade_session: Any
) -> None:
    with ThreadPoolExecutor(1) as pool:
        statement: Future[None] = pool.submit(upgrade_session.cursor().execute, "SELECT pg_sleep(60)")
        result = run(["rds-alembic", "cancel"], operator)
        assert result.exit_code == 0, result.output
        assert isinstance(statement.exception(30), psycopg2.errors.QueryCanceled)
    assert ["rds-alembic", "cancel"] in ALL


def test_rerun_restores_a_login_that_the_migrator_has_lost(
    aws: LocalAws, upgraded: dict[str, str], operator: Mapping[str, str]
) -> None:
    as_master(aws, "REVOKE rds_iam FROM migrator")
    result = run(["rds-alembic", "rerun"], operator)
    assert result.exit_code == 0, result.output
    assert select(aws, "SELECT session_user") == [("migrator",)]


READING = ("describe_", "filter_", "receive_")


@pytest.mark.parametrize("words", of_program("aws"))
def test_a_command_of_the_aws_cli_is_a_valid_call_and_runs_if_it_reads(
    aws: LocalAws, created: Deployed, words: list[str]
) -> None:
    [database] = aws.client("rds").describe_db_instances()["DBInstances"]
    groups = {
        "/aws/lambda/GROUP": f"/aws/lambda/{created.outputs['QuerierFunction']}",
        "/aws/rds/instance/INSTANCE/postgresql": "",
        "/aws/rds/instance/INSTANCE/iam-db-auth-error": "",
    }
    values = {**PLACEHOLDERS, **created.outputs, **groups, "INSTANCE": database["DBInstanceIdentifier"]}
    session = boto3.Session(region_name=REGION)
    call = AwsCall.parse([values.get(word, word) for word in words], session.client(words[1]))
    if not call.method.startswith(READING) or call.waiter or call.arguments.get("logGroupName") == "":
        return
    response = getattr(aws.client(call.service), call.method)(**call.arguments)
    if call.query and call.method != "describe_db_engine_versions":
        assert jmespath.search(call.query, response) is not None


@pytest.mark.parametrize("words", of_program("make"))
def test_a_target_of_make_and_its_settings_exist(words: list[str]) -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    _, target, *variables = words
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    settings: dict[str, str] = {}
    for variable in variables:
        name, _, value = variable.partition("=")
        assert name == "ARGS"
        for setting in re.findall(r"-c (\S+)", value):
            key, _, text = setting.partition("=")
            settings[key] = PLACEHOLDERS.get(text, text)
    assert settings.keys() <= set(CONTEXT_KEYS)
    parse({key: value for key, value in settings.items() if value != "INSTANCE"} | instance_of(settings))


def instance_of(settings: Mapping[str, str]) -> dict[str, str]:
    return {"database": "shop"} if settings.get("database") == "INSTANCE" else {}


@pytest.mark.parametrize("words", of_program(".venv/bin/alembic"))
def test_a_command_of_alembic_has_valid_options(words: list[str]) -> None:
    assert CommandLine().parser.parse_args(words[1:]).cmd


@pytest.mark.parametrize("words", of_program("node_modules/.bin/cdk"))
def test_the_lookups_of_cdk_can_be_forgotten(words: list[str]) -> None:
    assert words[1:] == ["context", "--clear"]
