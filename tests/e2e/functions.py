"""The functions that the tests of the local AWS create, and their roles."""

import io
import json
import zipfile

from localaws.aws import LocalAws

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


def create_role(aws: LocalAws, name: str) -> str:
    """Create a role without permissions and return its ARN."""
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    arn: str = role["Arn"]
    return arn


def create_function(aws: LocalAws, name: str, code: str, *, role: str, timeout: int, **variables: str) -> str:
    """Create a function with the module `code`, a timeout in seconds and environment variables; return its ARN."""
    function = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handler",
        Role=role,
        Timeout=timeout,
        Environment={"Variables": variables},
        Code={"ZipFile": zipped(code)},
    )
    arn: str = function["FunctionArn"]
    return arn


def zipped(code: str) -> bytes:
    """Return a zip with the module `index`."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        archive.writestr("index.py", code)
    return result.getvalue()
