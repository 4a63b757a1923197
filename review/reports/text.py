"""The plan and the findings on a terminal."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from textwrap import indent

from rich.console import Console
from rich.table import Table
from rich.text import Text

from review.findings import Finding
from review.production import Production
from review.recording import RevisionRecording
from review.reports import wording
from review.rules.judge import Judgement
from review.text import count, relative

SQL_LENGTH = 400


def show_plan(judgement: Judgement, production: Production, console: Console) -> None:
    """Print the summary, then each revision: its verdict, its statements, its findings, and the limits."""
    shown: set[str] = set()
    console.print(Text(wording.summary(judgement), style="bold"), soft_wrap=True)
    show_findings(judgement.findings_of(), console, shown)
    for recording in judgement.recordings:
        console.print()
        _revision(recording, production, console)
        show_findings(judgement.findings_of(recording.revision), console, shown)
    if judgement.not_run:
        console.print(f"not run, because an earlier revision fails: {', '.join(judgement.not_run)}", soft_wrap=True)


def _revision(recording: RevisionRecording, production: Production, console: Console) -> None:
    console.print(Text.assemble((recording.revision, "bold cyan"), f"  {recording.title}"), soft_wrap=True)
    console.print(Text(f"{relative(recording.path)}, {recording.seconds:.2f} s here", style="dim"), soft_wrap=True)
    is_blocking = bool(recording.strictest and recording.strictest.makes_wait)
    style = "bold red" if recording.failure else "red" if is_blocking else "green"
    console.print(Text(wording.verdict(recording, production), style=style), soft_wrap=True)
    statements = wording.shown(recording)
    if not statements:
        console.print(Text("no SQL", style="dim"))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("line", "lock", "on", "held while it", "who waits"):
        table.add_column(heading, no_wrap=heading in {"line", "lock"})
    for statement in statements:
        mode = statement.strictest
        table.add_row(
            str(statement.line),
            Text(str(mode or "no lock"), style="red" if mode and mode.makes_wait else "dim"),
            Text(", ".join(str(lock.relation) for lock in wording.strictest_locks(statement))),
            Text(wording.activity(statement, production)),
            Text(wording.waiting(statement, production)),
        )
    console.print(table)
    for part in wording.with_transactions(statements):
        if isinstance(part, str):
            console.print(Text(f"-- {part}", style="dim"), soft_wrap=True)
        else:
            sql = part.sql if len(part.sql) <= SQL_LENGTH else f"{part.sql[:SQL_LENGTH]}…"
            console.print(Text(f"{sql.strip()};"), soft_wrap=True)
    for limit in wording.limits(recording):
        console.print(Text(f"not shown: {limit}", style="dim"), soft_wrap=True)


def show_judgement(judgement: Judgement, console: Console) -> None:
    """Print the findings, then the notes, then the counts."""
    show_findings(judgement.findings, console)
    if len(judgement.notes) == len(judgement.revisions) > 1:
        console.print(
            f"{len(judgement.revisions)} revisions, all of them not frozen: run make freeze",
            style="dim",
            highlight=False,
        )
    else:
        for note in judgement.notes:
            console.print(_line(note, note.path, "dim"), soft_wrap=True)
    console.print(summary(judgement), style="bold red" if judgement.findings else "bold green", highlight=False)


def show_findings(findings: Iterable[Finding], console: Console, shown: set[str] | None = None) -> None:
    """Print a line for each finding, which a terminal makes a link, and each advice once.

    `shown` are the advices that were printed before.
    """
    shown = set() if shown is None else shown
    for path, group in groupby(findings, key=lambda finding: finding.path):
        in_file = list(group)
        for finding in in_file:
            console.print(_line(finding, path, "bold red"), soft_wrap=True)
        for finding in in_file:
            if finding.advice and finding.advice not in shown:
                shown.add(finding.advice)
                console.print(Text.assemble("  ", (finding.rule, "cyan")), soft_wrap=True)
                console.print(Text(indent(finding.advice, "    "), style="dim"), soft_wrap=True)
        console.print()


def summary(judgement: Judgement) -> str:
    """Return the counts."""
    if not judgement.findings:
        return f"{count(len(judgement.revisions), 'revision')}: no findings"
    files = len({finding.path for finding in judgement.findings if finding.path.suffix == ".py"})
    return f"{count(len(judgement.findings), 'finding')} in {files} of {count(len(judgement.revisions), 'revision')}"


def _line(finding: Finding, path: Path, style: str) -> Text:
    return Text.assemble(
        (f"{relative(path)}:{finding.line}", "bold"), ": ", (finding.rule, style), f": {finding.message}"
    )
