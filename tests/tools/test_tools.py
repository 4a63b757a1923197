"""The output of `make help`, `tools/setup` and jsii."""

import os
import pty
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from localaws.cdk import QUIET

ROOT = Path(__file__).parents[2]
JSII = Path(sysconfig.get_path("purelib")) / "jsii" / "_embedded" / "jsii" / "bin__jsii-runtime.js"
SILENCE = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the tools of this checkout, in which only uv is installed."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / ".tools").symlink_to((ROOT / ".tools").resolve())
    return tmp_path


def environment(**others: str) -> dict[str, str]:
    """Return an environment in which uv finds no Python 3.13 and has no network."""
    empty = {"UV_PYTHON_PREFERENCE": "only-managed", "UV_PYTHON_INSTALL_DIR": "/nonexistent", "UV_OFFLINE": "1"}
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": "xterm", **empty, **others}


def on_terminal(command: list[str], folder: Path, **variables: str) -> str:
    """Return the output of a command whose standard output is a terminal."""
    terminal, standard_output = pty.openpty()
    subprocess.run(
        command, cwd=folder, env=environment(**variables), stdout=standard_output, stderr=subprocess.PIPE, check=False
    )
    os.close(standard_output)
    output = b""
    try:
        while chunk := os.read(terminal, 4096):
            output += chunk
    except OSError:  # Linux raises an error when the other end is closed
        pass
    os.close(terminal)
    return output.decode()


SETUP, HELP = ["tools/setup", "python"], ["make", "--file", str(ROOT / "Makefile"), "help"]


@pytest.mark.parametrize("command", [SETUP, HELP], ids=["tools/setup", "make help"])
def test_colours_are_written_to_terminals_only_and_not_if_the_user_disables_them(
    checkout: Path, command: list[str]
) -> None:
    piped = subprocess.run(command, cwd=checkout, env=environment(), capture_output=True, text=True, check=False).stdout
    assert piped
    assert "\x1b" not in piped
    assert "\x1b[" in on_terminal(command, checkout)
    assert "\x1b" not in on_terminal(command, checkout, NO_COLOR="1")
    assert "\x1b" not in on_terminal(command, checkout, TERM="dumb")


def test_without_python_3_13_and_without_a_network_the_error_of_setup_names_the_remedy(checkout: Path) -> None:
    process = subprocess.run(SETUP, cwd=checkout, env=environment(), capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "tools/setup: Python 3.13 is not installed, and uv could not download it" in process.stderr
    assert "pyenv install 3.13" in process.stderr
    assert not (checkout / ".venv/.complete").exists()


def test_an_old_version_of_node_is_rejected_with_the_versions_to_install(checkout: Path) -> None:
    (checkout / "bin").mkdir()
    node = checkout / "bin" / "node"
    node.write_text("#!/bin/sh\necho v18.20.8\n")
    node.chmod(0o755)
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    command = ["tools/setup", "node"]
    process = subprocess.run(
        command, cwd=checkout, env=environment(PATH=path), capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert "Node must be version 20 or later (got v18.20.8): install Node 24 or 22" in process.stderr


def jsii_on_node_20(folder: Path, silence: str) -> str:
    """Return the output of jsii when it starts on Node 20. The version is simulated."""
    preload = folder / "version.js"
    preload.write_text("Object.defineProperty(process, 'version', {value: 'v20.20.2'})")
    command = ["node", "--require", str(preload), str(JSII)]
    started = subprocess.run(
        command,
        env=os.environ | {SILENCE: silence},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return started.stdout + started.stderr


def test_jsii_does_not_warn_of_node_20(tmp_path: Path) -> None:
    (in_makefile,) = re.findall(rf"^export {SILENCE} := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert in_makefile == QUIET[SILENCE]
    assert "Node 20 is end-of-life" in jsii_on_node_20(tmp_path, "1")
    assert "end-of-life" not in jsii_on_node_20(tmp_path, in_makefile)
