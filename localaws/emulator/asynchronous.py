"""Asynchronous invocations: Lambda's retries, the greatest age of an event, and the destination of what fails.

ministack runs each attempt with the code of the first, even for a function that is gone.
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
"""Seconds before the first and the second retry. Lambda waits as many minutes."""
MOST_RETRIES, GREATEST_AGE = 2, 21_600
"""Lambda's defaults; the age is in seconds."""
log = logging.getLogger(__name__)


def register() -> None:
    """Serve the asynchronous invocations of every caller."""
    runtime.replace_asynchronous_invocation(invoke)


def invoke(function: Function, event: object) -> None:
    """Take an event for a function, and return."""
    context = contextvars.copy_context()
    invocation = Invocation(function["config"]["FunctionArn"], event)
    threading.Thread(target=context.run, args=(invocation.run,), name="asynchronous-invocation", daemon=True).start()


@dataclass(frozen=True)
class Invocation:
    """One event on its way to a function."""

    function_arn: str
    event: object

    def run(self) -> None:
        """Invoke the function until it succeeds, the retries or the age are used up, or the function is gone."""
        began, attempts, identity = time.monotonic(), 0, self._identity()
        while function := runtime.function_of(self.function_arn):
            answer = runtime.run_function(function, self.event)
            attempts += 1
            if not answer.get("error") or self._identity() is not identity:
                return
            settings = _settings(function)
            wait = RETRY_WAITS[min(attempts, len(RETRY_WAITS)) - 1]
            if attempts > settings.get("MaximumRetryAttempts", MOST_RETRIES):
                self._give_up(function, settings, answer, attempts, "RetriesExhausted")
                return
            if time.monotonic() - began + wait > settings.get("MaximumEventAgeInSeconds", GREATEST_AGE):
                self._give_up(function, settings, answer, attempts, "EventAgeExceeded")
                return
            time.sleep(wait)
            if self._identity() is not identity:
                return

    def _identity(self) -> object:
        """Return what tells the function from a later one of the same name."""
        function = runtime.function_of(self.function_arn)
        if function is None:
            return None
        return runtime.identity_of(function["config"]["FunctionName"], runtime.scope_of(function["config"]))

    def _give_up(
        self, function: Function, settings: dict[str, Any], answer: dict[str, Any], attempts: int, condition: str
    ) -> None:
        """Send the event to the destination for failures, or as it is to the dead-letter queue."""
        log.warning("%s failed %s times (%s)", self.function_arn, attempts, condition)
        destination = (settings.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
        dead_letters = (function["config"].get("DeadLetterConfig") or {}).get("TargetArn")
        with runtime.request_scope(*runtime.scope_of(function["config"])):
            if destination:
                _send(destination, self._record(answer, attempts, condition))
            if dead_letters:
                _send(dead_letters, self.event)

    def _record(self, answer: dict[str, Any], attempts: int, condition: str) -> dict[str, Any]:
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
            "responsePayload": answer.get("body"),
        }


def _settings(function: Function) -> dict[str, Any]:
    settings: dict[str, Any] = function.get("event_invoke_configs") or {}
    return settings.get("$LATEST") or settings.get("") or {}


def _send(target_arn: str, body: object) -> None:
    if target_arn.split(":")[2] != "sqs":
        log.error("the emulator sends to queues alone, and loses a message for %s", target_arn)
        return
    runtime.send_to_queue(target_arn, body)
