"""The locked wheels, unpacked for the platform of a function rather than for this machine."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import uv

from infra.settings import PROJECT, Architecture
from rds_alembic.assets import archive
from rds_alembic.errors import RdsAlembicError

PYTHON = (3, 13)
MIRROR = PROJECT / ".tools/uv.toml"  # made by tools/setup, where pip is told of a mirror: uv does not read that
PLATFORMS = {Architecture.ARM64: "aarch64-manylinux_2_28", Architecture.X86_64: "x86_64-manylinux_2_28"}
# The installer's notes (they differ from machine to machine), and what no handler imports.
TRIMMED = (
    ".lock",
    "bin",
    "*-stubs",
    "*.dist-info/INSTALLER",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_*.json",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.c",
    "alembic/templates",
    "alembic/testing",
    "sqlalchemy/testing",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
)


def site_packages(lock: Path, architecture: Architecture, *, cache: Path) -> Path:
    """Unpack what a lock lists, compiled, or find it in the cache, whose key is the lock and how it is done here."""
    _require_python()
    here = [Path(__file__), Path(archive.__file__), lock]
    key = hashlib.sha256(b"\0".join(path.read_bytes() for path in here)).hexdigest()[:16]
    return archive.kept(
        cache / f"site-packages-{lock.stem}-{architecture}-{key}",
        lambda target: _install(lock, architecture, target=target),
    )


def _require_python() -> None:
    running = sys.version_info[:2]
    if running != PYTHON:
        raise RdsAlembicError(
            f"python {running[0]}.{running[1]} writes byte code that the functions cannot read: allowed is 3.13"
        )


def _install(lock: Path, architecture: Architecture, *, target: Path) -> None:
    """Let uv unpack exactly what the lock lists: a dependency missing there is missing in the zip, and import fails."""
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--target", str(target), "--requirement", str(lock)]
    command += ["--python-platform", PLATFORMS[architecture], "--python-version", "3.13", "--python", sys.executable]
    command += ["--only-binary", ":all:", "--no-deps", "--require-hashes"]
    if MIRROR.exists():
        command += ["--config-file", str(MIRROR)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RdsAlembicError(f"uv could not install {lock.name} for {PLATFORMS[architecture]}: {done.stderr.strip()}")
    _trim(target)
    archive.compile_tree(target)


def _trim(root: Path) -> None:
    for pattern in TRIMMED:
        for path in list(root.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
