"""The retries of asynchronous invocations in the local AWS, and the destinations of failed events."""

import os
from dataclasses import dataclass, field
from typing import Any

import pytest

from localaws.constants import STATE

os.environ["STATE_DIR"] = str(STATE / "ministack")  # the import of ministack writes files there

from localaws.emulator import asynchronous
from localaws.emulator.asynchronous import Invocation

ARN = "arn:aws:lambda:eu-central-1:000000000000:function:f"
DESTINATION, DEAD_LETTERS = "arn:aws:sqs:eu-central-1:000000000000:d", "arn:aws:sqs:eu-central-1:000000000000:dlq"


@dataclass
class Lambda:
    """A function that fails `failures` times, and the messages that were sent."""

    settings: dict[str, Any] = field(default_factory=dict)
    failures: int = 1000
    replaced_after: int = 1000
    attempts: int = 0
    sent: list[tuple[str, Any]] = field(default_factory=list)

    def function_of(self, _: str) -> dict[str, Any]:
        config = {"FunctionName": "f", "FunctionArn": ARN, "DeadLetterConfig": {"TargetArn": DEAD_LETTERS}}
        destination = {"OnFailure": {"Destination": DESTINATION}}
        return {
            "config": config,
            "event_invoke_configs": {"$LATEST": {**self.settings, "DestinationConfig": destination}},
        }

    def identity_of(self, *_: object) -> object:
        return "another" if self.attempts >= self.replaced_after else "the first"

    def run_function(self, *_: object) -> dict[str, Any]:
        self.attempts += 1
        return {"error": True, "body": {"errorType": "LookupError"}} if self.attempts <= self.failures else {}

    def run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Invoke it."""
        monkeypatch.setattr(asynchronous, "RETRY_WAITS", (0.0, 0.0))
        for name in ("function_of", "identity_of", "run_function"):
            monkeypatch.setattr(f"localaws.emulator.ministack_runtime.{name}", getattr(self, name))
        monkeypatch.setattr(
            "localaws.emulator.ministack_runtime.send_to_queue", lambda arn, body: self.sent.append((arn, body))
        )
        Invocation(ARN, {"day": 1}).run()


@pytest.mark.parametrize(
    ("settings", "attempts", "condition"),
    [
        ({}, 3, "RetriesExhausted"),
        ({"MaximumRetryAttempts": 0}, 1, "RetriesExhausted"),
        ({"MaximumRetryAttempts": 1}, 2, "RetriesExhausted"),
        ({"MaximumEventAgeInSeconds": 0}, 1, "EventAgeExceeded"),
    ],
)
def test_the_settings_of_a_function_limit_the_attempts_of_an_event(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], attempts: int, condition: str
) -> None:
    failing = Lambda(settings)
    failing.run(monkeypatch)
    assert failing.attempts == attempts
    (destination, record), (dead_letters, event) = failing.sent
    assert (destination, dead_letters) == (DESTINATION, DEAD_LETTERS)
    assert record["requestContext"]["condition"] == condition
    assert record["requestContext"]["approximateInvokeCount"] == attempts
    assert record["requestPayload"] == event == {"day": 1}
    assert record["responsePayload"] == {"errorType": "LookupError"}


def test_a_successful_retry_is_the_last_attempt_and_sends_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    recovering = Lambda(failures=1)
    recovering.run(monkeypatch)
    assert (recovering.attempts, recovering.sent) == (2, [])


def test_the_event_of_a_removed_function_does_not_invoke_a_new_function_of_the_same_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    removed = Lambda(replaced_after=1)
    removed.run(monkeypatch)
    assert (removed.attempts, removed.sent) == (1, [])
