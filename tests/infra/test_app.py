"""The app: its settings come from the context and the environment, and problems are reported in one line."""

import json
import os
import subprocess
import sys

from app import read_settings
from infra.settings import PROJECT


def test_a_setting_comes_from_the_context_or_else_from_the_environment() -> None:
    context = {"stage": "prod", "lock-timeout": 0}
    environ = {
        "PRIVATE_DATABASE_STAGE": "dev",
        "PRIVATE_DATABASE_RDS_CA": "/ca.crt",
        "PRIVATE_DATABASE_QUERIER_SCHEDULE": "rate(1 day)",
        "RDS_CA": "/another",
    }
    assert read_settings(context.get, environ) == {
        "stage": "prod",
        "lock-timeout": "0",
        "rds-ca": "/ca.crt",
        "querier-schedule": "rate(1 day)",
    }


def test_a_problem_in_the_context_is_reported_in_one_line_without_a_traceback() -> None:
    process = subprocess.run(
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env=os.environ | {"CDK_CONTEXT_JSON": json.dumps({"stage": "staging"}), "CDK_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "error: stage must be dev or prod (got 'staging')" in process.stderr
    assert "Traceback" not in process.stderr
