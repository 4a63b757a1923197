"""The lines of `localaws env`, evaluated by a shell."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from localaws.aws import LocalAws
from localaws.emulator.instance import EmulatorInstance, State
from localaws.shell import shell_lines

DEVELOPER = {
    "PATH": "/usr/bin:/bin",
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_SESSION_TOKEN": "a session of AWS",
    "AWS_REGION": "us-west-2",
    "AWS_ENDPOINT_URL_LAMBDA": "https://lambda.example.com",
    "AWS_ROLE_ARN": "arn:aws:iam::111111111111:role/developer",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_CONFIG_FILE": "/home/developer/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/home/developer/credentials",
    "AWS_CA_BUNDLE": "/home/developer/ca.pem",
}


@pytest.fixture
def aws(tmp_path: Path) -> LocalAws:
    (tmp_path / "tmp").mkdir()
    return LocalAws(
        EmulatorInstance(tmp_path),
        State(pid=1, port=4567, access_key="AKIALOCAL", secret_key="it's"),
        tmp_path / "ca.crt",
    )


def evaluated(aws: LocalAws, environ: dict[str, str]) -> dict[str, str]:
    """Return the variables of a shell that has evaluated the lines."""
    show = f"{sys.executable} -S -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    script = "\n".join(["set -eu", *shell_lines(aws, environ), show])
    shown = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=True)
    variables: dict[str, str] = json.loads(shown.stdout)
    return variables


def test_the_shell_has_no_aws_variables_of_the_developer(aws: LocalAws) -> None:
    shell = evaluated(aws, DEVELOPER)
    assert shell["AWS_ENDPOINT_URL"] == "https://127.0.0.1:4567"
    assert shell["AWS_SECRET_ACCESS_KEY"] == "it's"
    assert shell["AWS_REGION"] == "eu-central-1"
    assert {name for name in shell if shell[name] == DEVELOPER.get(name)} == {"PATH"}


def test_the_files_of_the_developer_have_no_effect(aws: LocalAws, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = us-west-2\nendpoint_url = https://example.com\n")
    shell = evaluated(aws, {**DEVELOPER, "HOME": str(tmp_path)})
    program = "import boto3; client = boto3.client('sts'); print(client.meta.region_name, client.meta.endpoint_url)"
    del shell["AWS_CA_BUNDLE"]  # this instance has no certificate authority
    printed = subprocess.run([sys.executable, "-c", program], env=shell, capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["eu-central-1", "https://127.0.0.1:4567"]


def test_a_profile_that_is_set_but_not_exported_is_unset(aws: LocalAws) -> None:
    assert "unset AWS_PROFILE" in list(shell_lines(aws, {}))


def test_the_shell_has_the_variables_for_a_plain_cdk_deploy(aws: LocalAws) -> None:
    shell = evaluated(aws, {"PATH": "/usr/bin:/bin"})
    assert shell["PRIVATE_DATABASE_RDS_CA"] == str(aws.ca_path)
    assert shell["PRIVATE_DATABASE_ARCHITECTURE"] in ("x86_64", "arm64")
    assert shell["NODE_EXTRA_CA_CERTS"] == str(aws.ca_path)
    assert "NO_PROXY" not in shell


def test_this_machine_is_excluded_from_the_proxy(aws: LocalAws) -> None:
    shell = evaluated(aws, {**DEVELOPER, "HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "example.com"})
    assert shell["NO_PROXY"] == shell["no_proxy"] == "example.com,127.0.0.1"
