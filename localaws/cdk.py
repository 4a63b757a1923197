"""Run the CDK CLI: synth without AWS; bootstrap, deploy and destroy on the local AWS.

On the local AWS the CLI runs with a preloaded script, `cdk_polling.js`, that shortens its polling.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.aws import LocalAws
from localaws.constants import ACCOUNT, CHECKOUT, REGION
from localaws.errors import LocalAwsError
from rds_alembic.assets import wheels

CLI = CHECKOUT / "node_modules" / ".bin" / "cdk"
POLLING_SCRIPT = CHECKOUT / "localaws" / "cdk_polling.js"
STACK = "PrivateDatabase"
QUIET = {  # no requests to the internet, no banners
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "1",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",  # the version; see the Makefile
    "NODE_NO_WARNINGS": "1",
}
EVENT = re.compile(
    r"^\S+ \|\s*(?P<done>\d+)(?:/(?P<total>\d+))? \| [^|]+ \| (?P<status>\w+)\s*\| (?P<type>\S+)\s*\| (?P<resource>\S+)"
)


@dataclass(frozen=True)
class StackEvent:
    """One line of the CLI's progress. `total` is 0 if the CLI does not show it."""

    done: int
    total: int
    status: str
    type: str
    resource: str


type Progress = Callable[[StackEvent], None]


class CdkError(LocalAwsError):
    """The CLI failed. `reasons`: the reasons of CloudFormation, by logical id."""

    def __init__(self, command: str, reasons: Mapping[str, str], log: Path) -> None:
        reason = "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) or _last_error(log)
        super().__init__(f"cdk {command} failed: {reason} (log: {log})")
        self.reasons = dict(reasons)


def synth(
    output: Path,
    *,
    context: Mapping[str, str],
    app: str | None = None,
    folder: Path = CHECKOUT,
    log: Path | None = None,
) -> Path:
    """Synthesize into `output` and return it. Needs no AWS. Several syntheses can run at the same time."""
    arguments = ["synth", "--quiet", "--no-notices", "--output", str(output), *(["--app", app] if app else [])]
    for name, value in context.items():
        arguments += ["--context", f"{name}={value}"]
    log = log or output.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    if _run(arguments, folder, synth_environment(), log):
        raise CdkError("synth", {}, log)
    return output


def synth_environment() -> dict[str, str]:
    """Return the developer's environment, for uv's caches and mirrors, without the variables of AWS."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **inherited,
        **QUIET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": REGION,
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
    }


def local_context(ca_path: Path) -> dict[str, str]:
    """Return the context for the local AWS: the processor and the wheels of this machine, and the authority."""
    architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    is_like_lambda = wheels.local_architecture() == architecture
    return {"architecture": architecture, "wheels": "lambda" if is_like_lambda else "local", "rds-ca": str(ca_path)}


@dataclass(frozen=True)
class SynthesizedStack:
    """The stack of an assembly. A protected stack cannot be destroyed."""

    name: str
    is_protected: bool


def stack_of(assembly: Path) -> SynthesizedStack:
    """Return the only stack of an assembly."""
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    [(name, stack)] = [(name, item) for name, item in artifacts.items() if item["type"] == "aws:cloudformation:stack"]
    return SynthesizedStack(name, bool(stack["properties"].get("terminationProtection")))


@dataclass(frozen=True)
class Cdk:
    """The CLI on a local AWS. `progress` is called for each event of a stack."""

    aws: LocalAws
    progress: Progress = lambda _: None

    def bootstrap(self) -> None:
        """Bootstrap the account. The folder is empty, because the CLI would synthesize the app of the checkout."""
        empty = self.aws.instance.folder / "empty"
        empty.mkdir(exist_ok=True)
        self._cdk("bootstrap", [f"aws://{ACCOUNT}/{REGION}"], stack="CDKToolkit", folder=empty)

    def deploy(self, assembly: Path, stack: str = STACK) -> dict[str, str]:
        """Deploy a synthesized stack and return its outputs."""
        outputs = self.aws.instance.folder / f"outputs-{stack}.json"
        options = ["--require-approval", "never", "--progress", "events", "--outputs-file", str(outputs)]
        self._cdk("deploy", ["--app", str(assembly), *options, stack], stack=stack)
        values: dict[str, str] = json.loads(outputs.read_text()).get(stack, {})
        return values

    def destroy(self, assembly: Path, stack: str = STACK) -> None:
        """Destroy the stack."""
        self._cdk("destroy", ["--app", str(assembly), "--force", stack], stack=stack)

    def _cdk(self, command: str, arguments: Sequence[str], *, stack: str, folder: Path = CHECKOUT) -> None:
        log = self.aws.instance.folder / f"{command}-{stack}.log"
        before = {event["EventId"] for event in stack_events(self.aws, stack)}
        environment = self.aws.env() | QUIET | {"NODE_OPTIONS": f'--require "{POLLING_SCRIPT}"'}
        if _run([command, "--ci", "--no-notices", *arguments], folder, environment, log, self._report):
            failed = [event for event in stack_events(self.aws, stack) if event["EventId"] not in before]
            raise CdkError(command, failure_reasons(failed), log)

    def _report(self, line: str) -> None:
        if event := EVENT.match(line):
            self.progress(
                StackEvent(
                    done=int(event["done"]),
                    total=int(event["total"] or 0),
                    status=event["status"],
                    type=event["type"],
                    resource=event["resource"],
                )
            )


def stack_events(aws: LocalAws, stack: str) -> list[dict[str, Any]]:
    """Return the events of the stack, oldest first. Return an empty list if there is no such stack."""
    cloudformation = aws.client("cloudformation")
    try:
        pages = list(cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack))
    except cloudformation.exceptions.ClientError:
        return []
    return [event for page in reversed(pages) for event in reversed(page["StackEvents"])]


def failure_reasons(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the reason of each failed resource, by logical id, without the debugging lines of CDK's framework."""
    return {
        event["LogicalResourceId"]: event["ResourceStatusReason"].split("\n\nLogs: ")[0].strip()
        for event in events
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
    }


def _run(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    report: Callable[[str], None] = lambda _: None,
) -> int:
    """Run the CLI, append its output to `log`, report each line, and return the exit status."""
    with (
        log.open("a") as log_file,
        subprocess.Popen(
            [CLI, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        for line in process.stdout or ():
            log_file.write(line)
            log_file.flush()
            report(line)
        return process.wait()


def _last_error(log: Path) -> str:
    """Return the lines of the last error of app.py, or the last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    of_app = [line for line in lines if "Subprocess exited with error" not in line]
    starts = [number for number, line in enumerate(of_app) if line.startswith("error: ")]
    return "\n".join(of_app[starts[-1] :] if starts else lines[-1:]) or "no output"
