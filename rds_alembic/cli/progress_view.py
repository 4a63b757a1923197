"""The text of a running upgrade: revision, statement, seconds, PostgreSQL's own progress, blockers.

Does not poll: `watch` and `follow` pass the answers of the command `progress`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rds_alembic.cli.stack import Answer

_BAR_WIDTH = 24
_MAX_SQL = 200
_MIN_TEXT = 12
# Off a terminal, and between the lines of another command, unchanged lines are printed again after so long.
_REPEAT_SECONDS = 10.0


@dataclass(frozen=True)
class Line:
    """One line. `detail` and `percent` change while the rest stays the same."""

    label: str
    text: str
    detail: str = field(default="", compare=False)
    percent: float | None = field(default=None, compare=False)


def is_running(answer: Answer) -> bool:
    """Return whether an upgrade is in progress."""
    return bool(answer["lock_holder"] or answer["upgrade_sessions"])


class UpgradeView:
    """The lines of the answers of one upgrade. A blocker is shown until the revision is applied.

    A revision that waits for a table gives up after the lock timeout and tries again later. Between the tries, no
    session waits, and the server shows no blocker.
    """

    def __init__(self) -> None:
        self._pending: Sequence[str] = ()
        self._blockers: list[Line] = []
        self._blocked_at = 0.0

    def lines(self, answer: Answer, now: float) -> list[Line]:
        """Return the lines of an answer that was received at `now`, in seconds."""
        if not is_running(answer):
            return [_state(answer)]
        statements = [_statement(row) for row in answer["upgrade_sessions"] if row["state"] == "active"]
        waiting = [] if statements else [Line("statement", "no statement runs at the moment")]
        reports = [_report(row) for row in answer["commands"]]
        return [_revision(answer), *statements, *waiting, *reports, *self._blocker_lines(answer, now)]

    def _blocker_lines(self, answer: Answer, now: float) -> list[Line]:
        if answer["pending"] != self._pending:
            self._pending, self._blockers = answer["pending"], []
        if answer["blockers"]:
            self._blockers = [_blocker(row) for row in answer["blockers"]]
            self._blocked_at = now
            return self._blockers
        seconds = f"{now - self._blocked_at:.0f} s ago, before the next try"
        return [Line(line.label, line.text, seconds) for line in self._blockers]


class LinePrinter:
    """Prints lines when they differ from the last ones, and again after a while. A terminal gets bars."""

    def __init__(self, console: Console, prefix: str = "") -> None:
        self._console = console
        self._prefix = prefix
        self._printed: list[Line] = []
        self._printed_at = 0.0

    def print(self, lines: list[Line], now: float) -> None:
        """Print the lines of an answer that was received at `now`, in seconds."""
        if lines == self._printed and now - self._printed_at < _REPEAT_SECONDS:
            return
        changed = [line for line in lines if line not in self._printed or line.detail]
        self._printed, self._printed_at = lines, now
        for line in changed:
            if self._console.is_terminal:
                self._console.print(render([line], self._console.width, prefix=self._prefix))
            else:
                text = " ".join(f"{self._prefix}{line.label:<10} {line.text}  {line.detail}".splitlines())
                self._console.print(Text(text.rstrip()), soft_wrap=True)


def render(lines: Sequence[Line], width: int, *, prefix: str = "") -> Group:
    """Return the lines for a terminal of `width` columns, with a bar for each known percentage."""
    return Group(*(_render(line, width, prefix) for line in lines))


def _render(line: Line, width: int, prefix: str) -> Table:
    """Return one row. Only the text is cut if the terminal is narrow."""
    label, text = f"{prefix}{line.label:<10}", Text(" ".join(line.text.split()))
    bar = [] if line.percent is None else [ProgressBar(total=100, completed=line.percent, width=_BAR_WIDTH)]
    columns_left = width - len(label) - len(line.detail) - 2 - (_BAR_WIDTH + 1) * len(bar)
    text.truncate(max(columns_left, _MIN_TEXT), overflow="ellipsis")
    table = Table.grid(padding=(0, 1))
    for _ in range(3 + len(bar)):
        table.add_column(no_wrap=True)
    table.add_row(Text(label, style="bold"), text, *bar, Text(line.detail, style="cyan"))
    return table


def _state(answer: Answer) -> Line:
    revision = ", ".join(answer["revision"]) or "empty"
    pending = ", ".join(answer["pending"]) or "no revision"
    return Line("upgrade", f"not running: the database is at {revision}; pending: {pending}")


def _revision(answer: Answer) -> Line:
    current, pending = ", ".join(answer["revision"]) or "empty", answer["pending"]
    if not pending:
        return Line("revision", f"the database is at {current}")
    return Line("revision", f"{pending[0]}, {len(pending)} pending; the database is at {current}")


def _statement(row: Answer) -> Line:
    waiting = f", of which {_seconds(row['waiting_seconds'])} waiting for a lock" if row["waiting_seconds"] else ""
    return Line("statement", str(row["query"])[:_MAX_SQL], f"{_seconds(row['state_seconds'])}{waiting}")


def _report(row: Answer) -> Line:
    text = " ".join(filter(None, [row["command"], row["relation"]])) + (f": {row['phase']}" if row["phase"] else "")
    if row["total"]:
        return Line(
            "progress",
            text,
            f"{row['percent']:.0f} %, {row['done']:,} of {row['total']:,} {row['unit']}",
            row["percent"],
        )
    return Line("progress", text, f"{row['done']:,} {row['unit']}" if row["done"] else "")


def _blocker(row: Answer) -> Line:
    name = ", ".join(filter(None, [row["role"], row["application"], row["state"]]))
    text = f"pid {row['pid']} ({name}): {str(row['query'])[:_MAX_SQL]}"
    return Line("blocked by", text, f"in a transaction for {_seconds(row['transaction_seconds'])}")


def _seconds(seconds: float | None) -> str:
    return f"{seconds or 0:.0f} s"
