"""The output of `make plan` for a terminal and for a pull request."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from review.__main__ import main
from review.planning import markdown, terminal
from review.planning.plan import Plan, make_plan
from review.planning.releases import Start
from tests.tools.lint_project import LintProject


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LintProject:
    monkeypatch.chdir(tmp_path)
    return LintProject(tmp_path)


def plan_from(project: LintProject, *heads: str) -> Plan:
    return make_plan(project.read(), Start(heads, "as requested"))


def as_markdown(project: LintProject, *heads: str) -> str:
    return markdown.render_markdown(plan_from(project, *heads))


def as_text(project: LintProject, *heads: str) -> str:
    console = Console(file=io.StringIO(), width=120)
    terminal.show(plan_from(project, *heads), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def sql_blocks(document: str) -> list[tuple[str, str]]:
    return re.findall(r"^(`{3,})sql\n(.*?)^\1$", document, re.MULTILINE | re.DOTALL)


def test_a_plan_has_the_revisions_after_its_start_in_their_order(project: LintProject) -> None:
    for revision in ("r1", "r2", "r3"):
        project.add(revision, "SELECT 1")
    assert [revision.revision for revision in plan_from(project, "r1").revisions] == ["r2", "r3"]


def test_each_statement_of_a_call_has_its_own_locks(project: LintProject) -> None:
    project.add("r1", "CREATE TABLE t (a text); INSERT INTO u VALUES ('a;b'); -- done;\nALTER TABLE v ADD COLUMN a int")
    (revision,) = plan_from(project).revisions
    assert [str(statement.locks.strictest) for statement in revision.statements] == [
        "None",
        "ROW EXCLUSIVE",
        "ACCESS EXCLUSIVE",
    ]
    assert str(revision.strictest) == "ACCESS EXCLUSIVE"


def test_the_table_of_an_index_is_known_from_revisions_before_the_start(project: LintProject) -> None:
    project.add("r1", "CREATE TABLE t (a int)", "CREATE INDEX ix ON t (a)")
    project.add("r2", "DROP INDEX ix")
    (revision,) = plan_from(project, "r1").revisions
    assert {str(lock) for lock in revision.statements[0].locks.held} == {"index ix", "t"}


def test_a_revision_without_sql_has_no_lock(project: LintProject) -> None:
    project.add("r1")
    assert plan_from(project).revisions[0].strictest is None
    assert "| r1 |  | no lock |" in as_markdown(project)
    assert "no SQL" in as_text(project)


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_a_plan_without_revisions_is_one_line(
    project: LintProject, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    project.add("r1", "SELECT 1")
    assert main(["plan", "--from", "r1", "--format", form]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line and line[0] not in "<#"]
    assert lines == ["From r1 (as requested) to r1: no revisions to apply."]


def test_the_exit_code_of_a_plan_with_findings_is_zero(
    project: LintProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("r1", "ALTER TABLE t RENAME COLUMN a TO b")
    assert main(["plan", "--from", "base"]) == 0
    assert "renaming-column" in capsys.readouterr().out


def test_an_unknown_start_is_reported_in_one_line_with_exit_code_2(
    project: LintProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("r1", "SELECT 1")
    assert main(["plan", "--from", "r9"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_the_output_of_a_revision_is_not_in_the_plan(project: LintProject, capsys: pytest.CaptureFixture[str]) -> None:
    project.add("r1", body="print('halfway')")
    assert main(["plan", "--from", "base", "--format", "markdown"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(markdown.MARKER)
    assert "halfway" not in captured.out
    assert "halfway" in captured.err


def test_the_summary_has_the_start_and_the_strictest_lock(project: LintProject) -> None:
    project.add("r1", "SELECT 1")
    project.add("r2", "CREATE INDEX ix ON t (a)")
    first = as_text(project, "r1").splitlines()[0]
    assert first.startswith("From r1 (as requested) to r2: 1 revision, ")
    assert first.endswith("Strictest lock: SHARE (blocks writes, schema changes).")


def test_the_text_shows_each_lock_and_the_sql(project: LintProject) -> None:
    project.add("r1", "ALTER TABLE t ADD COLUMN a int", "UPDATE t SET a = '[bold]'")
    shown = as_text(project)
    assert re.search(r"ACCESS EXCLUSIVE +t +in +ALTER TABLE t ADD COLUMN a int", shown)
    assert re.search(r"ROW EXCLUSIVE +t +in +UPDATE", shown)
    assert "\nUPDATE t SET a = '[bold]';\n" in shown


def test_the_begin_and_end_of_transactions_are_shown(project: LintProject) -> None:
    project.add(
        "r1",
        body="op.execute('SELECT 1')\nwith op.get_context().autocommit_block():\n    op.execute('SELECT 2')",
    )
    (block,) = [sql for _, sql in sql_blocks(as_markdown(project))]
    spoken = [line for line in block.splitlines() if line.startswith(("-- the", "-- a tr", "SELECT"))]
    assert spoken == ["-- a transaction begins", "SELECT 1;", "-- the transaction ends", "SELECT 2;"]


def test_sql_that_ends_early_is_shown_with_the_error(project: LintProject) -> None:
    project.add("r1", body="op.execute('SELECT 1')\nraise ValueError('no *rows*')")
    assert r"ValueError: no \*rows\*" in as_markdown(project)
    assert "ValueError: no *rows*" in as_text(project)
    assert not plan_from(project).is_complete


def test_fences_in_strings_do_not_end_the_block(project: LintProject) -> None:
    project.add("r1", "SELECT '\n```\n</details>\n````'")
    ((fence, sql),) = sql_blocks(as_markdown(project))
    assert fence == "`" * 5
    assert "\n````'" in sql


def test_a_title_is_escaped_and_mentions_no_user(project: LintProject) -> None:
    project.add("r1", "SELECT 1")
    path = project.path("r1")
    path.write_text('"""drop `a|b` for @octocat <b>*now*"""\n' + path.read_text())
    document = as_markdown(project)
    assert "@octocat" not in document
    row = next(line for line in document.splitlines() if line.startswith("| r1 "))
    assert re.sub(r"\\.", "", row).count("|") == 5
    assert r"\<b\>\*now\*" in row
    assert "&lt;b&gt;" in document


def test_findings_are_listed_with_their_positions_and_one_advice_per_rule(project: LintProject) -> None:
    project.add("r1", "ALTER TABLE t ADD COLUMN a varchar(9)", "ALTER TABLE t ADD COLUMN b varchar(9)")
    document = as_markdown(project)
    findings = [line for line in document.splitlines() if "**prefer-text-field**" in line]
    assert len(findings) == 2
    assert all(re.match(r"- `scripts/versions/r1.py:\d+` ", line) for line in findings)
    assert len([line for line in document.splitlines() if line.startswith("  - *prefer-text-field*")]) == 1


def test_a_long_plan_fits_into_a_comment_by_omitting_the_longest_sql(project: LintProject) -> None:
    project.add("short", "SELECT 'kept'")
    project.add("long", f"SELECT '{'é' * 40_000}'")
    project.add("longer", f"SELECT '{'x' * 90_000}'")
    document = as_markdown(project)
    assert len(document.encode()) <= markdown.LIMIT
    assert "SELECT 'kept'" in document
    assert "ééé" not in document
    assert "xxx" not in document
    assert document.count("1 statement, omitted here.") == 2
    assert "The longest parts are omitted" in document


def test_of_equally_long_sections_the_last_is_omitted_first(project: LintProject) -> None:
    for number in range(3):
        project.add(f"r{number}", f"SELECT '{str(number) * 25_000}'")
    document = as_markdown(project)
    assert ["0000" in document, "1111" in document, "2222" in document] == [True, True, False]


def test_a_plan_of_hundreds_of_revisions_fits_into_a_comment(project: LintProject) -> None:
    for number in range(400):
        project.add(f"revision_{number:03}", "ALTER TABLE t RENAME COLUMN a TO b")
        path = project.path(f"revision_{number:03}")
        path.write_text(f'"""{"a rather long title " * 10}"""\n' + path.read_text())
    document = as_markdown(project)
    assert len(document.encode()) <= markdown.LIMIT
    assert re.search(r"\| … \| and \d+ more revisions \|", document)
