"""Looking at processes from outside."""

import os
import subprocess
import time
from collections.abc import Iterable


def descendants(pid: int) -> set[int]:
    """Return the process ids of the children of `pid`, their children, and so on."""
    listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
    found: set[int] = set()
    while new := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= new
    return found


def alive(pids: Iterable[int]) -> set[int]:
    """Return those that live; one that has ended but is not yet fetched by its parent does not."""
    return {pid for pid in pids if _state(pid) not in ("", "Z")}


def processes_of(function: str) -> set[int]:
    """Return the process ids of a function's execution environments, whose folders are named after it."""
    listed = subprocess.run(["ps", "-axwwo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = (line.strip().partition(" ") for line in listed.splitlines())
    return {int(pid) for pid, _, command in lines if f"/{function[-30:]}-" in command}


def wait_until_gone(pids: Iterable[int], seconds: float) -> set[int]:
    """Wait until none lives; return those that still do after so long."""
    deadline = time.monotonic() + seconds
    pids = set(pids)
    while (left := alive(pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _state(pid: int) -> str:
    if pid == os.getpid():
        return "R"
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1]
