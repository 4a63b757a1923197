"""Starting and stopping the emulator's process, and the environment it gets: listed here, nothing inherited unasked."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from localaws.certificates import Certificates
from localaws.errors import LocalAwsError
from localaws.lambda_runtime import packages
from localaws.run import CHECKOUT, HOST, REGION, START_SECONDS, STATE, Run, State

STOP_SECONDS = 20.0
FOR_POSTGRESQL = ("LOCALAWS_POSTGRES", "DOCKER_", "TESTCONTAINERS_")
"""Prefixes of the developer's variables that decide where databases run; they are the only ones handed on."""


def start(run: Run, certificates: Certificates, *, keep: bool) -> subprocess.Popen[bytes]:
    """Start the process; `keep` lets it live on after this one. It dies with this one otherwise."""
    command = [sys.executable, "-m", "localaws.emulator", str(run.folder), *(["--keep"] if keep else [])]
    with run.emulator_log.open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment(run, certificates),
            stdin=subprocess.DEVNULL if keep else subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C on the terminal must not reach it before its databases are stopped
        )


def wait_until_announced(run: Run, process: subprocess.Popen[bytes]) -> State:
    """Return the state that the process writes once it has its port."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if state := run.state():
            return state
        time.sleep(0.02)
    raise LocalAwsError(f"the emulator did not start{last_words(run)}; its log: {run.emulator_log}")


def stop(run: Run, process: subprocess.Popen[bytes] | None = None) -> None:
    """Stop the run's emulator and with it all that it started; return when it is gone."""
    if process:
        _stop_child(process)
    elif (state := run.state()) and run.is_alive():
        _stop_other(run, state.pid)


def _stop_child(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def _stop_other(run: Run, pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while run.is_alive():
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def environment(run: Run, certificates: Certificates) -> dict[str, str]:
    """Return every variable of the emulator's process."""
    certificate, key = certificates.issue([HOST, "localhost"])
    trust = str(certificates.ca_path)
    handed_on = {name: value for name, value in os.environ.items() if name.startswith(FOR_POSTGRESQL)}
    return handed_on | {
        "PATH": os.environ["PATH"],
        "HOME": str(run.home),
        "TMPDIR": str(run.temporary),
        "LANG": "C.UTF-8",
        # ministack's: strict, over TLS, this machine only
        "AUTH": "true",
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificate),
        "MINISTACK_SSL_KEY": str(key),
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "INFO",
        "LAMBDA_EXECUTOR": "local",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "STATE_DIR": str(run.folder / "ministack"),
        # the account's root, whose signatures ministack does not check: it is used for making an administrator
        "AWS_ACCESS_KEY_ID": f"AKIA{secrets.token_hex(8).upper()}",
        "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        # for the functions
        "LOCALAWS_RUNTIME": str(packages.installed(CHECKOUT / "requirements" / "lambda-runtime.txt", STATE)),
        "AWS_CA_BUNDLE": trust,
        "NODE_EXTRA_CA_CERTS": trust,
        "NODE_PATH": str(CHECKOUT / "node_modules"),
        "NODE_OPTIONS": f'--require "{CHECKOUT / "localaws" / "lambda_runtime" / "gateway.js"}"',
        "LOCALAWS_GATEWAY_HOST": HOST,
    }


def last_words(run: Run) -> str:
    """Return the last line of the emulator's log, to be put behind what was expected of it."""
    lines = Path(run.emulator_log).read_text(errors="replace").split("\n")
    said = next((line for line in reversed(lines) if line.strip()), "")
    return f": {said.strip()}" if said else ""
