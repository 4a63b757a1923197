"""The command `follow`: run the command that deploys, and show the progress of the upgrade between its lines.

The command keeps its terminal, its prompts and its exit code. Off a terminal, it replaces this process.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rds_alembic.cli.progress_view import LinePrinter, UpgradeView, is_running
from rds_alembic.cli.stack import CommandError, Stack, StackNotFoundError
from rds_alembic.cli.watch import POLL_SECONDS, is_in_progress, status_of

# CloudFormation allows few calls for each account.
_STATUS_SECONDS = 3.0


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def follow(command: tuple[str, ...]) -> None:
    """Run COMMAND, which is cdk deploy with its options, and show the progress of the upgrade meanwhile.

    The exit code is that of COMMAND.
    """
    if shutil.which(command[0]) is None:
        raise CommandError(f"COMMAND must be a program that can be run (got {command[0]!r})")
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        os.execvp(command[0], command)  # noqa: S606 - the user's own command
    with subprocess.Popen(command) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        # The terminal sends Ctrl-C to the command, too, which decides about its end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        follower = threading.Thread(target=_Follower(Deployment.from_command(command, time.time())).run, daemon=True)
        follower.start()
        code = process.wait()
    raise SystemExit(code if code >= 0 else 128 - code)


@dataclass(frozen=True)
class Deployment:
    """The command cdk deploy: the folder of its assembly, and the time of its start in seconds since the epoch."""

    assembly: Path
    profile: str | None
    started_at: float

    @classmethod
    def from_command(cls, command: Sequence[str], started_at: float) -> "Deployment":
        """Read the options of the CDK CLI. An assembly that was synthesized before has no time."""
        app = Path(_option(command, "--app", "-a") or "")
        profile = _option(command, "--profile")
        if (app / "manifest.json").is_file() and app != Path():
            return cls(app, profile, 0.0)
        return cls(Path(_option(command, "--output", "-o") or "cdk.out"), profile, started_at)

    def stacks(self) -> list[tuple[str, str | None]]:
        """Return the name and the region of each stack, or an empty list before the end of the synthesis."""
        manifest = self.assembly / "manifest.json"
        try:
            if manifest.stat().st_mtime < self.started_at - 1:
                return []
            artifacts = json.loads(manifest.read_text(encoding="utf-8"))["artifacts"]
        except (FileNotFoundError, ValueError):
            return []
        return [
            (item.get("properties", {}).get("stackName", name), _region(item.get("environment", "")))
            for name, item in artifacts.items()
            if item["type"] == "aws:cloudformation:stack"
        ]


class _Follower:
    """Shows the upgrades of the stacks that are being deployed. An error ends a try, and never the deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._stacks: dict[str, Stack] = {}
        self._printers: dict[str, tuple[UpgradeView, LinePrinter]] = {}
        self._console = Console(stderr=True, highlight=False)
        self._problems: set[str] = set()

    def run(self) -> None:
        """Poll until the process ends."""
        while True:
            running = [name for name, region in self._deployment.stacks() if self._show(name, region)]
            time.sleep(POLL_SECONDS if running else _STATUS_SECONDS)

    def _show(self, name: str, region: str | None) -> bool:
        """Show the upgrade of a stack, and return whether there is one."""
        try:
            stack = self._find(name, region)
            if stack is None or not is_in_progress(status_of(stack)):
                return False
            answer = stack.read("progress")
        except StackNotFoundError:  # the first deployment has not created it yet
            return False
        except CommandError as exc:
            self._report(name, str(exc))
            return False
        if is_running(answer):
            view, printer = self._printers.setdefault(
                name, (UpgradeView(), LinePrinter(self._console, prefix=f"{name} | "))
            )
            printer.print(view.lines(answer, time.monotonic()), time.monotonic())
        return is_running(answer)

    def _find(self, name: str, region: str | None) -> Stack | None:
        """Return the stack if it has a reading function. The first deployment has no outputs until its end."""
        if name not in self._stacks:
            stack = Stack.find(name, region=region, profile=self._deployment.profile)
            if not stack.has_operations:
                return None
            self._stacks[name] = stack
        return self._stacks[name]

    def _report(self, name: str, problem: str) -> None:
        """Print a problem once, dimmed: the deployment does not depend on it."""
        if problem not in self._problems:
            self._problems.add(problem)
            self._console.print(f"{name} | the upgrade cannot be followed: {problem}", style="dim", markup=False)


def _option(command: Sequence[str], *names: str) -> str | None:
    """Return the value of an option, as `--name value` or `--name=value`."""
    for index, word in enumerate(command):
        name, separator, value = word.partition("=")
        if name in names:
            return value if separator else next(iter(command[index + 1 :]), None)
    return None


def _region(environment: Any) -> str | None:
    """Return the region in `aws://account/region`, or None if the AWS configuration decides."""
    region = str(environment).rpartition("/")[2]
    return None if region in ("", "unknown-region") else region
