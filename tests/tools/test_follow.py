"""The command `follow`, which make deploy uses, with other programs in the place of cdk."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rds_alembic.cli.follow import Deployment
from tests.waiting import wait_until

FOLLOW = (sys.executable, "-m", "rds_alembic.cli", "follow", "--")


def follow(folder: Path, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with `follow`, off a terminal."""
    return subprocess.run(
        [*FOLLOW, *command], cwd=folder, env=environment(), input=stdin, capture_output=True, text=True, check=False
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path.cwd())}


def follow_on_terminal(folder: Path, *command: str, answer: str = "") -> tuple[int, str]:
    """Run a command with `follow` on a terminal, type an answer, and return its exit code and its output."""
    terminal, side_of_command = pty.openpty()
    with subprocess.Popen(
        [*FOLLOW, *command],
        stdin=side_of_command,
        stdout=side_of_command,
        stderr=side_of_command,
        cwd=folder,
        env=environment(),
        start_new_session=True,
    ) as process:
        os.write(terminal, answer.encode())
        code = process.wait()
    os.close(side_of_command)
    output = b""
    try:
        while part := os.read(terminal, 4096):
            output += part
    except OSError:  # Linux reports the closed other side of a terminal as an error
        pass
    os.close(terminal)
    return code, output.decode()


def test_the_output_and_the_exit_code_of_the_command_are_unchanged_off_a_terminal(tmp_path: Path) -> None:
    result = follow(tmp_path, "sh", "-c", "cat; printf 'two' >&2; exit 7", stdin="one")
    assert (result.returncode, result.stdout, result.stderr) == (7, "one", "two")


def test_a_command_on_a_terminal_sees_the_terminal_and_reads_answers_to_its_prompts(tmp_path: Path) -> None:
    code, output = follow_on_terminal(
        tmp_path, "sh", "-c", "test -t 0 && test -t 1 && read answer && echo got:$answer; exit 3", answer="yes\n"
    )
    assert (code, output.splitlines()[-1]) == (3, "got:yes")


def test_a_command_that_a_signal_ended_has_the_exit_code_of_a_shell(tmp_path: Path) -> None:
    code, _ = follow_on_terminal(tmp_path, "sh", "-c", "kill -TERM $$")
    assert code == 128 + signal.SIGTERM


def test_the_command_decides_about_its_end_after_a_signal_to_both(tmp_path: Path) -> None:
    terminal, side = pty.openpty()
    script = "trap 'sleep 0.3; exit 5' INT; touch started; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [*FOLLOW, "sh", "-c", script],
        stdin=side,
        stdout=side,
        stderr=side,
        cwd=tmp_path,
        env=environment(),
        start_new_session=True,
    ) as process:
        wait_until((tmp_path / "started").exists)
        time.sleep(0.3)  # until the handler of the signal is set
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 5
    os.close(terminal)
    os.close(side)


def test_a_program_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    result = follow(tmp_path, "no-such-program", "deploy")
    assert result.returncode == 1
    assert "COMMAND must be a program that can be run (got 'no-such-program')" in result.stderr


def write_assembly(folder: Path) -> None:
    folder.mkdir()
    artifacts = {
        "Shop": {"type": "aws:cloudformation:stack", "environment": "aws://1/eu-west-1", "properties": {}},
        "Other": {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/unknown-region",
            "properties": {"stackName": "Named"},
        },
        "Shop.assets": {"type": "cdk:asset-manifest", "properties": {}},
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


STACKS = [("Shop", "eu-west-1"), ("Named", None)]


@pytest.mark.parametrize("options", [[], ["--output=out"], ["-o", "out"], ["--output", "out", "Shop"]])
def test_the_stacks_are_those_of_the_new_assembly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    deployment = Deployment.from_command(["cdk", "deploy", *options], time.time())
    assert deployment.stacks() == []
    write_assembly(Path("out" if options else "cdk.out"))
    assert deployment.stacks() == STACKS


def test_an_assembly_of_an_earlier_synthesis_is_used_only_if_it_is_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_assembly(Path("cdk.out"))
    later = time.time() + 60
    assert Deployment.from_command(["cdk", "deploy"], later).stacks() == []
    assert Deployment.from_command(["cdk", "deploy", "--app", "python app.py"], later).stacks() == []
    assert Deployment.from_command(["cdk", "deploy", "--app=cdk.out"], later).stacks() == STACKS


def test_the_profile_of_the_command_is_used() -> None:
    assert Deployment.from_command(["cdk", "deploy", "--profile", "admin"], 0).profile == "admin"
    assert Deployment.from_command(["cdk", "deploy"], 0).profile is None
