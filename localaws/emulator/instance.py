"""The instances of the emulator: the folder of each, the processes that use it, and the instances left running."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from localaws.constants import STATE

START_TIMEOUT_SECONDS = 60.0
KEPT_FOLDERS = 5
"""The number of folders of earlier instances that stay for their logs."""


@dataclass(frozen=True)
class State:
    """The address of an instance and the credentials of its administrator. Only its owner can read the file."""

    pid: int
    port: int
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class EmulatorInstance:
    """One instance. Instances share the certificate authority and the installed runtime packages only."""

    folder: Path

    @property
    def emulator_log(self) -> Path:
        """Return the path of the emulator's log."""
        return self.folder / "emulator.log"

    @property
    def databases(self) -> Path:
        """Return the path of the list of running databases, which the emulator writes."""
        return self.folder / "databases.json"

    @property
    def logins(self) -> Path:
        """Return the path of the list of accepted logins by token, which the emulator writes."""
        return self.folder / "logins.jsonl"

    @property
    def home(self) -> Path:
        """Return the home folder of the processes, which must not use the developer's profiles and caches."""
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        """Return the folder that is removed at the end of the instance.

        It is in the system's temporary folder. The path must be short enough for unix sockets, and the user that runs
        PostgreSQL must be able to pass through it.
        """
        return (self.folder / "tmp").resolve()

    def state(self) -> State | None:
        """Return the state that the emulator wrote at its start, or None before that."""
        try:
            return State(**json.loads((self.folder / "state.json").read_text()))
        except FileNotFoundError:
            return None

    def write_state(self, state: State) -> None:
        """Write the state by renaming, so that no process reads a part of it."""
        scratch = self.folder / "state.json.new"
        scratch.write_text(json.dumps(asdict(state)))
        scratch.rename(self.folder / "state.json")

    def hold(self) -> int:
        """Lock the instance as alive until this process ends. Return the descriptor of the lock."""
        return _lock(self.folder / "lock")

    def hold_as_starter(self) -> int:
        """Lock the instance as used by this process, which started it, until this process ends."""
        return _lock(self.folder / "starter")

    def is_alive(self) -> bool:
        """Return whether the process of the emulator is alive. A process id is not enough: ids are used again."""
        return _is_locked(self.folder / "lock")

    def is_left_running(self) -> bool:
        """Return whether the emulator runs without the process that started it, as after `up` and `demo --keep`."""
        return self.is_alive() and not _is_locked(self.folder / "starter")


def new_instance(state: Path = STATE) -> EmulatorInstance:
    """Create the folder of an instance, and remove old folders."""
    folders = state / "runs"
    folders.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_old_folders(folders)
    instance = EmulatorInstance(Path(tempfile.mkdtemp(prefix=f"{time.strftime('%m%d-%H%M%S')}-", dir=folders)))
    instance.home.mkdir(mode=0o700)
    temporary = Path(tempfile.mkdtemp(prefix="localaws-"))
    temporary.chmod(0o711)
    (instance.folder / "tmp").symlink_to(temporary)
    return instance


def running_instances(state: Path = STATE) -> Iterator[EmulatorInstance]:
    """Yield the instances whose emulator is alive, the newest first."""
    instances = (EmulatorInstance(folder) for folder in sorted((state / "runs").glob("*"), reverse=True))
    return (instance for instance in instances if instance.is_alive())


def instances_left_running(state: Path = STATE) -> Iterator[EmulatorInstance]:
    """Yield the running instances that no demo, test or command uses, the newest first."""
    return (instance for instance in running_instances(state) if instance.is_left_running())


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove_old_folders(folders: Path) -> None:
    """Remove the temporary folders of killed emulators, and the folders of old instances."""
    ended = [folder for folder in sorted(folders.iterdir()) if not EmulatorInstance(folder).is_alive()]
    for folder in ended:
        with suppress(FileNotFoundError):  # an instance that starts at the same time may remove the folder too
            if time.time() - folder.stat().st_mtime > START_TIMEOUT_SECONDS:
                shutil.rmtree(EmulatorInstance(folder).temporary, ignore_errors=True)
                if folder in ended[:-KEPT_FOLDERS]:
                    shutil.rmtree(folder, ignore_errors=True)
