"""Run work in a child process, so that a failure names the revision in progress even if the process was killed.

The code of a revision may exhaust the function's memory, end its process, or compute for longer than the function may
run. Without a child process, Lambda would report the end of the function, and not the revision.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any

from migrator.errors import MigratorError, UpgradeError
from migrator.reporting import redacted
from rds_iam.deadline import Deadline

# The server ends statements at the deadline. Python code may run for this time longer.
GRACE_SECONDS = 5.0

type OnStarted = Callable[[str], None]
type Pipe = "Connection[Any, Any]"
type Work[Result] = Callable[[OnStarted], Result]


class ChildTracebackError(Exception):
    """The traceback of the child process. It is the cause of the error that is raised in the parent process."""


def supervise[Result](work: Work[Result], deadline: Deadline) -> Result:
    """Run `work` in a child process and return its result. `work` reports each revision that it starts.

    Raises MigratorError with the message of any error of the child, and UpgradeError that names the revision in
    progress if the child ends without a result. The child is killed 5 s after the deadline.
    """
    parent_end, child_end = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_run, args=(work, child_end, parent_end))
    child.start()
    child_end.close()
    try:
        result: Result = _wait(child, parent_end, deadline)
        return result
    finally:
        child.kill()
        child.join()
        parent_end.close()


def _wait(child: ForkProcess, messages: Pipe, deadline: Deadline) -> Any:
    revision = ""
    while messages.poll(deadline.seconds_left + GRACE_SECONDS):
        try:
            kind, value = messages.recv()
        except EOFError:
            child.join()
            raise UpgradeError(_format_end(revision, child.exitcode or 0)) from None
        if kind == "started":
            revision = value
        elif kind == "returned":
            return value
        else:
            message, trace = value
            raise MigratorError(message) from ChildTracebackError(trace)
    raise UpgradeError(
        f"{_subject(revision)} was still computing when the time of the function was over, and was killed: split the"
        " revision, or compute in SQL"
    )


def _subject(revision: str) -> str:
    return f"revision {revision}" if revision else "the upgrade, before its first revision,"


def _format_end(revision: str, status: int) -> str:
    if status == -signal.SIGKILL:
        memory = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "?")
        return (
            f"{_subject(revision)} was in progress when its process was killed (SIGKILL), probably because the memory"
            f" of the function ({memory} MB) was exhausted: its transaction was rolled back"
        )
    if status < 0:
        return f"{_subject(revision)} was in progress when its process was ended by {signal.Signals(-status).name}"
    return f"{_subject(revision)} ended its process with exit status {status}: a revision must not end the process"


def _run[Result](work: Work[Result], messages: Pipe, parent_end: Pipe) -> None:
    """Send the started revisions, and the result or error. End the process when its parent process has ended."""
    parent_end.close()
    threading.Thread(target=_end_with_parent, args=(messages,), daemon=True).start()
    try:
        result = work(lambda revision: messages.send(("started", revision)))
    except BaseException as exc:  # noqa: BLE001 - the parent process raises any error, SystemExit too
        messages.send(("raised", (redacted(exc), traceback.format_exc())))
    else:
        messages.send(("returned", result))


def _end_with_parent(messages: Pipe) -> None:
    """Wait for the end of the pipe. The parent process sends nothing, so only its end ends the wait."""
    try:
        messages.recv()
    except (EOFError, OSError):
        os._exit(1)
