"""Files into a zip whose bytes and name depend on their content alone: no dates, no modes, no build paths."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rds_alembic.errors import RdsAlembicError

# Where Lambda unpacks a zip: byte code, and so a traceback, names files there and not on the build machine.
TASK_ROOT = "/var/task"
# Part of every digest: other byte code is another asset, though its source is the same.
RECIPE = "python3.13 unchecked-hash"
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
ZIP_MODE = 0o100644 << 16


def tree(root: Path) -> Iterator[tuple[str, Path]]:
    """List the files below a folder by their name relative to it, byte code included, in order."""
    for folder, folders, files in root.walk():
        folders.sort()
        for file in sorted(files):
            path = folder / file
            yield path.relative_to(root).as_posix(), path


def sources(root: Path) -> Iterator[tuple[str, Path]]:
    """List the files below a folder without byte code and caches."""
    return ((name, path) for name, path in tree(root) if "__pycache__" not in path.parts)


def digest(files: Mapping[str, Path]) -> str:
    """Digest names and contents."""
    summary = hashlib.sha256(RECIPE.encode())
    for name, path in sorted(files.items()):
        summary.update(f"\n{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return summary.hexdigest()


def compile_tree(root: Path) -> None:
    """Write byte code beside every source: a function's folder is read-only, it would be compiled at each cold start.

    "Unchecked hash" holds no date and is never compared with the source. A process of its own with a fixed hash seed:
    the order of constants in a set would otherwise differ from run to run.
    """
    command = [sys.executable, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    done = subprocess.run(
        [*command, "-s", str(root), "-p", TASK_ROOT, str(root)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RdsAlembicError(f"the sources for a function do not compile: {done.stdout.strip()}")


def write_zip(target: Path, files: Mapping[str, Path]) -> None:
    """Write the files into a zip, or add them to it, in order, with a fixed date and mode."""
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.external_attr = ZIP_MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def kept(path: Path, make: Callable[[Path], None]) -> Path:
    """Return a path whose name tells its content, made first if it is missing.

    It is made elsewhere and renamed into place: nobody sees half of it, and of two that make it at once both win.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as scratch:
        made = Path(scratch) / path.name
        make(made)
        try:
            made.rename(path)
        except OSError:  # a folder cannot be renamed onto one that somebody else has just put there
            if not path.exists():
                raise
    return path
