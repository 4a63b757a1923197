"""A helper process, which ends when the process that started it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localaws.constants import CHECKOUT
from localaws.errors import LocalAwsError

STOP_TIMEOUT_SECONDS = 30


class HelperProcess:
    """A Python file in a process of its own.

    Each request is one line of JSON on its standard input, and each response is one line on its standard output. The
    end of standard input tells the process to end.
    """

    def __init__(self, file: Path, config: Mapping[str, object], *, log: Path) -> None:
        self._file, self._log = file, log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", file],  # -P: the files beside it are not top-level modules
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                start_new_session=True,  # Ctrl-C goes to the starter only, and the end of the starter closes the pipe
            )
        self._send(config)

    def request(self, command: str, **arguments: object) -> Any:
        """Send a request and return the response. Raises LocalAwsError if the process has ended."""
        return self._send({"command": command, **arguments})

    def stop(self) -> None:
        """Close the pipe and wait for the end of the process. A second call does nothing."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe and not pipe.closed:
                pipe.close()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, message: Mapping[str, object]) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise TypeError("standard input and output must be pipes")
        try:
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
            response = stdout.readline()
        except BrokenPipeError:
            response = ""
        if not response:
            raise LocalAwsError(f"{self._file} ended: {self._log.read_text()[-2000:].strip()}")
        return json.loads(response)
