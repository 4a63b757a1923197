"""The processes of a local AWS, as `ps` lists them."""

import os
import subprocess
import time
from collections.abc import Iterable


def descendants(pid: int) -> set[int]:
    """Return the process ids of the children of `pid`, their children, and so on."""
    listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
    result: set[int] = set()
    while new := {child for child, parent in parents.items() if parent in {pid, *result}} - result:
        result |= new
    return result


def alive(pids: Iterable[int]) -> set[int]:
    """Return the running processes; a zombie is not running."""
    return {pid for pid in pids if _state(pid) not in ("", "Z")}


def processes_of(function: str) -> set[int]:
    """Return the process ids of a function: its execution environments have folders with its name."""
    listed = subprocess.run(["ps", "-axwwo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = (line.strip().partition(" ") for line in listed.splitlines())
    return {int(pid) for pid, _, command in lines if f"/{function[-30:]}-" in command}


def wait_until_gone(pids: Iterable[int], seconds: float) -> set[int]:
    """Wait until all processes have ended; return the processes that run after `seconds`."""
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
