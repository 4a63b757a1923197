"""An Alembic project whose env.py works offline, for the lint."""

from pathlib import Path
from textwrap import dedent

from review.findings import Finding
from review.history import History
from review.linting.lint import Verdict, lint
from tests.postgres.projects import Project

ENV = """\
from alembic import context

context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
"""

REVISION = """\
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}


{upgrade}


{downgrade}
"""
DOWNGRADE = 'def downgrade():\n    raise NotImplementedError("a deployment never downgrades")'


class LintProject(Project):
    """A project to lint."""

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.folder / "scripts" / "env.py").write_text(ENV)

    @property
    def ini(self) -> Path:
        return self.folder / "alembic.ini"

    @property
    def history(self) -> History:
        return History.read(self.ini)

    def path(self, revision: str) -> Path:
        return self.folder / "scripts" / "versions" / f"{revision}.py"

    def write(self, revision: str, upgrade: str, *, downgrade: str = DOWNGRADE, down: str | None = None) -> Path:
        """Add a revision with functions written out."""
        if down is None and self.revisions:
            down = self.revisions[-1]
        text = REVISION.format(revision=revision, down=down, upgrade=dedent(upgrade).strip(), downgrade=downgrade)
        self.path(revision).write_text(text)
        self.revisions.append(revision)
        return self.path(revision)

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
