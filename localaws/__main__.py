"""The command line: `.venv/bin/python -m localaws demo | up | deploy | query SQL | env | status | down`."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing

import psycopg2
from rich.console import Console

from localaws import cdk, demo
from localaws.aws import LocalAws
from localaws.errors import LocalAwsError
from localaws.run import COMMAND, living_runs, runs_left_running
from localaws.shell import shell_lines
from localaws.steps import Steps

CONSOLE = Console(soft_wrap=True)


def main() -> None:
    """Run a command; an error of ours is one line."""
    arguments = _parser().parse_args()
    try:
        arguments.command(arguments)
    except (LocalAwsError, psycopg2.Error) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {str(error).strip()}", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description="an AWS on this machine")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    story = commands.add_parser("demo", help="deploy, migrate, write a row, destroy")
    story.add_argument("--keep", action="store_true", help="leave it running at the end")
    story.set_defaults(command=_demo)
    query = commands.add_parser("query", help="run an SQL statement in the deployed database")
    query.add_argument("sql")
    query.add_argument("--user", default="querier", help="the login role (default: %(default)s)")
    query.set_defaults(command=_query)
    for name, command, text in (
        ("up", _up, "start one, bootstrapped, and leave it running"),
        ("deploy", _deploy, "deploy the checkout to the one that is running"),
        ("env", _env, "print the variables that point AWS's tools at it"),
        ("status", _status, "tell which are running"),
        ("down", _down, "stop all that up and demo --keep left running"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=command)
    return parser


def _demo(arguments: argparse.Namespace) -> None:
    steps = demo.STEPS_WHEN_KEPT if arguments.keep else demo.STEPS
    demo.Demo(Steps(steps, CONSOLE), keep=arguments.keep).run()


def _up(_: argparse.Namespace) -> None:
    steps = Steps(2, CONSOLE)
    with steps.step("start the local AWS") as step:
        aws = LocalAws.start(keep=True)
        step.result = aws.endpoint
    with steps.step("cdk bootstrap"):
        cdk.Cdk(aws).bootstrap()


def _deploy(_: argparse.Namespace) -> None:
    demo.deploy(LocalAws.attach(), Steps(2, CONSOLE))


def _query(arguments: argparse.Namespace) -> None:
    with closing(LocalAws.attach().connect(arguments.user)) as database:
        CONSOLE.print(demo.rows_of(database, arguments.sql))


def _env(_: argparse.Namespace) -> None:
    for line in shell_lines(LocalAws.attach(), os.environ):
        print(line)  # for a shell to read, hence not by rich


def _status(_: argparse.Namespace) -> None:
    found = list(living_runs())
    for run in found:
        state = run.state()
        use = "left running" if run.is_left_running() else "in use by the process that started it"
        where = f"pid {state.pid}, port {state.port}" if state else "starting"
        CONSOLE.print(f"{run.folder.name}: {where}, {use}; logs in {run.folder}")
    if not found:
        CONSOLE.print("no local AWS is running")


def _down(_: argparse.Namespace) -> None:
    left = list(runs_left_running())
    for run in left:
        LocalAws.of(run).stop()
        CONSOLE.print(f"stopped {run.folder.name}")
    if not left:
        CONSOLE.print("no local AWS was left running")


if __name__ == "__main__":
    main()
