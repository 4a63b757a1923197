"""The Alembic projects for tests of the review. Their revisions run on one server for all tests of the process."""

import atexit
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

from review.database import ROLES, Database, open_database
from review.findings import Finding
from review.record import record_on, run_history
from review.recording import RevisionRecording, Statement
from review.revision_scripts import RevisionScripts
from review.rules.judge import Judgement, judge
from review.start import Start
from tests.alembic_projects import AlembicProject

EMPTY = """
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public AUTHORIZATION app_owner;
END $$
"""


@cache
def shared_database() -> Database:
    """Return a database that all tests of the process use in turn. The server stops at the end of the process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_database(None, ROLES))


def empty_database(*statements: str) -> Database:
    """Return the database without objects besides those that statements create."""
    database = shared_database()
    with closing(database.connect_as_superuser()) as session, session.cursor() as cursor:
        cursor.execute(EMPTY)
    with closing(database.connect()) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        session.commit()
    return database


def record_after(scripts: RevisionScripts, start: tuple[str, ...], database: Database) -> list[RevisionRecording]:
    """Return the recordings of the revisions after a start."""
    planned = scripts.after(start)
    run_history(scripts, [script for script in scripts.revisions if script not in planned], database)
    return record_on(database, scripts, planned)


class ReviewProject(AlembicProject):
    """An Alembic project whose revisions are recorded and judged."""

    def read(self) -> RevisionScripts:
        """Read the revisions."""
        return RevisionScripts.read(self.ini)

    def record(self, *before: str, start: tuple[str, ...] = ()) -> list[RevisionRecording]:
        """Return the recordings of the revisions after a start. `before` are statements on the empty database."""
        return record_after(self.read(), start, empty_database(*before))

    def judge(self, *before: str, start: tuple[str, ...] = ()) -> Judgement:
        """Record and judge the revisions after a start."""
        return judge(self.read(), Start(start, "as requested"), self.record(*before, start=start))

    def findings(self, *before: str) -> list[Finding]:
        """Return the findings of all revisions."""
        return list(self.judge(*before).findings)

    def rules(self, *before: str) -> list[str]:
        """Return the rules of the findings, without duplicates."""
        return sorted({finding.rule for finding in self.findings(*before)})

    def statements(self, *before: str) -> list[Statement]:
        """Return the statements of the last revision."""
        (*_, last) = self.record(*before, start=tuple(self.revisions[:-1]))
        assert last.failure is None, last.failure
        return last.statements


def line_of(path: Path, text: str) -> int:
    """Return the only line that contains a text, counted from 1."""
    lines = [number for number, line in enumerate(path.read_text().splitlines(), start=1) if text in line]
    assert len(lines) == 1, f"{text!r} is in lines {lines} of {path}"
    return lines[0]
