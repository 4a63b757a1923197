"""Waiting for a condition, and the pace of boto3's waiters."""

import time
from collections.abc import Callable

OFTEN = {"Delay": 0.2, "MaxAttempts": 300}
"""The pace of boto3's waiters for operations that take seconds in the local AWS."""


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until the condition is true; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not true within {seconds} s"
        time.sleep(0.03)
