"""The packages of AWS's python3.13 runtime: boto3 and its requirements."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import uv

from localaws.constants import CHECKOUT
from localaws.errors import LocalAwsError

MIRROR = CHECKOUT / ".tools" / "uv.toml"  # tools/setup writes it if pip is configured with a mirror


def install(requirements: Path, cache: Path) -> Path:
    """Return the folder with the locked packages. The first use of a lock file installs them."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder = cache / f"runtime-{digest}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _install(requirements, Path(scratch) / "packages")
            _move(Path(scratch) / "packages", folder)
    return folder


def _install(requirements: Path, target: Path) -> None:
    """Install the packages of the lock file with uv, from the developer's cache or mirror if there is one."""
    options = ["--quiet", "--python-version", "3.13", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command = [uv.find_uv_bin(), "pip", "install", *options, "--compile-bytecode", "--target", str(target)]
    if MIRROR.exists():
        command += ["--config-file", str(MIRROR)]
    result = subprocess.run([*command, "--requirement", str(requirements)], capture_output=True, text=True, check=False)
    if result.returncode:
        raise LocalAwsError(f"cannot install the packages of {requirements.name}: {result.stderr.strip()}")


def _move(built: Path, folder: Path) -> None:
    """Rename the folder. Another process may have installed the same packages first."""
    try:
        os.rename(built, folder)  # noqa: PTH104  # atomic on POSIX
    except OSError:
        if not folder.exists():
            raise
