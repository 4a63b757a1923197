"""The end of execution environments: a change of the function's code or configuration lets their invocations finish."""

from __future__ import annotations

import threading
from typing import Any

from localaws.emulator import ministack_runtime
from localaws.emulator.ministack_runtime import Scope

_lock = threading.Lock()
_retired: list[Any] = []
"""Environments that left the pool during an invocation. Each ends when its invocation is over."""


def register() -> None:
    """Let invocations finish, as AWS does. ministack kills them."""
    ministack_runtime.replace_ending_of_environments(end, release)


def end(environments: list[Any]) -> None:
    """End environments that left the pool: the idle ones now, the others after their invocations."""
    with _lock:
        busy = [environment for environment in environments if environment.in_use]
        _retired.extend(busy)
    ministack_runtime.kill_now([environment for environment in environments if environment not in busy])


def release(environment: Any) -> None:
    """Take an environment back after its invocation."""
    with _lock:
        environment.in_use = False
        over = environment in _retired
        if over:
            _retired.remove(environment)
    if over:
        ministack_runtime.kill_now([environment])


def end_of_function(name: str, scope: Scope) -> None:
    """End everything of a function that is removed, invocations included: the next one of its name is another."""
    ministack_runtime.end_environments(name, scope)
    _end_retired(name, scope)


def end_all() -> None:
    """End everything."""
    ministack_runtime.end_all_environments()
    _end_retired()


def _end_retired(name: str | None = None, scope: Scope | None = None) -> None:
    with _lock:
        ended = [
            environment
            for environment in _retired
            if name is None
            or (environment.func_name == name and ministack_runtime.scope_of(environment.config) == scope)
        ]
    ministack_runtime.kill_now(ended)
