"""A function of a rehearsal, whose log is reported while it runs."""

import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from localaws.errors import LocalAwsError
from localaws.lambda_runtime.execution_environment import ExecutionEnvironment
from localaws.lambda_runtime.interpreter import Outcome
from localaws.rehearsal.function_log import LogEntry, LogReader

LOG_INTERVAL_SECONDS = 0.05

type Report = Callable[[LogEntry], None]


class RehearsalError(LocalAwsError):
    """A function failed. The message is the reason that a deployment shows."""


class Function(ExecutionEnvironment):
    """One execution environment, for one invocation after another."""

    _is_ready = False

    def invoke_and_report(self, event: object, report: Report) -> Any:
        """Run one invocation, call `report` with each line of the log, and return the answer. Raises RehearsalError."""
        reader = LogReader()
        with ThreadPoolExecutor(1) as pool:
            invocation = pool.submit(self._start_and_invoke, event)
            try:
                is_done = False
                while not is_done:
                    is_done = bool(wait([invocation], LOG_INTERVAL_SECONDS).done)
                    for entry in reader.entries(self.new_log_lines()):
                        report(entry)
            except BaseException:
                self.process.kill()  # the pool waits for the end of the invocation
                raise
        outcome = invocation.result()
        if "error" in outcome:
            raise RehearsalError(_reason(outcome["error"]))
        return json.loads(outcome["payload"])

    def _start_and_invoke(self, event: object) -> Outcome:
        request_id = str(uuid.uuid4())
        if not self._is_ready:
            start = self.wait_until_ready(request_id)
            if "error" in start:
                return start
            self._is_ready = True
        trace_id = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
        return self.invoke(event, request_id, trace_id=trace_id)


def _reason(error: Mapping[str, str]) -> str:
    """Return the message of an error of the project's functions, and kind and message of any other error."""
    is_own = error["errorType"] == "MigratorError"
    return error["errorMessage"] if is_own else f"{error['errorType']}: {error['errorMessage']}"
