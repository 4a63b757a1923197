"""The command `watch`: follow the upgrade in progress, also over several invocations of the migrator."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.live import Live

from rds_alembic.cli.options import stack_options
from rds_alembic.cli.output import console, print_answer
from rds_alembic.cli.progress_view import LinePrinter, UpgradeView, is_running, render
from rds_alembic.cli.stack import Answer, CommandError, Stack, call_aws

POLL_SECONDS = 1.0
# The server may restart, and a function may be replaced, while an upgrade is followed.
_MAX_FAILURES = 10
# Between two invocations of an upgrade, no session exists for a moment.
_IDLE_POLLS = 3


@click.command()
@click.option("--once", is_flag=True, help="Show the state once.")
@stack_options
def watch(stack: Stack, *, once: bool, as_json: bool) -> None:
    """Follow the upgrade in progress, or the deployment, until it ends."""
    with _output(as_json=as_json, once=once) as show:
        for answer in _answers(stack, once=once):
            show(answer)


def _answers(stack: Stack, *, once: bool) -> Iterator[Answer]:
    """Yield the answers of the command `progress`, until neither an upgrade nor a deployment is running."""
    answer = stack.read("progress")
    yield answer
    was_running, idle, failures = is_running(answer), 0, 0
    while not once and (is_running(answer) or _is_deploying(stack) or (was_running and idle < _IDLE_POLLS)):
        time.sleep(POLL_SECONDS)
        try:
            answer = stack.read("progress")
        except CommandError as exc:
            failures += 1
            if failures == _MAX_FAILURES:
                raise
            click.echo(f"no answer, trying again: {exc}", err=True)
            continue
        failures = 0
        idle = 0 if is_running(answer) else idle + 1
        was_running = was_running or is_running(answer)
        yield answer


def _is_deploying(stack: Stack) -> bool:
    return is_in_progress(status_of(stack))


def status_of(stack: Stack) -> str:
    """Return the status that the stack has now. Raises CommandError."""
    describe = stack.client("cloudformation").describe_stacks
    [described] = call_aws(describe, "cloudformation:DescribeStacks", StackName=stack.id)["Stacks"]
    return str(described["StackStatus"])


def is_in_progress(status: str) -> bool:
    """Return whether a stack with this status is being deployed or rolled back."""
    return status.endswith("_IN_PROGRESS") and "CLEANUP" not in status


@contextmanager
def _output(*, as_json: bool, once: bool) -> Iterator[Callable[[Answer], None]]:
    """Yield the function that shows an answer: a view that is updated on a terminal, lines off it, or JSON."""
    if as_json:
        yield _print_json(once=once)
        return
    output, view = console(), UpgradeView()
    if not output.is_terminal or once:
        printer = LinePrinter(output)
        yield lambda answer: printer.print(view.lines(answer, time.monotonic()), time.monotonic())
        return
    with Live(console=output, auto_refresh=False) as live:
        yield lambda answer: live.update(render(view.lines(answer, time.monotonic()), output.width), refresh=True)


def _print_json(*, once: bool) -> Callable[[Answer], None]:
    """Return a function that prints one line of JSON for each answer that differs in more than its times."""
    shown: list[Any] = []

    def show(answer: Answer) -> None:
        if once:
            print_answer(answer, as_json=True)
        elif (state := _without_times(answer)) not in shown:
            shown[:] = [state]
            click.echo(json.dumps(answer, ensure_ascii=False))

    return show


def _without_times(answer: Answer) -> Answer:
    """Return an answer without the seconds, which change in each call."""
    return {
        name: [{key: item for key, item in row.items() if not key.endswith("_seconds")} for row in value]
        if isinstance(value, list) and value and isinstance(value[0], dict)
        else value
        for name, value in answer.items()
    }
