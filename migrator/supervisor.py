"""Run work in a child process, so that a failure names the revision in progress even if the process was killed.

A revision is other people's code: it may exhaust the function's memory, end its process, or compute past the function's
time. Lambda would then report the end of the function, and nothing of what it did.
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
from migrator.failure import brief
from rds_iam.deadline import Deadline

# The server ends statements at the deadline; what computes without the server is given this much more.
GRACE_SECONDS = 5.0

type OnStarted = Callable[[str], None]
type Pipe = "Connection[Any, Any]"
type Work[Result] = Callable[[OnStarted], Result]


class ChildTracebackError(Exception):
    """The traceback of the child process, as the cause of the error that is raised again in the parent."""


def supervise[Result](work: Work[Result], deadline: Deadline) -> Result:
    """Return what `work` returns in a child process; `work` reports each revision that it starts.

    Raises MigratorError with the words of any error of the child, and UpgradeError that names the revision in progress
    if the child ends without a result. The child is killed 5 s after the deadline.
    """
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_run, args=(work, theirs, ours))
    child.start()
    theirs.close()
    try:
        result: Result = _wait(child, ours, deadline)
        return result
    finally:
        child.kill()
        child.join()
        ours.close()


def _wait(child: ForkProcess, messages: Pipe, deadline: Deadline) -> Any:
    revision = ""
    while messages.poll(deadline.seconds_left + GRACE_SECONDS):
        try:
            kind, value = messages.recv()
        except EOFError:
            child.join()
            raise UpgradeError(_ending(revision, child.exitcode or 0)) from None
        if kind == "started":
            revision = value
        elif kind == "returned":
            return value
        else:
            message, trace = value
            raise MigratorError(message) from ChildTracebackError(trace)
    raise UpgradeError(
        f"{_subject(revision)} was still computing when the time of the function was over, and was killed:"
        " split the revision, or let the database do the work"
    )


def _subject(revision: str) -> str:
    return f"revision {revision}" if revision else "the upgrade, before its first revision,"


def _ending(revision: str, status: int) -> str:
    if status == -signal.SIGKILL:
        memory = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "?")
        return (
            f"{_subject(revision)} was in progress when its process was killed (SIGKILL), as happens when the memory of"
            f" the function ({memory} MB) is exhausted: its transaction was rolled back"
        )
    if status < 0:
        return f"{_subject(revision)} was in progress when its process was ended by {signal.Signals(-status).name}"
    return f"{_subject(revision)} ended its process with exit status {status}: a revision must not end the process"


def _run[Result](work: Work[Result], messages: Pipe, parents: Pipe) -> None:
    """Send what the work reports, and its result or error. The child ends when its parent has gone."""
    parents.close()
    threading.Thread(target=_end_with_parent, args=(messages,), daemon=True).start()
    try:
        result = work(lambda revision: messages.send(("started", revision)))
    except BaseException as exc:  # noqa: BLE001 - a revision may raise anything, SystemExit too; the parent raises again
        messages.send(("raised", (brief(exc), traceback.format_exc())))
    else:
        messages.send(("returned", result))


def _end_with_parent(messages: Pipe) -> None:
    """Wait for the end of the pipe: the parent sends nothing, so that only its own end ends the wait."""
    try:
        messages.recv()
    except (EOFError, OSError):
        os._exit(1)
