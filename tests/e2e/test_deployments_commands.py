"""The command rds-alembic on the deployed stack, by operators whose permissions the local AWS evaluates."""

from collections.abc import Mapping

import boto3
import pytest

from localaws.aws import FunctionError, LocalAws
from localaws.cdk import STACK
from localaws.constants import REGION
from rds_alembic import outputs
from rds_alembic.cli.identity import sign_identity
from tests.e2e.operators import answer_of, create_operator, run_command
from tests.e2e.stack import Deployed, select

type Operator = Mapping[str, str]


def output(aws: LocalAws, description: str) -> str:
    [stack] = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    [value] = [entry["OutputValue"] for entry in stack["Outputs"] if entry.get("Description") == description]
    return str(value)


@pytest.fixture(scope="module")
def reading(aws: LocalAws, created: Deployed) -> Operator:
    """Return an operator with the permission to read."""
    return create_operator(aws, "reading", output(aws, outputs.READ_POLICY))


@pytest.fixture(scope="module")
def changing(aws: LocalAws, created: Deployed) -> Operator:
    """Return an operator with the permission to change."""
    return create_operator(aws, "changing", output(aws, outputs.CHANGE_POLICY))


CHANGES = (
    *(("upgrade", "--yes"), ("upgrade", "head", "--sql"), ("downgrade", "base", "--yes"), ("stamp", "base", "--yes")),
    ("rerun", "--yes"),
)


@pytest.mark.parametrize("command", CHANGES, ids=" ".join)
def test_an_operator_with_the_reading_permission_is_refused_every_change(
    aws: LocalAws, upgraded: dict[str, str], reading: Operator, command: tuple[str, ...]
) -> None:
    result = run_command(aws, *command, operator=reading)
    assert (result.returncode, result.stdout) == (1, "")
    assert (
        "the caller must have the permission lambda:InvokeFunction on PrivateDatabase-OperationsChange" in result.stderr
    )
    assert f"attach the managed policy {output(aws, outputs.CHANGE_POLICY)}" in result.stderr


def test_the_reading_function_has_no_changing_command(
    aws: LocalAws, upgraded: dict[str, str], reading: Operator
) -> None:
    for command in ("upgrade", "downgrade", "stamp", "cancel", "terminate", "roles", "plan"):
        with pytest.raises(FunctionError, match=rf"command must be one of .* \(got '{command}'\)"):
            aws.invoke(output(aws, outputs.READ_FUNCTION), {"command": command})


def test_changes_are_recorded_with_the_verified_caller(
    aws: LocalAws, upgraded: dict[str, str], changing: Operator
) -> None:
    refused = run_command(aws, "stamp", "e351aa908b6f", operator=changing)
    assert "--yes must be set off a terminal" in refused.stderr
    assert select(aws, "SELECT version_num FROM alembic_version") == [("second",)]
    answer_of(aws, "stamp", "e351aa908b6f", "--yes", operator=changing)
    answer = answer_of(aws, "stamp", "head", "--yes", operator=changing)
    assert answer["revision"] == ["second"]
    assert answer_of(aws, "rerun", "--yes", operator=changing)["complete"] is True
    callers = select(aws, "SELECT command, caller FROM alembic_history.operations ORDER BY id")
    arn = "arn:aws:iam::000000000000:user/changing"
    assert callers == [("stamp", arn), ("stamp", arn), ("roles", arn)]
    operations = answer_of(aws, "status", operator=changing)["operations"]
    assert [(entry["command"], entry["caller"]) for entry in operations] == [*reversed(callers)]


@pytest.mark.parametrize("change", ["signature", "missing"])
def test_a_change_without_a_valid_signature_is_rejected(aws: LocalAws, upgraded: dict[str, str], change: str) -> None:
    function = output(aws, outputs.CHANGE_FUNCTION)
    session = boto3.Session(aws.state.access_key, "another secret", region_name=REGION)
    headers = sign_identity(session, function)
    event = {"command": "roles", **({"identity": headers} if change == "signature" else {})}
    with pytest.raises(FunctionError, match=r"must be verified by STS, which answered 403|identity must be the signed"):
        aws.invoke(function, event)


def test_an_operator_with_the_reading_permission_sees_the_state_of_the_database(
    aws: LocalAws, upgraded: dict[str, str], reading: Operator
) -> None:
    answer = answer_of(aws, "status", operator=reading)
    assert (answer["stack"], answer["revision"], answer["pending"]) == (STACK, ["second"], [])
    assert "second" in [entry["last_revision"] for entry in answer["runs"]]


def test_the_deployed_schema_is_that_of_the_models_but_for_the_column_of_the_test(
    aws: LocalAws, upgraded: dict[str, str], reading: Operator
) -> None:
    result = run_command(aws, "check", operator=reading)
    assert result.returncode == 1
    assert "op.drop_column('queries', 'second')" in result.stdout


def test_a_query_prints_its_rows_without_a_terminal(aws: LocalAws, created: Deployed, reading: Operator) -> None:
    result = run_command(aws, "query", "SELECT 1 AS one, repeat('x', 300) AS long", operator=reading)
    assert [line.split() for line in result.stdout.splitlines()] == [["one", "long"], ["1", "x" * 300]]
    assert result.stderr == ""


def test_the_log_of_the_migrator_is_printed(aws: LocalAws, created: Deployed, reading: Operator) -> None:
    result = run_command(aws, "logs", "--since", "1h", operator=reading)
    assert "revision finished" in result.stdout, result.stderr


def test_an_operator_without_a_permission_is_told_which_policy_has_it(aws: LocalAws, created: Deployed) -> None:
    nobody = create_operator(aws, "nobody")
    result = run_command(aws, "status", operator=nobody)
    assert result.returncode == 1
    assert "the caller must have the permission cloudformation:DescribeStacks" in result.stderr


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ("Unknown", "--stack must be a stack in eu-central-1 (got 'Unknown')"),
        ("CDKToolkit", "--stack must have the construct DatabaseOperations (got 'CDKToolkit', CREATE_COMPLETE)"),
    ],
)
def test_a_stack_without_the_functions_is_an_error(aws: LocalAws, created: Deployed, stack: str, message: str) -> None:
    administrator = {"AWS_ACCESS_KEY_ID": aws.state.access_key, "AWS_SECRET_ACCESS_KEY": aws.state.secret_key}
    result = run_command(aws, "status", operator=administrator, stack=stack)
    assert (result.returncode, result.stdout) == (1, "")
    assert message in result.stderr
