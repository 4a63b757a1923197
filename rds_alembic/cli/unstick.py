"""The command `unstick`: continue a rollback that failed, and skip only resources for which that is safe."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from rds_alembic.cli.options import confirm, stack_options, yes_option
from rds_alembic.cli.output import print_answer
from rds_alembic.cli.stack import CommandError, Stack, call_aws

STUCK = "UPDATE_ROLLBACK_FAILED"
_POLL_SECONDS = 3.0
_TIMEOUT_SECONDS = 1800.0
# The types that may be skipped, with the reason.
SAFE = {
    "Custom::AlembicUpgrade": "a rollback never changes the schema; the next deployment upgrades from its state",
    "Custom::DatabaseRoles": "a rollback only restores roles, and so does rds-alembic rerun",
    "Custom::DatabaseLogs": "it sets the retention of logs; the next deployment sets it again",
}


@click.command()
@click.option("--skip", multiple=True, metavar="LOGICAL_ID", help="Also skip this resource, at your own risk.")
@yes_option
@stack_options
def unstick(stack: Stack, *, skip: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Continue a rollback that is stuck in UPDATE_ROLLBACK_FAILED."""
    if stack.status != STUCK:
        raise CommandError(f"the stack must be in {STUCK} (got {stack.status}): there is nothing to continue")
    client = stack.client("cloudformation")
    failed = failed_resources(_events(stack, client))
    skipped = skipped_resources(failed, skip)
    for name, event in failed.items():
        action = f"skip: {SAFE.get(event['ResourceType'], 'as you ask')}" if name in skipped else "try again"
        click.echo(f"{name} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}", err=True)
        click.echo(f"  {action}", err=True)
    confirm("Continue the rollback?", yes=yes)
    call_aws(
        client.continue_update_rollback,
        "cloudformation:ContinueUpdateRollback",
        StackName=stack.id,
        ResourcesToSkip=skipped,
    )
    status = _wait(stack, client)
    print_answer({"stack": stack.name, "stack_status": status, "skipped": skipped}, as_json=as_json)
    if status == STUCK:
        raise CommandError("the rollback failed again: repair the resources that are not skipped, and try again")


def failed_resources(events: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the last failure of each resource in the rollback, by logical id. The events are newest first."""
    failed: dict[str, Mapping[str, Any]] = {}
    for event in events:
        if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS" and event["ResourceType"].endswith("::Stack"):
            break
        if event["ResourceStatus"] == "UPDATE_FAILED":
            failed.setdefault(event["LogicalResourceId"], event)
    return failed


def skipped_resources(failed: Mapping[str, Mapping[str, Any]], skip: tuple[str, ...]) -> list[str]:
    """Return the failed resources that are safe to skip, or that the user has named. Raises CommandError."""
    unknown = set(skip) - failed.keys()
    if unknown:
        raise CommandError(
            f"--skip must be a resource that failed (got {', '.join(sorted(unknown))}): {', '.join(failed) or 'none'}"
        )
    return [name for name, event in failed.items() if name in skip or event["ResourceType"] in SAFE]


def _events(stack: Stack, client: Any) -> list[Mapping[str, Any]]:
    def read() -> list[Mapping[str, Any]]:
        pages = client.get_paginator("describe_stack_events").paginate(StackName=stack.id)
        return [event for page in pages for event in page["StackEvents"]]

    events: list[Mapping[str, Any]] = call_aws(read, "cloudformation:DescribeStackEvents")
    return events


def _wait(stack: Stack, client: Any) -> str:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        [described] = call_aws(client.describe_stacks, "cloudformation:DescribeStacks", StackName=stack.id)["Stacks"]
        status = str(described["StackStatus"])
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(_POLL_SECONDS)
    raise CommandError("the rollback has not ended yet: see rds-alembic status")
