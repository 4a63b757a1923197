"""Python functions in the local AWS: they run as in Lambda, without access to the packages of this machine."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from localaws.aws import FunctionError, LocalAws
from tests.e2e.functions import create_function, create_role

type Create = Callable[[str], str]


@pytest.fixture(scope="module")
def role(aws: LocalAws) -> str:
    return create_role(aws, "functions")


@pytest.fixture
def function(aws: LocalAws, role: str, request: pytest.FixtureRequest) -> Create:
    """Return a function that creates a Lambda function with a timeout of one second and returns its name."""
    name = str(request.node.name)[:60]

    def create(code: str) -> str:
        create_function(aws, name, code, role=role, timeout=1, PGUSER="reporter")
        return name

    return create


def failing(aws: LocalAws, name: str) -> FunctionError:
    with pytest.raises(FunctionError) as failure:
        aws.invoke(name)
    return failure.value


def test_a_function_imports_from_the_standard_library_its_zip_and_the_packages_of_the_runtime(
    aws: LocalAws, function: Create
) -> None:
    name = function(
        "import boto3, sys\ndef handler(event, context): return {'path': sys.path, 'boto3': boto3.__file__}\n"
    )
    interpreter = aws.invoke(name)
    assert not [path for path in interpreter["path"] if path.endswith("site-packages") or ".venv" in path]
    assert interpreter["path"][0].endswith("/task")
    assert "/site-packages-lambda-runtime-" in interpreter["boto3"]


def test_a_function_cannot_import_a_package_of_the_checkout(aws: LocalAws, function: Create) -> None:
    assert find_spec("sqlalchemy")
    failure = failing(aws, function("import sqlalchemy\ndef handler(event, context): ...\n"))
    assert failure.kind == "Runtime.ImportModuleError"
    assert "Unable to import module 'index': No module named 'sqlalchemy'" in str(failure)


def test_the_environment_of_a_function_has_the_variables_of_lambda_and_its_configuration_only(
    aws: LocalAws, function: Create
) -> None:
    environment: dict[str, Any] = aws.invoke(
        function("import os\ndef handler(event, context): return dict(os.environ)\n")
    )
    assert environment["PGUSER"] == "reporter"
    assert environment["AWS_REGION"] == "eu-central-1"
    assert environment["AWS_ACCESS_KEY_ID"] != aws.state.access_key
    assert {name for name in environment if not name.startswith(("AWS_", "LAMBDA_"))} == {
        *("PGUSER", "HOME", "LANG", "LC_CTYPE", "PATH", "TMPDIR", "TZ", "_HANDLER"),
    } - ({"LC_CTYPE"} - environment.keys())
    assert str(os.environ["HOME"]) not in (environment["HOME"], environment["TMPDIR"])


def test_an_exception_is_reported_with_its_class_and_message(aws: LocalAws, function: Create) -> None:
    failure = failing(aws, function("def handler(event, context): raise LookupError('no such revision')\n"))
    assert failure.kind == "LookupError"
    assert str(failure) == "LookupError: no such revision"


def test_a_function_that_exceeds_its_timeout_is_killed_and_the_next_invocation_starts_a_new_process(
    aws: LocalAws, function: Create
) -> None:
    body = "    calls.append(1)\n    time.sleep(event)\n    return len(calls)\n"
    name = function(f"import time\ncalls = []\ndef handler(event, context):\n{body}")
    assert [aws.invoke(name, 0), aws.invoke(name, 0)] == [1, 2]
    with pytest.raises(FunctionError, match=r"Task timed out after 1.00 seconds") as failure:
        aws.invoke(name, 60)
    assert failure.value.kind == "Sandbox.Timedout"
    assert aws.invoke(name, 0) == 1


def test_an_invocation_fails_if_its_process_ends(aws: LocalAws, function: Create) -> None:
    failure = failing(aws, function("import os\ndef handler(event, context): os._exit(3)\n"))
    assert failure.kind == "Runtime.ExitError"
    assert "exit status 3" in str(failure)


def test_the_output_of_a_function_is_in_its_log_group(aws: LocalAws, function: Create) -> None:
    name = function(
        "import os\ndef handler(event, context):\n    print('to the log')\n    os.system('echo from a child')\n"
    )
    aws.invoke(name)
    assert {"to the log", "from a child"} <= set(aws.logs(name))


def test_the_context_of_a_function_has_the_remaining_time(aws: LocalAws, function: Create) -> None:
    name = function("def handler(event, context): return context.get_remaining_time_in_millis()\n")
    assert 500 < aws.invoke(name) <= 1000


def test_a_function_has_only_the_permissions_of_its_role(aws: LocalAws, function: Create) -> None:
    failure = failing(aws, function("import boto3\ndef handler(event, context): boto3.client('s3').list_buckets()\n"))
    assert "not authorized to perform: s3:ListAllMyBuckets" in str(failure)
