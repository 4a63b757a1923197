"""Zips whose bytes and names depend on their content alone: no dates, no modes, no paths of the build machine."""

import hashlib
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rds_alembic.assets import interpreter
from rds_alembic.errors import RdsAlembicError

# Lambda unpacks a zip here. Byte code, and so each traceback, has this path and not the one of the build machine.
TASK_ROOT = "/var/task"
# Part of every digest, because other byte code of the same sources is another zip.
BYTE_CODE = "python3.13 unchecked-hash"
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date of the format
ZIP_MODE = 0o100644 << 16


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """List the files below a folder, byte code included, in order, each with its name relative to the folder."""
    for parent, folders, files in folder.walk():
        folders.sort()
        for file in sorted(files):
            path = parent / file
            yield path.relative_to(folder).as_posix(), path


def list_sources(folder: Path) -> Iterator[tuple[str, Path]]:
    """List the files below a folder without byte code."""
    return ((name, path) for name, path in list_files(folder) if "__pycache__" not in path.parts)


def digest_files(files: Mapping[str, Path]) -> str:
    """Return the sha256 of the names and contents, hexadecimal."""
    summary = hashlib.sha256(BYTE_CODE.encode())
    for name, path in sorted(files.items()):
        summary.update(f"\n{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return summary.hexdigest()


def compile_sources(folder: Path) -> None:
    """Write byte code beside every source: a function cannot write it, and would compile at each cold start.

    "Unchecked hash" contains no date, and Python does not compare it with the source. `-I` ignores PYTHONPATH and
    PYTHONHOME, which may belong to the Python of the synth.
    """
    command = [interpreter.find_python(), "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    compilation = subprocess.run(
        [*command, "-s", str(folder), "-p", TASK_ROOT, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if compilation.returncode:
        raise RdsAlembicError(f"the sources of a function must compile: {compilation.stdout.strip()}")


def add_to_zip(target: Path, files: Mapping[str, Path]) -> None:
    """Add the files to a zip, which is created if it is missing, in order, with a fixed date and mode."""
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.external_attr = ZIP_MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def cached(path: Path, build: Callable[[Path], None]) -> Path:
    """Return a path whose name identifies its content. If the path is missing, `build` writes it.

    `build` writes in a temporary folder, and the result is renamed to the path. No process sees an unfinished file,
    and two processes can build the same path at the same time.
    """
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise RdsAlembicError(
            f"the cache folder must be writable (got {path.parent}: {exc.strerror}): set XDG_CACHE_HOME"
        ) from exc
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as folder:
        result = Path(folder) / path.name
        build(result)
        try:
            result.rename(path)
        except OSError:  # a folder that another process has built meanwhile cannot be replaced by a rename
            if not path.exists():
                raise
    return path
