"""The report of the lint for a terminal, an editor and GitHub."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from textwrap import indent

from rich.console import Console
from rich.text import Text

from review.findings import Finding
from review.linting.lint import LintResult
from review.text import count, relative


def show(result: LintResult, console: Console, environ: Mapping[str, str]) -> None:
    """Print the findings by file, then the notes, then the counts."""
    for path, findings in groupby(result.findings, key=lambda finding: finding.path):
        _block(path, list(findings), console)
    if len(result.notes) == result.revisions > 1:
        console.print(
            f"{result.revisions} revisions, all of them not frozen: run make freeze", style="dim", highlight=False
        )
    else:
        for note in result.notes:
            console.print(_line(note, note.path, "dim"), soft_wrap=True)
    if environ.get("GITHUB_ACTIONS") == "true":
        for finding in result.findings:
            console.print(Text(annotation(finding)), soft_wrap=True)
    console.print(summary(result), style="bold red" if result.findings else "bold green", highlight=False)


def summary(result: LintResult) -> str:
    """Return the counts."""
    if not result.findings:
        return f"{count(result.revisions, 'revision')}: no findings"
    files = len({finding.path for finding in result.findings if finding.path.suffix == ".py"})
    return f"{count(len(result.findings), 'finding')} in {files} of {count(result.revisions, 'revision')}"


def annotation(finding: Finding) -> str:
    """Return the workflow command for an annotation of the line on GitHub."""
    # https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    text = "\n".join(filter(None, [finding.message, finding.advice]))
    position = (
        f"file={_property(relative(finding.path))},line={finding.line},endLine={finding.end_line or finding.line}"
    )
    return f"::error {position},title={_property(finding.rule)}::{_data(text)}"


def _block(path: Path, findings: list[Finding], console: Console) -> None:
    """Print a line for each finding, which a terminal makes a link, and then the advice of each rule."""
    for finding in findings:
        console.print(_line(finding, path, "bold red"), soft_wrap=True)
    for rule, advice in _advice(findings).items():
        console.print(Text.assemble("  ", (rule, "cyan")), soft_wrap=True)
        console.print(Text(indent(advice, "    "), style="dim"), soft_wrap=True)
    console.print()


def _line(finding: Finding, path: Path, style: str) -> Text:
    position = f"{relative(path)}:{finding.line}"
    return Text.assemble((position, "bold"), ": ", (finding.rule, style), f": {finding.message}")


def _advice(findings: Iterable[Finding]) -> dict[str, str]:
    return {finding.rule: finding.advice for finding in findings if finding.advice}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
