"""The folders of emulator instances: which instances are alive, and which files are removed."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localaws.emulator.instance import (
    EmulatorInstance,
    State,
    instances_left_running,
    new_instance,
    running_instances,
)

type Create = Callable[[], EmulatorInstance]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of all instances."""
    folder = tmp_path / ".localaws"
    yield folder
    for instance in (folder / "runs").iterdir():
        shutil.rmtree(EmulatorInstance(instance).temporary, ignore_errors=True)


@pytest.fixture
def create(state: Path) -> Create:
    return lambda: new_instance(state)


def hold(instance: EmulatorInstance, held: "multiprocessing.Event") -> None:  # type: ignore[valid-type]  # a factory, typed as a function
    instance.hold()
    held.set()  # type: ignore[attr-defined]
    time.sleep(60)


def test_an_instance_is_alive_until_the_process_that_holds_its_lock_ends(create: Create, state: Path) -> None:
    instance, spawn = create(), multiprocessing.get_context("spawn")
    assert not instance.is_alive()
    held = spawn.Event()
    process = spawn.Process(target=hold, args=(instance, held))
    process.start()
    assert held.wait(10)
    assert instance.is_alive()
    assert list(running_instances(state)) == [instance]
    process.kill()
    process.join()
    assert not instance.is_alive()


def test_an_instance_is_left_running_if_its_starter_has_ended_and_the_emulator_has_not(
    create: Create, state: Path
) -> None:
    used, left = create(), create()
    locks = [used.hold(), used.hold_as_starter(), left.hold()]
    starter = left.hold_as_starter()
    assert list(instances_left_running(state)) == []
    os.close(starter)
    assert list(instances_left_running(state)) == [left]
    for lock in locks:
        os.close(lock)
    assert list(instances_left_running(state)) == []


def test_a_new_instance_removes_the_temporary_folder_of_a_killed_emulator(create: Create) -> None:
    killed, recent, alive = create(), create(), create()
    lock = alive.hold()
    for instance in (killed, alive):
        os.utime(instance.folder, (0, 0))
    create()
    assert [instance.temporary.exists() for instance in (killed, recent, alive)] == [False, True, True]
    assert killed.folder.exists()
    os.close(lock)


def test_the_folder_of_an_instance_is_private_to_its_owner(create: Create) -> None:
    assert create().folder.stat().st_mode & 0o777 == 0o700


def test_the_temporary_folder_has_a_path_for_unix_sockets_that_other_users_can_pass_through(create: Create) -> None:
    instance = create()
    assert len(str(instance.temporary)) < 50
    assert instance.temporary.stat().st_mode & 0o777 == 0o711


def test_an_instance_has_no_state_until_the_emulator_writes_it(create: Create) -> None:
    instance, state = create(), State(pid=1, port=2, access_key="key", secret_key="secret")
    assert instance.state() is None
    instance.write_state(state)
    assert instance.state() == state


def test_the_folders_of_the_last_five_instances_stay_and_older_folders_are_removed(create: Create, state: Path) -> None:
    ended = [create() for _ in range(8)]
    for number, instance in enumerate(ended):
        moved = instance.folder.rename(instance.folder.with_name(f"0101-00000{number}"))
        os.utime(moved, (0, 0))
    create()
    assert sorted(path.name for path in (state / "runs").iterdir())[:5] == [f"0101-00000{n}" for n in range(3, 8)]


def test_instances_that_start_at_the_same_time_can_remove_the_same_folders(create: Create, state: Path) -> None:
    for number in range(60):
        old = state / "runs" / f"0101-{number:06}"
        (old / "tmp").mkdir(parents=True)
        os.utime(old, (0, 0))
    with ThreadPoolExecutor(8) as pool:
        instances = [future.result() for future in [pool.submit(create) for _ in range(8)]]
    assert all(instance.home.is_dir() for instance in instances)
