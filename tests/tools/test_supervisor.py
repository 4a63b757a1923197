"""Work in a child process: its result, its errors, and its end by a signal."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from migrator.errors import LockTimeoutError, MigratorError, UpgradeError
from migrator.supervisor import OnStarted, supervise
from rds_iam.deadline import Deadline
from rds_iam.errors import ConnectError


def in_r2(end: Callable[[], object]) -> Callable[[OnStarted], object]:
    """Return work that starts two revisions and calls `end` in the second one."""

    def work(on_started: OnStarted) -> object:
        on_started("r1")
        on_started("r2")
        return end()

    return work


def failure(end: Callable[[], object], seconds: float = 30.0) -> str:
    with pytest.raises(MigratorError) as error:
        supervise(in_r2(end), Deadline.after(seconds))
    return str(error.value)


def test_the_result_of_the_work_is_returned() -> None:
    assert supervise(in_r2(lambda: {"head": "r2"}), Deadline.after(30)) == {"head": "r2"}


def test_the_work_runs_in_another_process() -> None:
    assert supervise(in_r2(os.getpid), Deadline.after(30)) != os.getpid()


def test_a_killed_process_is_reported_with_its_revision_and_the_probable_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    assert failure(lambda: os.kill(os.getpid(), signal.SIGKILL)) == (
        "revision r2 was in progress when its process was killed (SIGKILL), probably because the memory of the function"
        " (512 MB) was exhausted: its transaction was rolled back"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGXCPU])
def test_a_process_that_a_signal_ends_is_reported_with_its_revision(number: signal.Signals) -> None:
    message = failure(lambda: os.kill(os.getpid(), number))
    assert message == f"revision r2 was in progress when its process was ended by {number.name}"


@pytest.mark.parametrize("status", [0, 3])
def test_a_revision_that_ends_the_process_is_reported(status: int) -> None:
    assert failure(lambda: os._exit(status)) == (
        f"revision r2 ended its process with exit status {status}: a revision must not end the process"
    )


def test_a_process_that_ends_before_the_first_revision_is_reported_without_a_revision() -> None:
    with pytest.raises(UpgradeError, match="the upgrade, before its first revision, was in progress when"):
        supervise(lambda _on_started: os.kill(os.getpid(), signal.SIGKILL), Deadline.after(30))


def test_a_revision_that_computes_past_the_deadline_is_killed_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("migrator.supervisor.GRACE_SECONDS", 0.2)

    def compute_for_ever() -> NoReturn:
        (tmp_path / "pid").write_text(str(os.getpid()))
        while True:
            time.sleep(0.01)

    assert "revision r2 was still computing when the time of the function was over" in failure(compute_for_ever, 0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def raise_(error: BaseException) -> Callable[[], NoReturn]:
    def work() -> NoReturn:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LockTimeoutError("another upgrade is still running"), "another upgrade is still running"),
        (ConnectError("cannot log in"), "cannot log in"),
        (KeyError("a setting"), "KeyError: 'a setting'"),
        (SystemExit("no settings"), "SystemExit: no settings"),
        (KeyboardInterrupt(), "KeyboardInterrupt:"),
    ],
)
def test_an_error_of_the_work_is_raised_again_with_its_traceback(error: BaseException, words: str) -> None:
    with pytest.raises(MigratorError) as raised:
        supervise(in_r2(raise_(error)), Deadline.after(30))
    assert str(raised.value) == words
    assert "in work\n    raise error" in str(raised.value.__cause__)


def test_the_child_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("migrator.supervisor.GRACE_SECONDS", 1.0)

    def supervise_another(_on_started: OnStarted) -> object:
        def wait(_on_started: OnStarted) -> None:
            (tmp_path / "pid").write_text(str(os.getpid()))
            time.sleep(60)

        return supervise(wait, Deadline.after(60))

    with pytest.raises(UpgradeError):  # the outer child is killed while its own child works
        supervise(supervise_another, Deadline.after(0))
    grandchild = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _is_alive(grandchild):
        time.sleep(0.05)
    assert not _is_alive(grandchild)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False
