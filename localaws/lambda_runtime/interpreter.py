"""A Python interpreter with an unpacked zip, outside of every virtual environment."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from rds_alembic.assets import interpreter

RUNTIME_CLIENT = Path(__file__).with_name("runtime_client.py")
INIT_TIMEOUT_SECONDS = 30.0
"""The time for the import of a handler. Lambda allows 10 s. This machine may be slow and busy."""

type Outcome = dict[str, Any]
"""{"payload": JSON text} or {"error": {"errorType": …, "errorMessage": …}}, in the words of Lambda."""


class Interpreter:
    """The process of an execution environment, in its `folder`. The subfolder `task` has the unpacked zip."""

    def __init__(self, folder: Path, *, runtime: Path, handler: str, variables: Mapping[str, str]) -> None:
        log = folder / "log"
        self._log = log.open("wb+")
        self._channel, remote = socket.socketpair()
        with remote, log.open("ab") as output:
            self._process = subprocess.Popen(
                command(remote.fileno(), folder / "task", runtime, handler),
                cwd=folder / "task",
                env=variables,
                stdin=subprocess.PIPE,  # its end tells the child that this process has ended
                stdout=output,
                stderr=output,
                pass_fds=[remote.fileno()],
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the process."""
        return self._process

    def wait_until_ready(self, request_id: str) -> Outcome:
        """Wait for the import of the handler. Return an error if it fails."""
        return self._receive(INIT_TIMEOUT_SECONDS, request_id)

    def call(
        self, event: object, request_id: str, *, function_arn: str, trace_id: str | None, timeout: float
    ) -> Outcome:
        """Run one invocation. Kill the process after `timeout` seconds."""
        invocation = {
            "event": event,
            "request_id": request_id,
            "function_arn": function_arn,
            "trace_id": trace_id,
            "deadline": time.time() + timeout,
        }
        with contextlib.suppress(OSError):  # _receive() detects that the process has ended
            self._channel.sendall(json.dumps(invocation).encode() + b"\n")
        return self._receive(timeout, request_id)

    def new_log_lines(self) -> str:
        """Return the lines on standard output and error since the last call."""
        return self._log.read().decode(errors="replace")

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> int:
        """Kill the process, as Lambda does, and return its exit status."""
        self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)  # a process that ends by itself closes its socket a moment earlier
        self._process.kill()
        if self._process.stdin:
            self._process.stdin.close()
        return self._process.wait()

    def close(self) -> None:
        """Kill the process and close its log."""
        self.kill()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, timeout: float, request_id: str) -> Outcome:
        try:
            line = _read_line(self._channel, time.monotonic() + timeout)
        except TimeoutError:
            self.kill()
            return _failure(
                "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
            )
        if not line:
            status = _format_status(self.kill())
            return _failure("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {status}")
        outcome: Outcome = json.loads(line)
        return outcome


def command(channel: int, task_root: Path, runtime: Path, handler: str) -> list[str]:
    """Return the command of the interpreter: isolated, without site-packages, outside of every virtual environment."""
    is_own = sys.version_info[:2] == interpreter.VERSION
    python = Path(sys.base_prefix, "bin", f"python{interpreter.NAME}") if is_own else interpreter.find_python()
    arguments = [RUNTIME_CLIENT, channel, task_root, runtime, handler]
    return [str(python), "-I", "-S", "-B", *map(str, arguments)]


def _read_line(channel: socket.socket, deadline: float) -> bytes:
    """Read one line. Return nothing if the other side ends. Raises TimeoutError at the deadline."""
    received = bytearray()
    while not received.endswith(b"\n"):
        channel.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            chunk = channel.recv(65536)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            return b""
        if not chunk:
            return b""
        received += chunk
    return bytes(received)


def _failure(kind: str, message: str) -> Outcome:
    return {"error": {"errorMessage": message, "errorType": kind}}


def _format_status(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal: {-status}"
