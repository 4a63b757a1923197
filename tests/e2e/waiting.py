"""Waiting for what comes true in time."""

import time
from collections.abc import Callable

OFTEN = {"Delay": 0.2, "MaxAttempts": 300}
"""The pace of boto3's waiters for what takes seconds here and minutes on AWS."""


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
