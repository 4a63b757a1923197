"""Invocations that fail, and invocations in progress while their function is changed."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localaws.aws import LocalAws
from tests.e2e.functions import create_function, create_role, zipped
from tests.e2e.processes import processes_of
from tests.waiting import wait_until

FAILING = "def handler(event, context):\n    print('attempt')\n    raise LookupError('no database')\n"
SLOW = """
import os, time

def handler(event, context):
    while event and not os.path.exists(event):
        time.sleep(0.05)
    return {{"answer": {answer!r}, "pid": os.getpid()}}
"""


@dataclass(frozen=True)
class Functions:
    """The functions of one test, which share a role without permissions."""

    aws: LocalAws
    role: str
    names: list[str]

    def create(self, name: str, code: str) -> str:
        """Create a function and return its ARN."""
        self.names.append(name)
        return create_function(self.aws, name, code, role=self.role, timeout=30)


@pytest.fixture(scope="module")
def role(aws: LocalAws) -> str:
    return create_role(aws, "invocations")


@pytest.fixture
def functions(aws: LocalAws, role: str) -> Iterator[Functions]:
    functions = Functions(aws, role, [])
    yield functions
    for name in functions.names:
        aws.client("lambda").delete_function(FunctionName=name)


@pytest.fixture
def queue(aws: LocalAws) -> Iterator[tuple[str, str]]:
    """Return the URL and the ARN of a queue."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="failures")["QueueUrl"]
    yield url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.delete_queue(QueueUrl=url)


def message(aws: LocalAws, url: str) -> Any:
    """Wait for a message and return its body."""
    sqs = aws.client("sqs")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for received in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            return json.loads(received["Body"])
    raise AssertionError("no message within 30 s")


def test_a_scheduled_invocation_that_fails_is_retried_and_its_event_is_sent_to_the_destination(
    aws: LocalAws, functions: Functions, queue: tuple[str, str]
) -> None:
    url, destination = queue
    arn = functions.create("fails", FAILING)
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName="fails", MaximumRetryAttempts=2, DestinationConfig={"OnFailure": {"Destination": destination}}
    )
    due = (datetime.now(UTC) + timedelta(seconds=1)).replace(microsecond=0)
    attributes = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    schedule = aws.client("scheduler").create_schedule(
        Name="once",
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        ActionAfterCompletion="DELETE",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": arn,
            "RoleArn": functions.role,
            "Input": json.dumps({name: f"<aws.scheduler.{name}>" for name in attributes}),
        },
    )
    record = message(aws, url)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "LookupError"
    execution = record["requestPayload"].pop("execution-id")
    assert len(execution) == 16
    assert record["requestPayload"] == {
        "schedule-arn": schedule["ScheduleArn"],
        "scheduled-time": f"{due:%Y-%m-%dT%H:%M:%SZ}",
        "attempt-number": "1",
    }
    assert aws.logs("fails").count("attempt") == 3
    assert aws.client("scheduler").list_schedules(NamePrefix="once")["Schedules"] == []


def test_an_invocation_in_progress_survives_a_change_of_its_function_and_its_process_ends_after_it(
    aws: LocalAws, functions: Functions, tmp_path: Path
) -> None:
    functions.create("slow", SLOW.format(answer="old"))
    end = tmp_path / "end"
    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(aws.invoke, "slow", str(end))
        wait_until(lambda: bool(processes_of("slow")))
        aws.client("lambda").update_function_code(FunctionName="slow", ZipFile=zipped(SLOW.format(answer="new")))
        aws.client("lambda").update_function_configuration(FunctionName="slow", Timeout=20)
        answer, old = aws.invoke("slow", "")["answer"], processes_of("slow")
        assert answer == "new"
        assert not in_flight.done()
        end.touch()
        survivor = in_flight.result()
    assert survivor["answer"] == "old"
    assert survivor["pid"] in old
    wait_until(lambda: survivor["pid"] not in processes_of("slow"))
    assert len(processes_of("slow")) == 1


def test_a_retry_of_an_event_runs_the_new_code_of_its_function(aws: LocalAws, functions: Functions) -> None:
    arn = functions.create("mended", FAILING)
    events = aws.client("events")
    events.put_rule(Name="mended", EventPattern=json.dumps({"source": ["tests"]}))
    events.put_targets(Rule="mended", Targets=[{"Id": "function", "Arn": arn}])
    events.put_events(Entries=[{"Source": "tests", "DetailType": "test", "Detail": "{}"}])
    wait_until(lambda: "attempt" in aws.logs("mended"))
    mended = zipped("def handler(event, context): print('mended for', event['source'])\n")
    aws.client("lambda").update_function_code(FunctionName="mended", ZipFile=mended)
    wait_until(lambda: "mended for tests" in aws.logs("mended"))
