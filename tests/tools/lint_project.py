"""The Alembic projects that the lint and the plan are tested on: their env.py works offline."""

from pathlib import Path

from review.findings import Finding
from review.history import History
from review.linting.lint import Verdict, lint
from tests.alembic_projects import OFFLINE_ENV, AlembicProject


class LintProject(AlembicProject):
    """A project to lint."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.env(OFFLINE_ENV)

    @property
    def history(self) -> History:
        return History.read(self.ini)

    def lint(self, *, must_be_frozen: bool = False) -> Verdict:
        return lint(self.history, must_be_frozen=must_be_frozen)

    def findings(self) -> list[Finding]:
        return list(self.lint().findings)

    def rules(self) -> list[str]:
        """Return the rules that are broken, each once."""
        return sorted({finding.rule for finding in self.findings()})


def line_of(path: Path, text: str) -> int:
    """Return the line in which the text stands, counted from 1."""
    lines = [number for number, line in enumerate(path.read_text().splitlines(), start=1) if text in line]
    assert len(lines) == 1, f"{text!r} stands in lines {lines} of {path}"
    return lines[0]
