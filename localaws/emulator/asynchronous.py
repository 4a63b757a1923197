"""Asynchronous invocations: Lambda's retries, the maximum age of an event, and the destination of failed events.

ministack runs each attempt with the code of the first attempt, even after the function was removed.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localaws.emulator import ministack_runtime as runtime
from localaws.emulator.ministack_runtime import Function

RETRY_WAITS = (1.0, 2.0)
"""Seconds before the first and the second retry. Lambda waits 1 and 2 minutes."""
MAX_RETRIES, MAX_AGE_SECONDS = 2, 21_600
"""Lambda's defaults."""
log = logging.getLogger(__name__)


def register() -> None:
    """Replace ministack's asynchronous invocations."""
    runtime.replace_asynchronous_invocation(invoke)


def invoke(function: Function, event: object) -> None:
    """Begin the invocation of a function, and return."""
    context = contextvars.copy_context()
    invocation = Invocation(function["config"]["FunctionArn"], event)
    threading.Thread(target=context.run, args=(invocation.run,), name="asynchronous-invocation", daemon=True).start()


@dataclass(frozen=True)
class Invocation:
    """One event for a function."""

    function_arn: str
    event: object

    def run(self) -> None:
        """Invoke the function until it succeeds, the retries or the age are exhausted, or the function is removed."""
        start, attempts, identity = time.monotonic(), 0, self._identity()
        while function := runtime.function_of(self.function_arn):
            result = runtime.run_function(function, self.event)
            attempts += 1
            if not result.get("error") or self._identity() is not identity:
                return
            settings = _settings(function)
            wait = RETRY_WAITS[min(attempts, len(RETRY_WAITS)) - 1]
            if attempts > settings.get("MaximumRetryAttempts", MAX_RETRIES):
                self._give_up(function, settings, result, attempts, "RetriesExhausted")
                return
            if time.monotonic() - start + wait > settings.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS):
                self._give_up(function, settings, result, attempts, "EventAgeExceeded")
                return
            time.sleep(wait)
            if self._identity() is not identity:
                return

    def _identity(self) -> object:
        """Return an object that differs between this function and a later function of the same name."""
        function = runtime.function_of(self.function_arn)
        if function is None:
            return None
        return runtime.identity_of(function["config"]["FunctionName"], runtime.scope_of(function["config"]))

    def _give_up(
        self, function: Function, settings: dict[str, Any], result: dict[str, Any], attempts: int, condition: str
    ) -> None:
        """Send a record of the failure to the destination for failures, and the event to the dead-letter queue."""
        log.warning("%s failed %s times (%s)", self.function_arn, attempts, condition)
        destination = (settings.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
        dead_letters = (function["config"].get("DeadLetterConfig") or {}).get("TargetArn")
        with runtime.request_scope(*runtime.scope_of(function["config"])):
            if destination:
                _send(destination, self._record(result, attempts, condition))
            if dead_letters:
                _send(dead_letters, self.event)

    def _record(self, result: dict[str, Any], attempts: int, condition: str) -> dict[str, Any]:
        """Return the invocation record that Lambda sends to a destination."""
        return {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": f"{self.function_arn}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": self.event,
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": result.get("body"),
        }


def _settings(function: Function) -> dict[str, Any]:
    settings: dict[str, Any] = function.get("event_invoke_configs") or {}
    return settings.get("$LATEST") or settings.get("") or {}


def _send(target_arn: str, body: object) -> None:
    if target_arn.split(":")[2] != "sqs":
        log.error("a destination must be an SQS queue in the emulator (got %s): the message is lost", target_arn)
        return
    runtime.send_to_queue(target_arn, body)
