"""The commands that read: their options, and the form of their output."""

from datetime import UTC, datetime, timedelta

import click

from rds_alembic import outputs
from rds_alembic.cli.options import stack_options
from rds_alembic.cli.output import print_answer, print_rows
from rds_alembic.cli.stack import Answer, CommandError, Stack, call_aws

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command()
@stack_options
def current(stack: Stack, *, as_json: bool) -> None:
    """Show the revision of the database."""
    print_answer(stack.read("current"), as_json=as_json)


@click.command()
@stack_options
def heads(stack: Stack, *, as_json: bool) -> None:
    """Show the heads of the deployed code."""
    print_answer(stack.read("heads"), as_json=as_json)


@click.command()
@click.option("--rev-range", "-r", default="", help="[start]:[end] in Alembic's syntax, for example base:current.")
@stack_options
def history(stack: Stack, *, rev_range: str, as_json: bool) -> None:
    """List the revisions of the deployed code, newest first."""
    print_answer(stack.read("history", revision_range=rev_range), as_json=as_json)


@click.command()
@stack_options
def check(stack: Stack, *, as_json: bool) -> None:
    """Exit with 1 if revisions are pending, or if the schema differs from the models."""
    answer = stack.read("check")
    print_answer(answer, as_json=as_json)
    if not answer["up_to_date"]:
        raise SystemExit(1)


@click.command()
@stack_options
def status(stack: Stack, *, as_json: bool) -> None:
    """Show the database, its revision, the upgrade in progress, its blockers, and the last runs."""
    print_answer({"stack": stack.name, "stack_status": stack.status, **stack.read("status")}, as_json=as_json)


@click.command()
@stack_options
def activity(stack: Stack, *, as_json: bool) -> None:
    """List the sessions in the database, the longest transaction first."""
    print_answer(stack.read("activity"), as_json=as_json)


@click.command()
@click.option("--seconds", type=click.IntRange(1, 30), default=2, show_default=True, help="Count the writes so long.")
@stack_options
def tables(stack: Stack, *, seconds: int, as_json: bool) -> None:
    """List the tables with their rows, bytes and writes per second."""
    print_answer(stack.read("tables", seconds=seconds), as_json=as_json)


@click.command()
@stack_options
def grants(stack: Stack, *, as_json: bool) -> None:
    """Show which roles can log in, and their privileges."""
    print_answer(stack.read("grants"), as_json=as_json)


@click.command()
@click.argument("sql")
@click.option("--max-rows", type=click.IntRange(1, 1000), default=1000, show_default=True)
@click.option("--seconds", type=click.IntRange(1, 60), default=30, show_default=True, help="The limit of the query.")
@stack_options
def query(stack: Stack, *, sql: str, max_rows: int, seconds: int, as_json: bool) -> None:
    """Run one SQL statement that reads."""
    answer = stack.read("query", sql=sql, max_rows=max_rows, seconds=seconds)
    if as_json:
        print_answer(answer, as_json=True)
        return
    print_rows(answer["rows"], answer["columns"])
    for note in answer["notes"]:
        click.echo(f"note: {note}", err=True)


@click.command()
@click.option("--function", "name", default="migrator", show_default=True, help="migrator, roles or read.")
@click.option("--since", default="1h", show_default=True, help="A time span: 90s, 30m, 2h or 7d.")
@click.option("--filter", "pattern", default="", help="A filter pattern of CloudWatch Logs, for example ERROR.")
@stack_options
def logs(stack: Stack, *, name: str, since: str, pattern: str, as_json: bool) -> None:
    """Show the log of a function."""
    groups = dict(entry.split("=", 1) for entry in stack.output(outputs.LOG_GROUPS).split(","))
    if name not in groups:
        raise CommandError(f"--function must be one of {', '.join(groups)} (got {name!r})")
    start = datetime.now(UTC) - _time_span(since)
    events = _log_events(stack, groups[name], start, pattern)
    if as_json:
        print_answer({"events": events}, as_json=True)
        return
    for event in events:
        click.echo(f"{event['time']} {event['message']}")


def _time_span(text: str) -> timedelta:
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in _UNITS):
        raise CommandError(f"--since must be a number with s, m, h or d, for example 30m (got {text!r})")
    return timedelta(seconds=int(number) * _UNITS[unit])


def _log_events(stack: Stack, group: str, start: datetime, pattern: str) -> list[Answer]:
    paginator = stack.client("logs").get_paginator("filter_log_events")
    arguments = {"logGroupName": group, "startTime": int(start.timestamp() * 1000), "filterPattern": pattern}

    def read() -> list[Answer]:
        return [
            {"time": _time(event["timestamp"]), "message": event["message"].rstrip()}
            for page in paginator.paginate(**arguments)
            for event in page["events"]
        ]

    events: list[Answer] = call_aws(read, f"logs:FilterLogEvents on {group}")
    return events


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
