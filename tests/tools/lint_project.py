"""The Alembic projects for tests of the lint and the plan. Their env.py works offline."""

from pathlib import Path

from review.findings import Finding
from review.linting.lint import LintResult, lint
from review.revision_scripts import RevisionScripts
from tests.alembic_projects import OFFLINE_ENV, AlembicProject


class LintProject(AlembicProject):
    """The Alembic project whose env.py needs no connection."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.env(OFFLINE_ENV)

    def read(self) -> RevisionScripts:
        """Read the revisions."""
        return RevisionScripts.read(self.ini)

    def lint(self, *, must_be_frozen: bool = False) -> LintResult:
        """Check the revisions."""
        return lint(self.read(), must_be_frozen=must_be_frozen)

    def findings(self) -> list[Finding]:
        """Return the findings."""
        return list(self.lint().findings)

    def rules(self) -> list[str]:
        """Return the rules of the findings, without duplicates."""
        return sorted({finding.rule for finding in self.findings()})


def line_of(path: Path, text: str) -> int:
    """Return the only line that contains a text, counted from 1."""
    lines = [number for number, line in enumerate(path.read_text().splitlines(), start=1) if text in line]
    assert len(lines) == 1, f"{text!r} is in lines {lines} of {path}"
    return lines[0]
