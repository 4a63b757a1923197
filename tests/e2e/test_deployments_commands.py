"""The command rds-alembic on the deployed stack, by operators whose permissions the local AWS evaluates."""

from collections.abc import Mapping

import pytest

from localaws.aws import LocalAws
from localaws.cdk import STACK
from rds_alembic import outputs
from tests.e2e.operators import answer_of, create_operator, run_command
from tests.e2e.stack import Deployed

type Operator = Mapping[str, str]


def output(aws: LocalAws, description: str) -> str:
    [stack] = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    [value] = [entry["OutputValue"] for entry in stack["Outputs"] if entry.get("Description") == description]
    return str(value)


@pytest.fixture(scope="module")
def reading(aws: LocalAws, created: Deployed) -> Operator:
    """Return an operator with the permission to read."""
    return create_operator(aws, "reading", output(aws, outputs.READ_POLICY))


def test_an_operator_with_the_reading_permission_sees_the_state_of_the_database(
    aws: LocalAws, upgraded: dict[str, str], reading: Operator
) -> None:
    answer = answer_of(aws, "status", operator=reading)
    assert (answer["stack"], answer["revision"], answer["pending"]) == (STACK, ["second"], [])
    assert [entry["last_revision"] for entry in answer["runs"]][:1] == ["second"]


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
