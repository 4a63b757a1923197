"""The options of all commands for a deployed stack."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from rds_alembic.cli.stack import CommandError, Stack


def stack_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --stack, --region, --profile, --operations and --json. The command gets the stack and `as_json`."""

    @click.option("--stack", "stack_name", required=True, envvar="RDS_ALEMBIC_STACK", help="The CloudFormation stack.")
    @click.option("--region", help="The region of the stack; default: that of the AWS configuration.")
    @click.option("--profile", help="A profile of the AWS configuration.")
    @click.option("--operations", default="", help="The id of DatabaseOperations, if the stack has several.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @wraps(command)
    def wrapper(
        *,
        stack_name: str,
        region: str | None,
        profile: str | None,
        operations: str,
        as_json: bool,
        **arguments: object,
    ) -> object:
        stack = Stack.find(stack_name, region=region, profile=profile, operations=operations)
        return command(stack, as_json=as_json, **arguments)

    return wrapper


yes_option = click.option("--yes", is_flag=True, help="Do not ask. Needed off a terminal.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal. Raises CommandError off a terminal without --yes, and ends the command after a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("--yes must be set off a terminal (got a change that nobody confirmed)")
    click.confirm(question, abort=True, err=True)
