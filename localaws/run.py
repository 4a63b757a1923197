"""A run of the local AWS: its folder below `.localaws/runs`, who is alive in it, and which one was left running."""

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

CHECKOUT = Path(__file__).resolve().parent.parent
STATE = CHECKOUT / ".localaws"
ACCOUNT = "000000000000"
REGION = "eu-central-1"
HOST = "127.0.0.1"
COMMAND = ".venv/bin/python -m localaws"
"""The commands that a user types in the checkout."""
START_SECONDS = 60.0
"""A run that is not alive after so long never will be."""
KEPT_LOGS = 5
"""Folders of earlier runs that are left for reading their logs."""


@dataclass(frozen=True)
class State:
    """What a run says about itself, in its folder, which is its owner's only: where it is and how to be let in."""

    pid: int
    port: int
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Run:
    """One run. Two of them share nothing but the certificate authority and the installed runtime packages."""

    folder: Path

    @property
    def emulator_log(self) -> Path:
        """What the emulator says."""
        return self.folder / "emulator.log"

    @property
    def databases(self) -> Path:
        """Where the emulator lists the databases that are running."""
        return self.folder / "databases.json"

    @property
    def logins(self) -> Path:
        """Where the emulator lists the logins by token that it has allowed."""
        return self.folder / "logins.jsonl"

    @property
    def home(self) -> Path:
        """The home folder of every process of the run: no profile or cache of the developer's is read or written."""
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        """What is gone after the run.

        It is in the system's folder for such things: the path has to be short enough for sockets, and one that
        PostgreSQL's own user may pass through, which the server has where the developer is root.
        """
        return (self.folder / "tmp").resolve()

    def state(self) -> State | None:
        """Return what the emulator said at its start, once it has."""
        try:
            return State(**json.loads((self.folder / "state.json").read_text()))
        except FileNotFoundError:
            return None

    def write_state(self, state: State) -> None:
        """Say it; whole or not at all."""
        scratch = self.folder / "state.json.new"
        scratch.write_text(json.dumps(asdict(state)))
        scratch.rename(self.folder / "state.json")

    def hold(self) -> int:
        """Mark the run as alive for as long as this process lives, whatever ends it; return the lock's descriptor."""
        return _lock(self.folder / "lock")

    def hold_as_starter(self) -> int:
        """Mark the run as being used by this process, which started it, for as long as this process lives."""
        return _lock(self.folder / "starter")

    def is_alive(self) -> bool:
        """Return whether the emulator's process lives. A process id alone could be somebody else's by now."""
        return _is_locked(self.folder / "lock")

    def is_left_running(self) -> bool:
        """Return whether the emulator lives and the process that started it has ended, as `up` and `demo --keep` do."""
        return self.is_alive() and not _is_locked(self.folder / "starter")


def new_run() -> Run:
    """Make a folder for a run, and remove those of runs long past."""
    runs = STATE / "runs"
    runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    _prune(runs)
    run = Run(Path(tempfile.mkdtemp(prefix=f"{time.strftime('%m%d-%H%M%S')}-", dir=runs)))
    run.home.mkdir(mode=0o700)
    temporary = Path(tempfile.mkdtemp(prefix="localaws-"))
    temporary.chmod(0o711)
    (run.folder / "tmp").symlink_to(temporary)
    return run


def living_runs() -> Iterator[Run]:
    """Yield the runs whose emulator lives, the newest first."""
    for folder in sorted((STATE / "runs").glob("*"), reverse=True):
        run = Run(folder)
        if run.is_alive():
            yield run


def runs_left_running() -> Iterator[Run]:
    """Yield the living runs that no running demo, test or command uses, the newest first."""
    return (run for run in living_runs() if run.is_left_running())


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


def _prune(runs: Path) -> None:
    """Remove what a killed emulator could not remove itself, and the logs of runs long past."""
    past = [folder for folder in sorted(runs.iterdir()) if not Run(folder).is_alive()]
    for folder in past:
        with suppress(FileNotFoundError):  # another run that starts just now removes it too
            if time.time() - folder.stat().st_mtime > START_SECONDS:
                shutil.rmtree(Run(folder).temporary, ignore_errors=True)
                if folder in past[:-KEPT_LOGS]:
                    shutil.rmtree(folder, ignore_errors=True)
