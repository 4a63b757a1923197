"""The command line: `.venv/bin/python -m localaws demo | up | deploy | env | status | down`."""

from __future__ import annotations

import argparse
import os
import sys

from rich.console import Console

from localaws import cdk, demo
from localaws.aws import LocalAws
from localaws.constants import COMMAND
from localaws.emulator.instance import instances_left_running, running_instances
from localaws.errors import LocalAwsError
from localaws.shell import shell_lines
from localaws.steps import Steps

CONSOLE = Console(soft_wrap=True)


def main() -> None:
    """Run a command. Print an expected error as one line."""
    arguments = _parser().parse_args()
    try:
        arguments.command(arguments)
    except LocalAwsError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {str(error).strip()}", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description="a local AWS")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo_parser = commands.add_parser("demo", help="deploy, migrate, write a row, destroy")
    demo_parser.add_argument("--keep", action="store_true", help="leave the local AWS running at the end")
    _add_context(demo_parser)
    demo_parser.set_defaults(command=_demo)
    deploy = commands.add_parser("deploy", help="deploy the checkout to the local AWS that was left running")
    _add_context(deploy)
    deploy.set_defaults(command=_deploy)
    for name, command, text in (
        ("up", _up, "start and bootstrap a local AWS, and leave it running"),
        ("env", _env, "print the shell commands that configure AWS's tools for it"),
        ("status", _status, "list the running local AWSs"),
        ("down", _down, "stop all that up and demo --keep left running"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=command)
    return parser


def _add_context(parser: argparse.ArgumentParser) -> None:
    """Add the option for settings, as the CDK CLI has it."""
    parser.add_argument(
        *("-c", "--context"),
        action="append",
        default=[],
        type=_setting,
        metavar="KEY=VALUE",
        help="a setting of the deployment; architecture and rds-ca are those of the local AWS",
    )


def _setting(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"a setting must be KEY=VALUE (got {text!r})")
    return key, value


def _demo(arguments: argparse.Namespace) -> None:
    steps = demo.STEPS_WHEN_KEPT if arguments.keep else demo.STEPS
    demo.Demo(Steps(steps, CONSOLE), keep=arguments.keep, context=dict(arguments.context)).run()


def _up(_: argparse.Namespace) -> None:
    steps = Steps(2, CONSOLE)
    with steps.step("start the local AWS") as step:
        aws = LocalAws.start(keep=True)
        step.result = aws.endpoint
    with steps.step("cdk bootstrap"):
        cdk.Cdk(aws).bootstrap()


def _deploy(arguments: argparse.Namespace) -> None:
    demo.deploy(LocalAws.attach(), Steps(2, CONSOLE), dict(arguments.context))


def _env(_: argparse.Namespace) -> None:
    for line in shell_lines(LocalAws.attach(), os.environ):
        print(line)  # not by rich: a shell reads the line


def _status(_: argparse.Namespace) -> None:
    instances = list(running_instances())
    for instance in instances:
        state = instance.state()
        use = "left running" if instance.is_left_running() else "in use by the process that started it"
        address = f"pid {state.pid}, port {state.port}" if state else "starting"
        CONSOLE.print(f"{instance.folder.name}: {address}, {use}; logs in {instance.folder}")
    if not instances:
        CONSOLE.print("no local AWS is running")


def _down(_: argparse.Namespace) -> None:
    instances = list(instances_left_running())
    for instance in instances:
        LocalAws.from_instance(instance).stop()
        CONSOLE.print(f"stopped {instance.folder.name}")
    if not instances:
        CONSOLE.print("no local AWS was left running")


if __name__ == "__main__":
    main()
