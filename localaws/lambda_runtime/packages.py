"""The packages that AWS's python3.13 runtime brings besides a zip: boto3 and what it needs, nothing more."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import uv

from localaws.errors import LocalAwsError
from localaws.run import CHECKOUT

MIRROR = CHECKOUT / ".tools" / "uv.toml"  # made by tools/setup, where pip is told of a mirror: uv does not read that


def installed(requirements: Path, cache: Path) -> Path:
    """Return a folder with the locked packages, installed at the first use of this lock."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder = cache / f"runtime-{digest}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _install(requirements, Path(scratch) / "packages")
            _move(Path(scratch) / "packages", folder)
    return folder


def _install(requirements: Path, target: Path) -> None:
    """Let uv unpack exactly what the lock lists, from the developer's cache or mirror if there is one."""
    options = ["--quiet", "--python-version", "3.13", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command = [uv.find_uv_bin(), "pip", "install", *options, "--compile-bytecode", "--target", str(target)]
    if MIRROR.exists():
        command += ["--config-file", str(MIRROR)]
    run = subprocess.run([*command, "--requirement", str(requirements)], capture_output=True, text=True, check=False)
    if run.returncode:
        raise LocalAwsError(f"cannot install {requirements.name} for the functions: {run.stderr.strip()}")


def _move(built: Path, folder: Path) -> None:
    """Put the folder in place whole; whoever was faster has put the same one there."""
    try:
        os.rename(built, folder)  # noqa: PTH104  # Path.rename would do; os.rename says that it is atomic
    except OSError:
        if not folder.exists():
            raise
