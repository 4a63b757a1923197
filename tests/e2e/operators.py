"""Operators: IAM users with one permission, who run the command rds-alembic."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from localaws.aws import LocalAws
from localaws.cdk import STACK
from localaws.constants import CHECKOUT


def create_operator(aws: LocalAws, name: str, *policy_arns: str) -> dict[str, str]:
    """Create a user with managed policies and return the environment variables of its credentials."""
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    for arn in policy_arns:
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def run_command(
    aws: LocalAws, *arguments: str, operator: Mapping[str, str], stack: str = STACK
) -> subprocess.CompletedProcess[str]:
    """Run rds-alembic in the environment of an operator, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "rds_alembic.cli", *arguments, "--stack", stack],
        cwd=CHECKOUT,
        env={**aws.env(), **operator},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def answer_of(aws: LocalAws, *arguments: str, operator: Mapping[str, str]) -> Any:
    """Run rds-alembic with --json and return its answer."""
    result = run_command(aws, *arguments, "--json", operator=operator)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
