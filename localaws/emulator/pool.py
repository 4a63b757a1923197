"""The end of execution environments: after a change of the function, their running invocations finish."""

from __future__ import annotations

import threading
from typing import Any

from localaws.emulator import ministack_runtime
from localaws.emulator.ministack_runtime import Scope

_lock = threading.Lock()
_retired: list[Any] = []
"""Workers that left the pool during an invocation. Each ends when its invocation ends."""


def register() -> None:
    """Let running invocations finish, as on AWS. ministack kills them."""
    ministack_runtime.replace_end_of_workers(end, release)


def end(workers: list[Any]) -> None:
    """End workers that left the pool: an idle worker now, a busy worker after its invocation."""
    with _lock:
        busy = [worker for worker in workers if worker.in_use]
        _retired.extend(busy)
    ministack_runtime.kill_workers([worker for worker in workers if worker not in busy])


def release(worker: Any) -> None:
    """Return a worker to the pool after its invocation, or end it if it has left the pool."""
    with _lock:
        worker.in_use = False
        retired = worker in _retired
        if retired:
            _retired.remove(worker)
    if retired:
        ministack_runtime.kill_workers([worker])


def end_function(name: str, scope: Scope) -> None:
    """End all workers of a removed function, with their invocations. The next function can have the same name."""
    ministack_runtime.invalidate_workers(name, scope)
    with _lock:
        workers = [worker for worker in _retired if _function_of(worker) == (name, scope)]
    ministack_runtime.kill_workers(workers)


def end_all() -> None:
    """End all workers."""
    ministack_runtime.invalidate_all_workers()
    with _lock:
        workers = list(_retired)
    ministack_runtime.kill_workers(workers)


def _function_of(worker: Any) -> tuple[str, Scope]:
    return worker.func_name, ministack_runtime.scope_of(worker.config)
