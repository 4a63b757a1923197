"""Progress that can be read in a log."""

import io
import re

import pytest
from rich.console import Console

from localaws.steps import Steps


def plain() -> tuple[Steps, io.StringIO]:
    out = io.StringIO()
    return Steps(2, Console(file=out, soft_wrap=True)), out


def test_a_step_says_when_it_begins_and_how_it_ended() -> None:
    steps, out = plain()
    with steps.step("cdk deploy") as step:
        step.result = "94 resources [all of them]"
    begun, ended = out.getvalue().splitlines()
    assert begun == "  [1/2] cdk deploy …"
    assert re.fullmatch(r"✓ \[1/2\] cdk deploy: 94 resources \[all of them\]  \d+\.\d s", ended)


def test_a_step_that_fails_is_marked_and_the_failure_goes_on() -> None:
    steps, out = plain()
    with pytest.raises(KeyboardInterrupt), steps.step("cdk deploy"):
        raise KeyboardInterrupt
    assert out.getvalue().splitlines()[-1].startswith("✗ [1/2] cdk deploy")


def test_without_a_terminal_notes_come_only_when_a_step_takes_long() -> None:
    steps, out = plain()
    with steps.step("cdk deploy") as step:
        step.note("1/94 Network")
        step._said -= 10
        step.note("2/94 Database")
    assert "1/94" not in out.getvalue()
    assert "2/94 Database" in out.getvalue()


def test_on_a_terminal_the_note_stands_beside_the_spinner() -> None:
    out = io.StringIO()
    steps = Steps(1, Console(file=out, force_terminal=True, width=100))
    with steps.step("cdk deploy") as step:
        step.note("2/94 [Database]")
        assert step.spinner
        step.spinner.refresh()
    assert "2/94 [Database]" in out.getvalue()
