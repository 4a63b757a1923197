"""How the local AWS runs a Python function: as Lambda does, and with nothing of this machine in sight."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from localaws.aws import FunctionError, LocalAws

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}

type Create = Callable[[str], str]


@pytest.fixture(scope="module")
def role(aws: LocalAws) -> str:
    """Return a role that may do nothing."""
    made = aws.client("iam").create_role(RoleName="powerless", AssumeRolePolicyDocument=json.dumps(TRUST))
    arn: str = made["Role"]["Arn"]
    return arn


@pytest.fixture
def function(aws: LocalAws, role: str, request: pytest.FixtureRequest) -> Create:
    """Return how to make a function of the test's own, with a timeout of one second."""
    name = str(request.node.name)[:60]

    def create(code: str) -> str:
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr("index.py", code)
        aws.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handler",
            Role=role,
            Timeout=1,
            Environment={"Variables": {"PGUSER": "somebody"}},
            Code={"ZipFile": zipped.getvalue()},
        )
        return name

    return create


def failing(aws: LocalAws, name: str) -> FunctionError:
    with pytest.raises(FunctionError) as failure:
        aws.invoke(name)
    return failure.value


def test_a_function_sees_the_standard_library_its_zip_and_what_the_runtime_brings(
    aws: LocalAws, function: Create
) -> None:
    name = function(
        "import boto3, sys\ndef handler(event, context): return {'path': sys.path, 'boto3': boto3.__file__}\n"
    )
    seen = aws.invoke(name)
    assert not [path for path in seen["path"] if "site-packages" in path or ".venv" in path]
    assert seen["path"][0].endswith("/task")
    assert "/.localaws/runtime-" in seen["boto3"]


def test_a_package_of_the_checkout_is_not_in_sight_of_a_function(aws: LocalAws, function: Create) -> None:
    assert find_spec("sqlalchemy")
    failure = failing(aws, function("import sqlalchemy\ndef handler(event, context): ...\n"))
    assert failure.kind == "Runtime.ImportModuleError"
    assert "Unable to import module 'index': No module named 'sqlalchemy'" in str(failure)


def test_the_environment_of_a_function_has_lambdas_variables_and_its_own_and_no_others(
    aws: LocalAws, function: Create
) -> None:
    seen: dict[str, Any] = aws.invoke(function("import os\ndef handler(event, context): return dict(os.environ)\n"))
    assert seen["PGUSER"] == "somebody"
    assert seen["AWS_REGION"] == "eu-central-1"
    assert seen["AWS_ACCESS_KEY_ID"] != aws.state.access_key
    assert {name for name in seen if not name.startswith(("AWS_", "LAMBDA_"))} == {
        *("PGUSER", "HOME", "LANG", "LC_CTYPE", "PATH", "TMPDIR", "TZ", "_HANDLER"),
    } - ({"LC_CTYPE"} - seen.keys())
    assert str(os.environ["HOME"]) not in (seen["HOME"], seen["TMPDIR"])


def test_an_exception_is_reported_by_its_class_and_its_words(aws: LocalAws, function: Create) -> None:
    failure = failing(aws, function("def handler(event, context): raise LookupError('no such revision')\n"))
    assert failure.kind == "LookupError"
    assert str(failure) == "LookupError: no such revision"


def test_a_function_that_exceeds_its_timeout_is_killed_and_the_next_invocation_starts_afresh(
    aws: LocalAws, function: Create
) -> None:
    body = "    calls.append(1)\n    time.sleep(event)\n    return len(calls)\n"
    name = function(f"import time\ncalls = []\ndef handler(event, context):\n{body}")
    assert [aws.invoke(name, 0), aws.invoke(name, 0)] == [1, 2]
    with pytest.raises(FunctionError, match=r"Task timed out after 1.00 seconds") as failure:
        aws.invoke(name, 60)
    assert failure.value.kind == "Sandbox.Timedout"
    assert aws.invoke(name, 0) == 1


def test_a_function_whose_process_ends_is_an_error_and_not_a_success(aws: LocalAws, function: Create) -> None:
    failure = failing(aws, function("import os\ndef handler(event, context): os._exit(3)\n"))
    assert failure.kind == "Runtime.ExitError"
    assert "exit status 3" in str(failure)


def test_what_a_function_prints_is_in_its_log_group(aws: LocalAws, function: Create) -> None:
    name = function(
        "import os\ndef handler(event, context):\n    print('to the log')\n    os.system('echo from a child')\n"
    )
    aws.invoke(name)
    assert {"to the log", "from a child"} <= set(aws.logs(name))


def test_a_function_knows_how_much_time_it_has_left(aws: LocalAws, function: Create) -> None:
    name = function("def handler(event, context): return context.get_remaining_time_in_millis()\n")
    assert 500 < aws.invoke(name) <= 1000


def test_a_function_may_do_only_what_its_role_allows(aws: LocalAws, function: Create) -> None:
    failure = failing(aws, function("import boto3\ndef handler(event, context): boto3.client('s3').list_buckets()\n"))
    assert "not authorized to perform: s3:ListAllMyBuckets" in str(failure)
