"""Folders of runs: who is alive, and what is left of the others."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localaws import run as runs
from localaws.run import Run, State, living_runs, new_run, runs_left_running


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(runs, "STATE", tmp_path / ".localaws")
    yield
    for folder in (tmp_path / ".localaws" / "runs").iterdir():
        shutil.rmtree(Run(folder).temporary, ignore_errors=True)


def hold(run: Run, held: "multiprocessing.Event") -> None:  # type: ignore[valid-type]  # a factory, typed as a function
    run.hold()
    held.set()  # type: ignore[attr-defined]
    time.sleep(60)


def test_a_run_is_alive_for_as_long_as_the_process_that_holds_it() -> None:
    run, spawn = new_run(), multiprocessing.get_context("spawn")
    assert not run.is_alive()
    held = spawn.Event()
    process = spawn.Process(target=hold, args=(run, held))
    process.start()
    assert held.wait(10)
    assert run.is_alive()
    assert list(living_runs()) == [run]
    process.kill()
    process.join()
    assert not run.is_alive()


def test_a_run_is_left_running_when_its_starter_has_ended_and_the_emulator_has_not() -> None:
    used, left = new_run(), new_run()
    locks = [used.hold(), used.hold_as_starter(), left.hold()]
    starter = left.hold_as_starter()
    assert list(runs_left_running()) == []
    os.close(starter)
    assert list(runs_left_running()) == [left]
    for lock in locks:
        os.close(lock)
    assert list(runs_left_running()) == []


def test_what_a_killed_emulator_left_in_the_temporary_folder_is_removed_by_the_next_run() -> None:
    killed, recent, alive = new_run(), new_run(), new_run()
    lock = alive.hold()
    for run in (killed, alive):
        os.utime(run.folder, (0, 0))
    new_run()
    assert [run.temporary.exists() for run in (killed, recent, alive)] == [False, True, True]
    assert killed.folder.exists()
    os.close(lock)


def test_the_folder_of_a_run_is_its_owners_only() -> None:
    run = new_run()
    assert run.folder.stat().st_mode & 0o777 == 0o700


def test_the_temporary_folder_is_short_enough_for_sockets_and_open_to_the_servers_user() -> None:
    run = new_run()
    assert len(str(run.temporary)) < 50
    assert run.temporary.stat().st_mode & 0o777 == 0o711


def test_a_run_says_where_it_is() -> None:
    run, state = new_run(), State(pid=1, port=2, access_key="key", secret_key="secret")
    assert run.state() is None
    run.write_state(state)
    assert run.state() == state


def test_the_logs_of_the_last_runs_are_kept_and_older_ones_removed() -> None:
    past = [new_run() for _ in range(8)]
    for number, run in enumerate(past):
        moved = run.folder.rename(run.folder.with_name(f"0101-00000{number}"))
        os.utime(moved, (0, 0))
    new_run()
    assert sorted(path.name for path in (runs.STATE / "runs").iterdir())[:5] == [f"0101-00000{n}" for n in range(3, 8)]


def test_runs_that_start_at_once_may_remove_the_same_old_ones() -> None:
    for number in range(60):
        old = runs.STATE / "runs" / f"0101-{number:06}"
        (old / "tmp").mkdir(parents=True)
        os.utime(old, (0, 0))
    with ThreadPoolExecutor(8) as pool:
        begun = [future.result() for future in [pool.submit(new_run) for _ in range(8)]]
    assert all(run.home.is_dir() for run in begun)
