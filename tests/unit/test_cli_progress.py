"""The text of a running upgrade, on a terminal and off it."""

import io
from typing import Any

import pytest
from rich.console import Console

from rds_alembic.cli.progress_view import LinePrinter, UpgradeView, render

SESSION = {"pid": 10, "role": "migrator", "application": "alembic-upgrade x", "state": "active", "state_seconds": 12.4}
STATEMENT = {**SESSION, "waiting_seconds": None, "query": "CREATE INDEX ix ON t (n)"}
REPORT = {
    "pid": 10,
    "command": "CREATE INDEX",
    "relation": "public.t",
    "phase": "building index: scanning table",
    "done": 1500,
    "total": 6000,
    "unit": "blocks",
    "percent": 25.0,
}
BLOCKER = {
    "pid": 20,
    "role": "shop",
    "application": "",
    "state": "idle in transaction",
    "transaction_seconds": 300.2,
    "query": "SELECT * FROM t",
}


def answer(**parts: Any) -> dict[str, Any]:
    """Return an answer of the command `progress` about an upgrade in the revision r2."""
    empty = {"lock_holder": [{**SESSION, "pid": 9, "state": "idle"}], "upgrade_sessions": [], "blockers": []}
    return {"revision": ["r1"], "pending": ["r2", "r3"], **empty, "commands": [], **parts}


def printed(*answers: dict[str, Any], every: float = 1.0) -> list[str]:
    output, view = io.StringIO(), UpgradeView()
    printer = LinePrinter(Console(file=output, width=100_000, force_terminal=False))
    for number, item in enumerate(answers):
        printer.print(view.lines(item, number * every), number * every)
    return output.getvalue().splitlines()


def test_an_index_build_is_printed_with_its_revision_statement_seconds_and_percentage() -> None:
    assert printed(answer(upgrade_sessions=[STATEMENT], commands=[REPORT])) == [
        "revision   r2, 2 pending; the database is at r1",
        "statement  CREATE INDEX ix ON t (n)  12 s",
        "progress   CREATE INDEX public.t: building index: scanning table  25 %, 1,500 of 6,000 blocks",
    ]


def test_a_blocked_statement_is_printed_with_its_blocker_and_both_times() -> None:
    waiting = {**STATEMENT, "waiting_seconds": 2.0}
    assert printed(answer(upgrade_sessions=[waiting], blockers=[BLOCKER]))[1:] == [
        "statement  CREATE INDEX ix ON t (n)  12 s, of which 2 s waiting for a lock",
        "blocked by pid 20 (shop, idle in transaction): SELECT * FROM t  in a transaction for 300 s",
    ]


def test_a_blocker_is_still_named_between_two_tries_of_a_revision() -> None:
    lines = printed(answer(upgrade_sessions=[STATEMENT], blockers=[BLOCKER]), answer(), every=5.0)
    assert lines[-2:] == [
        "statement  no statement runs at the moment",
        "blocked by pid 20 (shop, idle in transaction): SELECT * FROM t  5 s ago, before the next try",
    ]


def test_a_blocker_of_an_applied_revision_is_not_named_any_more() -> None:
    lines = printed(answer(upgrade_sessions=[STATEMENT], blockers=[BLOCKER]), answer(pending=["r3"]))
    assert not any("blocked" in line for line in lines[3:])


def test_an_unchanged_statement_is_printed_again_only_after_ten_seconds() -> None:
    same = answer(upgrade_sessions=[STATEMENT])
    lines = printed(*[same] * 21)
    assert [line.split()[0] for line in lines] == ["revision", "statement", "statement", "statement"]


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ({"pending": []}, "upgrade    not running: the database is at r1; pending: no revision"),
        ({"revision": []}, "upgrade    not running: the database is at empty; pending: r2, r3"),
    ],
)
def test_the_state_without_an_upgrade_is_one_line(state: dict[str, Any], line: str) -> None:
    assert printed(answer(lock_holder=[], **state)) == [line]


def test_a_statement_of_several_lines_is_one_line_off_a_terminal() -> None:
    lines = printed(answer(upgrade_sessions=[{**STATEMENT, "query": "UPDATE t\nSET n = 1"}]))
    assert lines[1] == "statement  UPDATE t SET n = 1  12 s"


def test_a_terminal_gets_a_bar_and_no_markup_of_the_statement() -> None:
    output = io.StringIO()
    console = Console(file=output, width=120, force_terminal=True, color_system="standard")
    session = {**STATEMENT, "query": "SELECT '[red]x[/red]'"}
    lines = UpgradeView().lines(answer(upgrade_sessions=[session], commands=[REPORT]), 0.0)
    console.print(render(lines, 120))
    assert "━" in output.getvalue()
    assert "[red]x[/red]" in output.getvalue()


def test_a_narrow_terminal_cuts_the_statement_only() -> None:
    output = io.StringIO()
    console = Console(file=output, width=100, force_terminal=True, color_system=None)
    session = {**STATEMENT, "query": "ALTER TABLE t\n  ADD COLUMN " + "x" * 200, "waiting_seconds": 2.0}
    lines = UpgradeView().lines(answer(upgrade_sessions=[session], commands=[REPORT], blockers=[BLOCKER]), 0.0)
    console.print(render(lines, 100, prefix="PrivateDatabase | "))
    shown = output.getvalue().splitlines()
    assert len(shown) == len(lines)
    assert shown[1].startswith("PrivateDatabase | statement  ALTER TABLE t")
    assert "… 12 s, of which 2 s waiting for a lock" in shown[1]
    assert shown[3].startswith("PrivateDatabase | blocked by")
    assert "in a transaction for 300 s" in shown[3]
