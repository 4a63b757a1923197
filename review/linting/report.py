"""What the lint says on a terminal, to an editor and to GitHub."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from textwrap import indent

from rich.console import Console
from rich.text import Text

from review.findings import Finding
from review.linting.lint import Verdict


def show(verdict: Verdict, console: Console, environ: Mapping[str, str]) -> None:
    """Write the findings by file, then the notes, then how many there are."""
    for path, found in groupby(verdict.findings, key=lambda finding: finding.path):
        _block(path, list(found), console)
    if len(verdict.notes) == verdict.revisions > 1:
        console.print(f"none of {verdict.revisions} revisions is frozen: make freeze", style="dim", highlight=False)
    else:
        for note in verdict.notes:
            console.print(_line(note, note.path, "dim"), soft_wrap=True)
    if environ.get("GITHUB_ACTIONS") == "true":
        for finding in verdict.findings:
            console.print(Text(annotation(finding)), soft_wrap=True)
    console.print(summary(verdict), style="bold red" if verdict.findings else "bold green", highlight=False)


def summary(verdict: Verdict) -> str:
    """Return the counts."""
    if not verdict.findings:
        return f"{_count(verdict.revisions, 'revision')}: no findings"
    files = len({finding.path for finding in verdict.findings if finding.path.suffix == ".py"})
    return f"{_count(len(verdict.findings), 'finding')} in {files} of {_count(verdict.revisions, 'revision')}"


def annotation(finding: Finding) -> str:
    """Return the command that makes GitHub show a finding beside the line."""
    # https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    text = "\n".join(filter(None, [finding.message, finding.advice]))
    place = f"file={_property(_shown(finding.path))},line={finding.line},endLine={finding.end_line or finding.line}"
    return f"::error {place},title={_property(finding.rule)}::{_data(text)}"


def _block(path: Path, findings: list[Finding], console: Console) -> None:
    """Write the lines that can be clicked on first, and what each rule advises once."""
    for finding in findings:
        console.print(_line(finding, path, "bold red"), soft_wrap=True)
    for rule, advice in _advice(findings).items():
        console.print(Text.assemble("  ", (rule, "cyan")), soft_wrap=True)
        console.print(Text(indent(advice, "    "), style="dim"), soft_wrap=True)
    console.print()


def _line(finding: Finding, path: Path, style: str) -> Text:
    place = f"{_shown(path)}:{finding.line}"
    return Text.assemble((place, "bold"), ": ", (finding.rule, style), f": {finding.message}")


def _advice(findings: Iterable[Finding]) -> dict[str, str]:
    return {finding.rule: finding.advice for finding in findings if finding.advice}


def _shown(path: Path) -> str:
    """Return a path as it is from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
