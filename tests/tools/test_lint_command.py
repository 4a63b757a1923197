"""The commands behind `make lint-sql` and `make freeze`: their output and their exit codes."""

import re
import time
from pathlib import Path

import pytest

from review.__main__ import main
from review.linting.lint import lint
from review.revision_scripts import RevisionScripts
from tests.tools.lint_project import LintProject

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LintProject:
    """Return an empty project in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return LintProject(tmp_path)


def test_the_revisions_of_this_project_are_frozen_and_without_findings() -> None:
    result = lint(RevisionScripts.read(ROOT / "alembic.ini"), must_be_frozen=True)
    assert result.findings == ()
    assert result.revisions


def test_the_report_has_findings_then_notes_then_the_counts(
    project: LintProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("one", "SELECT 1")
    assert main(["freeze"]) == 0
    project.add("two", "DROP TABLE t", "DROP TABLE u")
    assert main(["lint"]) == 1
    lines = capsys.readouterr().out.splitlines()
    places = [line.split(": ")[:2] for line in lines if re.match(r"\S+:\d+: ", line)]
    assert places == [
        ["scripts/versions/two.py:11", "ban-drop-table"],
        ["scripts/versions/two.py:12", "ban-drop-table"],
        ["scripts/versions/two.py:1", "not-frozen"],
    ]
    assert lines[-1] == "2 findings in 1 of 2 revisions"


def test_one_note_is_enough_if_no_revision_is_frozen(project: LintProject, capsys: pytest.CaptureFixture[str]) -> None:
    project.add("one", "SELECT 1")
    project.add("two", "SELECT 1")
    assert main(["lint"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_report_says_that_there_are_no_findings(project: LintProject, capsys: pytest.CaptureFixture[str]) -> None:
    project.add("one", "SELECT 1")
    assert main(["lint"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 revision: no findings"


def test_the_strict_lint_passes_after_freezing(project: LintProject, capsys: pytest.CaptureFixture[str]) -> None:
    project.add("one", "SELECT 1")
    assert main(["lint", "--frozen"]) == 1
    assert main(["freeze"]) == 0
    assert "frozen: one" in capsys.readouterr().out
    assert main(["lint", "--frozen"]) == 0


def test_no_revision_is_frozen_if_a_frozen_revision_was_edited(
    project: LintProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("one", "SELECT 1")
    assert main(["freeze"]) == 0
    lock = Path("scripts/versions.lock").read_text()
    project.path("one").write_text(project.path("one").read_text().replace("SELECT 1", "SELECT 2"))
    project.add("two", "SELECT 1")
    assert main(["freeze"]) == 2
    assert "revision one was changed" in capsys.readouterr().err
    assert Path("scripts/versions.lock").read_text() == lock


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda: Path("alembic.ini").unlink(), "alembic.ini"),
        (lambda: Path("scripts/versions/one.py").write_text("import"), "SyntaxError"),
        (lambda: Path("scripts/versions/one.py").write_text("\nimport nowhere"), "(scripts/versions/one.py:2)"),
    ],
)
def test_a_project_that_cannot_be_read_is_reported_in_one_line(
    project: LintProject, capsys: pytest.CaptureFixture[str], break_it: object, message: str
) -> None:
    project.add("one", "SELECT 1")
    assert callable(break_it)
    break_it()
    assert main(["lint"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_the_option_config_names_another_project(project: LintProject) -> None:
    project.add("one", "DROP TABLE t")
    other = LintProject(project.folder / "other")
    other.add("one", "SELECT 1")
    assert main(["lint"]) == 1
    assert main(["lint", "--config", "other/alembic.ini"]) == 0


def test_on_github_a_finding_is_an_annotation_of_its_line(
    project: LintProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.add("one", "DROP TABLE t")
    assert main(["lint"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::error")]
    assert line.startswith("::error file=scripts/versions/one.py,line=11,endLine=11,title=ban-drop-table::Dropping")
    assert "%0A" in line


def test_five_hundred_revisions_are_checked_in_seconds(project: LintProject) -> None:
    for number in range(500):
        project.add(f"r{number}", f"CREATE TABLE t{number} (a text)", f"DROP INDEX i{number}")
    started = time.monotonic()
    assert len(project.findings()) == 500
    assert time.monotonic() - started < 60  # two or three seconds on an idle machine
