"""A bare Python interpreter with one unpacked zip: started, asked, killed. It knows nothing of the emulator."""

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

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
INIT_SECONDS = 30.0
"""Lambda allows a start 10 s; a small machine that runs a whole AWS besides is given more."""

type Outcome = dict[str, Any]
"""{"payload": JSON text} or {"error": {"errorType": …, "errorMessage": …}}, as Lambda words it."""


class Interpreter:
    """The process of an execution environment. `folder` is its own; `task` below it holds the unpacked zip."""

    def __init__(self, folder: Path, *, runtime: Path, handler: str, variables: Mapping[str, str]) -> None:
        log = folder / "log"
        self._log = log.open("wb+")
        self._channel, theirs = socket.socketpair()
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(
                command(theirs.fileno(), folder / "task", runtime, handler),
                cwd=folder / "task",
                env=variables,
                stdin=subprocess.PIPE,  # never written to: its end tells the child that we are gone
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process, for whoever has to end it."""
        return self._process

    def wait_until_ready(self, request_id: str) -> Outcome:
        """Wait for the import of the handler; return an error if it failed."""
        return self._receive(INIT_SECONDS, request_id)

    def call(
        self, event: object, request_id: str, *, function_arn: str, trace_id: str | None, timeout: float
    ) -> Outcome:
        """Run one invocation; when it takes longer than `timeout` seconds, kill the process."""
        invocation = {
            "event": event,
            "request_id": request_id,
            "function_arn": function_arn,
            "trace_id": trace_id,
            "deadline": time.time() + timeout,
        }
        with contextlib.suppress(OSError):  # that the process has ended meanwhile is seen when receiving
            self._channel.sendall(json.dumps(invocation).encode() + b"\n")
        return self._receive(timeout, request_id)

    def new_log_lines(self) -> str:
        """Return what was written to standard output and error since the last time."""
        return self._log.read().decode(errors="replace")

    def is_alive(self) -> bool:
        """Return whether it can be called."""
        return self._process.poll() is None

    def kill(self) -> int:
        """End the process as Lambda does, without asking it; return its exit status."""
        self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)  # one that ends by itself closes its socket a moment earlier
        self._process.kill()
        if self._process.stdin:
            self._process.stdin.close()
        return self._process.wait()

    def close(self) -> None:
        """Kill it and close what belongs to it."""
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
            said = _words(self.kill())
            return _failure("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {said}")
        outcome: Outcome = json.loads(line)
        return outcome


def command(channel: int, task_root: Path, runtime: Path, handler: str) -> list[str]:
    """Return how to start the interpreter outside of every virtual environment: isolated, without site-packages."""
    interpreter = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    arguments = [BOOTSTRAP, channel, task_root, runtime, handler]
    return [str(interpreter), "-I", "-S", "-B", *map(str, arguments)]


def _read_line(channel: socket.socket, deadline: float) -> bytes:
    """Read up to the end of the line, or nothing if the other side ends; raise TimeoutError at the deadline."""
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


def _words(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal: {-status}"
