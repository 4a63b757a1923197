"""Start and stop the process of the emulator, with a complete list of its environment variables."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time

from localaws.certificates import CertificateAuthority
from localaws.constants import CHECKOUT, HOST, REGION
from localaws.emulator.instance import START_TIMEOUT_SECONDS, EmulatorInstance, State
from localaws.errors import LocalAwsError
from localaws.lambda_runtime.packages import runtime_packages

STOP_TIMEOUT_SECONDS = 20.0
POSTGRESQL_PREFIXES = ("LOCALAWS_POSTGRES", "DOCKER_", "TESTCONTAINERS_")
"""Prefixes of the developer's variables that decide where databases run. The emulator inherits only these."""


def start(instance: EmulatorInstance, certificates: CertificateAuthority, *, keep: bool) -> subprocess.Popen[bytes]:
    """Start the process. Without `keep`, it ends when this process ends."""
    command = [sys.executable, "-m", "localaws.emulator", str(instance.folder), *(["--keep"] if keep else [])]
    with instance.emulator_log.open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment(instance, certificates),
            stdin=subprocess.DEVNULL if keep else subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C goes to this process only, which then stops the emulator
        )


def wait_for_state(instance: EmulatorInstance, process: subprocess.Popen[bytes]) -> State:
    """Return the state that the process writes when it has its port. Raises LocalAwsError if it does not start."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if state := instance.state():
            return state
        time.sleep(0.02)
    raise LocalAwsError(f"the emulator did not start{last_log_line(instance)}; its log: {instance.emulator_log}")


def stop(instance: EmulatorInstance, process: subprocess.Popen[bytes] | None = None) -> None:
    """Stop the emulator with everything that it started, and wait for its end."""
    if process:
        _stop_child(process)
    elif (state := instance.state()) and instance.is_alive():
        _stop_other(instance, state.pid)


def _stop_child(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def _stop_other(instance: EmulatorInstance, pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while instance.is_alive():
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def environment(instance: EmulatorInstance, certificates: CertificateAuthority) -> dict[str, str]:
    """Return all environment variables of the process."""
    certificate, key = certificates.issue([HOST, "localhost"])
    trust = str(certificates.ca_path)
    inherited = {name: value for name, value in os.environ.items() if name.startswith(POSTGRESQL_PREFIXES)}
    return inherited | {
        "PATH": os.environ["PATH"],
        "HOME": str(instance.home),
        "TMPDIR": str(instance.temporary),
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",  # macOS has no such locale
        # for ministack: strict, with TLS, on the loopback address
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
        "STATE_DIR": str(instance.folder / "ministack"),
        # the account's root. ministack does not verify its signatures, so that it only creates an administrator
        "AWS_ACCESS_KEY_ID": f"AKIA{secrets.token_hex(8).upper()}",
        "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        # for the functions
        "LOCALAWS_RUNTIME": str(runtime_packages()),
        "AWS_CA_BUNDLE": trust,
        "NODE_EXTRA_CA_CERTS": trust,
        "NODE_PATH": str(CHECKOUT / "node_modules"),
        "NODE_OPTIONS": f'--require "{CHECKOUT / "localaws" / "lambda_runtime" / "gateway.js"}"',
        "LOCALAWS_GATEWAY_HOST": HOST,
    }


def last_log_line(instance: EmulatorInstance) -> str:
    """Return the last line of the emulator's log, as the end of an error message."""
    lines = instance.emulator_log.read_text(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    return f": {last.strip()}" if last else ""
