"""The execution of Python functions: ministack's pool with execution environments of `localaws.lambda_runtime`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from localaws.emulator import ministack_runtime, pool
from localaws.lambda_runtime.execution_environment import ExecutionEnvironment
from localaws.lambda_runtime.interpreter import Outcome


class PythonWorker(ministack_runtime.Worker):  # type: ignore[misc]  # ministack is untyped
    """One execution environment, which ministack's pool keeps from invocation to invocation.

    When the function changes or is removed, ministack ends the process `_proc` and removes the folder `_tmpdir`.
    """

    config: dict[str, Any]
    _environment: ExecutionEnvironment | None = None

    def run(self, event: object, request_id: str) -> dict[str, Any]:
        """Run one invocation. Return its result in the form of ministack: body, error, log."""
        with self._lock:
            environment, outcome = self._started(request_id)
            if "error" not in outcome:
                outcome = environment.invoke(event, request_id, trace_id=ministack_runtime.trace_id(self.config))
            return _result(outcome, environment.new_log_lines())

    def _started(self, request_id: str) -> tuple[ExecutionEnvironment, Outcome]:
        """Return the execution environment. If it is new, also return the outcome of its start."""
        if self._environment and self._environment.is_alive():
            return self._environment, {}
        if self._environment:
            self._environment.close()
        self._discard_tmpdir()
        self._environment = environment = ExecutionEnvironment(
            self.config,
            self.code_zip,
            runtime=Path(os.environ["LOCALAWS_RUNTIME"]),
            variables=self._variables(),
        )
        self._tmpdir, self._proc = str(environment.folder), environment.process
        return environment, environment.wait_until_ready(request_id)

    def _variables(self) -> dict[str, str]:
        """Return the credentials of the function's role, and the variables for AWS's APIs on this machine."""
        apis = {name: os.environ[name] for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE")}
        return {**ministack_runtime.execution_credentials(dict(self.config)), **apis}


def execute(function: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
    """Run an invocation in a free execution environment of the function."""
    config = function["config"]
    worker, _ = ministack_runtime.acquire_worker(
        config["FunctionName"], config, function["code_zip"], qualifier=config.get("Version", "$LATEST")
    )
    try:
        result: dict[str, Any] = worker.run(event, request_id)
        return result
    finally:
        pool.release(worker)


def _result(outcome: Outcome, log: str) -> dict[str, Any]:
    if "error" in outcome:
        return {"body": outcome["error"], "error": True, "log": log}
    return {"body": json.loads(outcome["payload"]), "log": log}
