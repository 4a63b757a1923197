"""Python functions in the emulator: execution environments, which ministack pools, and an invocation in one of them."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from localaws.emulator import ministack_runtime
from localaws.lambda_runtime import environments
from localaws.lambda_runtime.interpreter import Interpreter, Outcome


class ExecutionEnvironment(ministack_runtime.ExecutionEnvironmentBase):  # type: ignore[misc]  # ministack is untyped
    """One unpacked zip and its interpreter, kept from invocation to invocation as Lambda does.

    It is ended by `_proc` and the folder `_tmpdir` is removed, after the function was changed or when it is removed.
    """

    config: dict[str, Any]
    _interpreter: Interpreter | None = None

    def run(self, event: object, request_id: str) -> dict[str, Any]:
        """Run one invocation; return it in ministack's shape: body, error, log."""
        with self._lock:
            interpreter, outcome = self._started(request_id)
            if "error" not in outcome:
                outcome = interpreter.call(
                    event,
                    request_id,
                    function_arn=self.config["FunctionArn"],
                    trace_id=ministack_runtime.trace_id(self.config),
                    timeout=float(self.config.get("Timeout", 3)),
                )
            return _in_ministacks_shape(outcome, interpreter.new_log_lines())

    def _started(self, request_id: str) -> tuple[Interpreter, Outcome]:
        """Return the interpreter, and how its start went if it was started just now."""
        if self._interpreter and self._interpreter.is_alive():
            return self._interpreter, {}
        if self._interpreter:
            self._interpreter.close()
        self._discard_tmpdir()
        self._interpreter = interpreter = self._start()
        return interpreter, interpreter.wait_until_ready(request_id)

    def _start(self) -> Interpreter:
        folder = Path(tempfile.mkdtemp(prefix=f"{self.config['FunctionName'][-30:]}-"))
        self._tmpdir = str(folder)
        with zipfile.ZipFile(BytesIO(self.code_zip)) as archive:
            archive.extractall(folder / "task")
        interpreter = Interpreter(
            folder,
            runtime=Path(os.environ["LOCALAWS_RUNTIME"]),
            handler=self.config["Handler"],
            variables=variables(self.config, folder),
        )
        self._proc = interpreter.process
        return interpreter


def execute(function: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
    """Run an invocation in a free execution environment of the function."""
    config = function["config"]
    environment, _ = ministack_runtime.acquire_environment(
        config["FunctionName"], config, function["code_zip"], qualifier=config.get("Version", "$LATEST")
    )
    try:
        outcome: dict[str, Any] = environment.run(event, request_id)
        return outcome
    finally:
        environments.release(environment)


def variables(config: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Return the environment variables of AWS's runtime and the function's own, and nothing of this machine's."""
    name, region = config["FunctionName"], config["FunctionArn"].split(":")[3]
    from_runtime = {
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": config.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": uuid.uuid4().hex,
        "AWS_REGION": region,
        "LAMBDA_TASK_ROOT": str(folder / "task"),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        "_HANDLER": config["Handler"],
        **ministack_runtime.execution_credentials(dict(config)),
    }
    of_this_machine = {  # where the APIs are, whom to trust for them, and a home instead of the developer's
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        "AWS_CA_BUNDLE": os.environ["AWS_CA_BUNDLE"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    return {**config.get("Environment", {}).get("Variables", {}), **from_runtime, **of_this_machine}


def _in_ministacks_shape(outcome: Outcome, log: str) -> dict[str, Any]:
    if "error" in outcome:
        return {"body": outcome["error"], "error": True, "log": log}
    return {"body": json.loads(outcome["payload"]), "log": log}
