"""The frozen revisions in versions.lock, which must not be edited."""

from pathlib import Path

import pytest

from review.linting.frozen_revisions import FrozenRevisions, digest, sources_of
from review.source import Source
from tests.tools.lint_project import LintProject

UPGRADE = 'def upgrade():\n    op.execute("SELECT 1")'


@pytest.fixture
def project(tmp_path: Path) -> LintProject:
    """Return a project with a frozen revision and one that is not."""
    project = LintProject(tmp_path)
    project.write("one", UPGRADE)
    add_to_lock(project)
    project.write("two", UPGRADE)
    return project


def add_to_lock(project: LintProject) -> list[str]:
    scripts = project.read()
    return FrozenRevisions.read(scripts).freeze(sources_of(scripts))


def lock_file(project: LintProject) -> Path:
    return project.folder / "scripts" / "versions.lock"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_revision_that_is_not_frozen_is_a_note_and_in_the_strict_lint_a_finding(project: LintProject) -> None:
    verdict = project.lint()
    assert verdict.findings == ()
    assert [(note.rule, note.revision) for note in verdict.notes] == [("not-frozen", "two")]
    verdict = project.lint(must_be_frozen=True)
    assert [(finding.rule, finding.revision) for finding in verdict.findings] == [("not-frozen", "two")]
    assert verdict.notes == ()


def test_without_a_lock_file_no_revision_is_frozen(project: LintProject) -> None:
    lock_file(project).unlink()
    assert [note.revision for note in project.lint().notes] == ["one", "two"]


def test_freezing_appends_lines_and_keeps_the_existing_lines(project: LintProject) -> None:
    before = lock_file(project).read_text()
    assert add_to_lock(project) == ["two"]
    after = lock_file(project).read_text()
    assert after.startswith(before)
    assert after.removeprefix(before).startswith("two ")
    assert add_to_lock(project) == []
    assert lock_file(project).read_text() == after


def test_a_change_of_the_code_of_a_frozen_revision_is_a_finding(project: LintProject) -> None:
    edit(project.path("one"), "SELECT 1", "SELECT 2")
    (finding,) = project.findings()
    assert (finding.rule, finding.path) == ("edited-history", project.path("one"))
    assert "new revision" in str(finding.advice)


def test_another_parent_of_a_frozen_revision_is_a_finding(project: LintProject) -> None:
    add_to_lock(project)
    project.write("zero", UPGRADE, down="one")
    edit(project.path("two"), 'down_revision = "one"', 'down_revision = "zero"')
    assert project.rules() == ["edited-history"]


def test_changed_comments_docstrings_and_layout_are_not_a_finding(project: LintProject) -> None:
    path = project.path("one")
    edit(path, 'op.execute("SELECT 1")', "# it is right, since\n    op.execute(\n        'SELECT 1',\n    )")
    edit(path, "def upgrade():", 'def upgrade():\n    """Do it."""\n')
    path.write_text(f'"""What it does."""\n\n{path.read_text()}')
    assert project.rules() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("f(1)", "f('1')"), ("f(1)", "f(1.0)"), ("f(1)", "f(a=1)"), ("f(1)", "g(1)"), ("f(1)", "f(-1)"), ("f(1)", "f()")],
)
def test_different_code_has_different_digests(tmp_path: Path, old: str, new: str) -> None:
    paths = [tmp_path / "old.py", tmp_path / "new.py"]
    for path, text in zip(paths, [old, new], strict=True):
        path.write_text(text)
    assert len({digest(Source(path)) for path in paths}) == 2


def test_a_digest_does_not_depend_on_the_version_of_python(tmp_path: Path) -> None:
    path = tmp_path / "revision.py"
    path.write_text(
        'def upgrade(a: int = 1, *b: str) -> None:\n    f"{a!r:>{a}}", [x for x in b if x], None, ..., b""\n'
    )
    assert digest(Source(path))[:12] == "d4abc75cff8e"


def test_a_removed_frozen_revision_is_a_finding_at_its_line_in_the_lock_file(project: LintProject) -> None:
    edit(project.path("two"), 'down_revision = "one"', "down_revision = None")
    project.path("one").unlink()
    (finding,) = project.findings()
    assert (finding.rule, finding.path, finding.line) == ("versions-lock", lock_file(project), 2)


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "two", "two abc", f"one {'0' * 64}"])
def test_a_malformed_or_duplicate_line_of_the_lock_file_is_a_finding(project: LintProject, line: str) -> None:
    lock_file(project).write_text(f"{lock_file(project).read_text()}{line}\n")
    (finding,) = project.findings()
    assert (finding.rule, finding.path, finding.line) == ("versions-lock", lock_file(project), 3)
