"""The output of rds-alembic, and its messages for errors of AWS."""

import json
from typing import Any

import pytest
from botocore import exceptions

from rds_alembic.cli.aws_errors import explain
from rds_alembic.cli.output import print_answer, print_rows, text_of
from rds_alembic.cli.stack import failure_of


def test_a_pipe_gets_a_table_without_wrapping_colour_and_trailing_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([[1, "x" * 500], [22, None]], ["number", "text"])
    assert capsys.readouterr().out.splitlines() == ["number  text", f"     1  {'x' * 500}", "    22"]


def test_markup_in_a_value_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([["[red]a[/red] :smile: \x1b[31m"]], ["[bold]"])
    assert capsys.readouterr().out.splitlines()[0] == "[bold]"


def test_single_values_come_before_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_answer({"runs": [{"revision": "r1", "ok": True}], "revision": ["r1", "r2"], "ahead": []}, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        *("revision  r1, r2", "ahead     -", "", "runs", "revision   ok", "r1        yes"),
    ]


def test_json_has_the_values_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"rows": [[1, None, "ä"]], "columns": ["a", "a", "b"]}
    print_answer(answer, as_json=True)
    assert json.loads(capsys.readouterr().out) == answer


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "yes"), (0, "0"), (1.5, "1.5"), ([], "-"), ([1, "a"], "1, a"), ({"a_b": 1}, "a b 1")],
)
def test_a_value_of_json_has_a_text(value: object, text: str) -> None:
    assert text_of(value) == text


def answer_with(code: str) -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": code, "Message": "the words of AWS"}}, "Invoke")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (exceptions.NoCredentialsError(), "AWS credentials must be set (got nothing): use --profile"),
        (exceptions.NoRegionError(), "--region must be set (got nothing)"),
        (exceptions.ProfileNotFound(profile="x"), "--profile must be a profile of the AWS configuration (The config"),
        (exceptions.UnauthorizedSSOTokenError(), "AWS credentials must be valid (The SSO session"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), "AWS cannot be reached: Could not connect"),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), "AWS cannot be reached: Read timeout"),
        (answer_with("ExpiredToken"), "AWS credentials must be valid (the words of AWS): sign in again"),
        (answer_with("AccessDeniedException"), "the caller must have the permission lambda:InvokeFunction (the words"),
        (answer_with("ServiceUnavailable"), "AWS: An error occurred (ServiceUnavailable)"),
    ],
)
def test_an_error_of_aws_names_the_rule_and_the_remedy(error: Exception, message: str) -> None:
    assert explain(error, "lambda:InvokeFunction").startswith(message)


def test_a_missing_permission_names_the_policy_that_has_it() -> None:
    explained = explain(answer_with("AccessDenied"), "lambda:InvokeFunction", policy="arn:aws:iam::1:policy/Read")
    assert explained.endswith(": attach the managed policy arn:aws:iam::1:policy/Read")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"errorMessage": "42703: no column", "errorType": "MigratorError"}, "42703: no column"),
        ({"errorMessage": "2026 r Task timed out after 120.00 seconds"}, "the function f did not answer in time"),
        ({"errorMessage": "Unable to import", "errorType": "Runtime.ImportModuleError"}, "the function f cannot run"),
        ({}, "no message"),
        (None, "None"),
    ],
)
def test_a_function_that_failed_gives_one_message(body: Any, message: str) -> None:
    assert failure_of(body, "f").startswith(message)
