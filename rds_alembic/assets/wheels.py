"""The locked wheels, installed for the processor of a function, which may be another one than this machine's."""

import hashlib
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import uv

from rds_alembic.assets import UV_CONFIG, archive, interpreter
from rds_alembic.errors import RdsAlembicError

PLATFORMS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
THIS_MACHINE = sysconfig.get_platform()
"""The name of this machine's platform, for example `macosx-14.0-arm64`."""
# The installer's records differ from machine to machine. No handler imports the rest.
UNUSED_FILES = (
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


def local_architecture() -> str:
    """Return the architecture whose wheels run on this machine.

    This is an architecture of Lambda on Linux with glibc, and `THIS_MACHINE` otherwise, for example on macOS.
    """
    processor = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    is_like_lambda = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    return processor if is_like_lambda and processor in PLATFORMS else THIS_MACHINE


def install_wheels(requirements: Path, architecture: str, *, cache: Path) -> Path:
    """Install locked requirements, with byte code, into a folder of the cache, or return the cached folder.

    `architecture` is that of a function, `arm64` or `x86_64`, or `THIS_MACHINE`. The key of the cache is the content of
    the lock file and of the modules that install it.
    """
    _check_architecture(architecture)
    inputs = [Path(__file__), Path(archive.__file__), requirements]
    key = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    return archive.cached(
        cache / f"site-packages-{requirements.stem}-{architecture}-{key}",
        lambda target: _install(requirements, architecture, target=target),
    )


def _check_architecture(architecture: str) -> None:
    if architecture not in {*PLATFORMS, THIS_MACHINE}:
        raise RdsAlembicError(f"architecture must be {' or '.join(PLATFORMS)} (got {architecture!r})")


def _install(requirements: Path, architecture: str, *, target: Path) -> None:
    """Install only the listed wheels. The import of a dependency that the lock file lacks then fails in the zip too."""
    command = [uv.find_uv_bin(), "pip", "install", "--quiet"]
    command += ["--target", str(target), "--requirement", str(requirements.resolve())]
    command += ["--python-version", interpreter.NAME, "--python", interpreter.find_python()]
    if architecture in PLATFORMS:  # by default, uv installs for this machine
        command += ["--python-platform", PLATFORMS[architecture]]
    command += ["--only-binary", ":all:", "--no-deps", "--require-hashes"]
    if UV_CONFIG.exists():
        command += ["--config-file", str(UV_CONFIG)]
    # In another folder: uv would read `tool.uv` of a pyproject.toml in this one, whose constraints have no hashes.
    installation = subprocess.run(command, cwd=target.parent, capture_output=True, text=True, check=False)
    if installation.returncode:
        platform_name = PLATFORMS.get(architecture, architecture)
        raise RdsAlembicError(
            f"uv cannot install {requirements.name} for {platform_name}: {installation.stderr.strip()}\n"
            "Behind a mirror, set its address with UV_DEFAULT_INDEX, because uv does not read the configuration of pip"
        )
    _delete_unused_files(target)
    archive.compile_sources(target)


def _delete_unused_files(folder: Path) -> None:
    for pattern in UNUSED_FILES:
        for path in list(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
