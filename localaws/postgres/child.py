"""A helper process on a leash: it reads its orders from a pipe, and ends by itself when the pipe closes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from localaws.errors import LocalAwsError

CHECKOUT = Path(__file__).parents[2]
KEEPER = Path(__file__).with_name("keeper.py")
PATIENCE = 30  # seconds to end by itself


class Child:
    """A Python file running as a process of its own. One line in, one line out; a closed pipe tells it to end."""

    def __init__(self, file: Path, order: Mapping[str, object], *, log: Path) -> None:
        self._file, self._log = file, log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", file],  # -P: what lies beside the file is no module of its own
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                start_new_session=True,  # Ctrl-C in a terminal is for the starter, whose end is told by the pipe
            )
        self.pid = self._process.pid
        self.first_answer = self.ask(json.dumps(order))

    def ask(self, line: str) -> str:
        """Send one line and return the answer; raise LocalAwsError when the process ended instead."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise TypeError("both are pipes")
        try:
            stdin.write(line + "\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise LocalAwsError(f"{self._file.stem} ended: {self._log.read_text()[-2000:].strip()}")
        return answer.strip()

    def stop(self) -> None:
        """Close the pipe and wait for the end. A second call does nothing."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe and not pipe.closed:
                pipe.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
