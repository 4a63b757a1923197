"""The progress of a command, on a terminal and in a log."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from localaws.steps import Steps
from tests.waiting import wait_until


def plain(note_interval: float = 60) -> tuple[Steps, io.StringIO]:
    out = io.StringIO()
    return Steps(2, Console(file=out, soft_wrap=True), note_interval=note_interval), out


def test_a_step_prints_a_line_at_its_begin_and_at_its_end() -> None:
    steps, out = plain()
    with steps.step("cdk deploy") as step:
        step.result = "94 resources [all of them]"
    first, last = out.getvalue().splitlines()
    assert first == "  [1/2] cdk deploy …"
    assert re.fullmatch(r"✓ \[1/2\] cdk deploy: 94 resources \[all of them\]  \d+\.\d s", last)


def test_a_failed_step_is_marked_and_its_exception_is_raised() -> None:
    steps, out = plain()
    with pytest.raises(KeyboardInterrupt), steps.step("cdk deploy"):
        raise KeyboardInterrupt
    assert out.getvalue().splitlines()[-1].startswith("✗ [1/2] cdk deploy")


@pytest.mark.parametrize(("note_interval", "lines"), [(60, 0), (0, 2)])
def test_without_a_terminal_a_note_is_printed_once_in_an_interval(note_interval: float, lines: int) -> None:
    steps, out = plain(note_interval)
    with steps.step("cdk deploy") as step:
        step.note("1/94 Network")
        step.note("2/94 Database")
    assert out.getvalue().count("/94") == lines


def test_on_a_terminal_the_note_is_beside_the_title_of_the_step() -> None:
    out = io.StringIO()
    steps = Steps(1, Console(file=out, force_terminal=True, width=100))
    with steps.step("cdk deploy") as step:
        step.note("2/94 [Database]")
        wait_until(lambda: "[1/1] cdk deploy  2/94 [Database]" in Text.from_ansi(out.getvalue()).plain)
