"""`rds-alembic unstick` on a stack whose rollback fails: its custom resource rejects every Update."""

import json
from collections.abc import Iterator

import pytest

from localaws.aws import LocalAws
from tests.e2e.functions import create_function, create_role
from tests.e2e.operators import run_command
from tests.e2e.stack import status
from tests.waiting import wait_until

NAME = "Stuck"
# Answers CloudFormation: an Update fails, everything else succeeds.
CODE = """
import json, os, ssl, urllib.request

def handler(event, context):
    failed = event["RequestType"] == "Update"
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "FAILED" if failed else "SUCCESS", "Reason": "no update", "PhysicalResourceId": "one"}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE")))
"""


def template(function: str, value: str, kind: str) -> str:
    resource = {"Type": kind, "Properties": {"ServiceToken": function, "Value": value}}
    return json.dumps({"Resources": {"Upgrade": resource}})


@pytest.fixture(params=["Custom::AlembicUpgrade", "Custom::Other"])
def kind(aws: LocalAws, request: pytest.FixtureRequest) -> Iterator[str]:
    """Create a stack with a custom resource of this type, and let its rollback fail."""
    kind, cloudformation = str(request.param), aws.client("cloudformation")
    name = f"rejects-updates-{kind[8:]}"
    function = create_function(aws, name, CODE, role=create_role(aws, name), timeout=10)
    cloudformation.create_stack(StackName=NAME, TemplateBody=template(function, "old", kind))
    wait_until(lambda: status(aws, NAME) == "CREATE_COMPLETE")
    cloudformation.update_stack(StackName=NAME, TemplateBody=template(function, "new", kind))
    wait_until(lambda: status(aws, NAME) == "UPDATE_ROLLBACK_FAILED", seconds=60)
    yield kind
    if status(aws, NAME) == "UPDATE_ROLLBACK_FAILED":
        cloudformation.continue_update_rollback(StackName=NAME, ResourcesToSkip=["Upgrade"])
        wait_until(lambda: status(aws, NAME) == "UPDATE_ROLLBACK_COMPLETE", seconds=60)
    cloudformation.delete_stack(StackName=NAME)
    wait_until(lambda: not status(aws, NAME))


def test_a_stuck_rollback_is_continued_without_the_resources_that_are_safe_to_skip(aws: LocalAws, kind: str) -> None:
    administrator = {"AWS_ACCESS_KEY_ID": aws.state.access_key, "AWS_SECRET_ACCESS_KEY": aws.state.secret_key}
    assert "--yes must be set" in run_command(aws, "unstick", operator=administrator, stack=NAME).stderr
    result = run_command(aws, "unstick", "--yes", operator=administrator, stack=NAME)
    assert f"Upgrade ({kind}): " in result.stderr
    if kind == "Custom::AlembicUpgrade":
        assert "skip: a rollback never changes the schema" in result.stderr
        assert (result.returncode, status(aws, NAME)) == (0, "UPDATE_ROLLBACK_COMPLETE")
        again = run_command(aws, "unstick", "--yes", operator=administrator, stack=NAME)
        assert "the stack must be in UPDATE_ROLLBACK_FAILED (got UPDATE_ROLLBACK_COMPLETE)" in again.stderr
    else:
        assert "try again" in result.stderr
        assert (result.returncode, status(aws, NAME)) == (1, "UPDATE_ROLLBACK_FAILED")
        skipped = run_command(aws, "unstick", "--yes", "--skip", "Upgrade", operator=administrator, stack=NAME)
        assert (skipped.returncode, status(aws, NAME)) == (0, "UPDATE_ROLLBACK_COMPLETE"), skipped.stderr
