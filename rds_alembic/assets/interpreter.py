"""The Python of the functions, which compiles their byte code. Synth may run on another version."""

import os
import subprocess
import sys
from functools import cache

import uv

from rds_alembic.errors import RdsAlembicError

VERSION = (3, 13)
NAME = "3.13"


@cache
def find_python() -> str:
    """Return the path of a Python 3.13: the running one, or one that uv finds, or one that uv installs.

    Raises RdsAlembicError if there is none and uv cannot download one.
    """
    if sys.version_info[:2] == VERSION and sys.implementation.name == "cpython":
        return sys.executable
    search = ("python", "find", "--no-project", "--system", f"cpython@{NAME}")
    search_result = _uv(*search)
    if search_result.returncode:
        installation = _uv("python", "install", f"cpython@{NAME}")
        search_result = _uv(*search)
        if search_result.returncode:
            raise RdsAlembicError(
                f"Python {NAME} must be on the PATH, because the functions run on it (synth runs on "
                f"{sys.version_info[0]}.{sys.version_info[1]}, and uv cannot install {NAME}: "
                f"{_last_line(installation.stderr)}): install Python {NAME}"
            )
    return search_result.stdout.strip()


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"UV_HTTP_RETRIES": "1"} | os.environ  # without a network, the error comes after a second
    return subprocess.run([uv.find_uv_bin(), *arguments], env=environment, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "no message"
