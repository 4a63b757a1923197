"""The frozen revisions in versions.lock, which must not be edited, and the files that they read."""

from pathlib import Path

import pytest

from review.findings import Finding
from review.recording import RevisionRecording
from review.revision_scripts import RevisionScripts
from review.rules.frozen_revisions import FrozenRevisions, digest
from review.source import Source
from tests.alembic_projects import AlembicProject

UPGRADE = 'def upgrade():\n    op.execute("SELECT 1")'


@pytest.fixture
def project(tmp_path: Path) -> AlembicProject:
    """Return a project with a frozen revision, which reads one.sql, and one that is not frozen."""
    project = AlembicProject(tmp_path)
    (tmp_path / "scripts/versions/one.sql").write_text("SELECT 1")
    project.write("one", UPGRADE)
    freeze(project)
    project.write("two", UPGRADE)
    return project


def freeze(project: AlembicProject) -> list[str]:
    scripts = RevisionScripts.read(project.ini)
    files = {"one": (project.folder / "scripts/versions/one.sql",)}
    recordings = [
        RevisionRecording(script.revision, Path(script.path), "", files=files.get(script.revision, ()))
        for script in scripts.revisions
    ]
    return FrozenRevisions.read(scripts).freeze(recordings)


def violations(project: AlembicProject) -> list[Finding]:
    scripts = RevisionScripts.read(project.ini)
    return list(FrozenRevisions.read(scripts).violations(scripts))


def lock_file(project: AlembicProject) -> Path:
    return project.folder / "scripts" / "versions.lock"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_revision_that_is_not_in_the_file_is_not_frozen(project: AlembicProject) -> None:
    sources = [Source(project.path(revision), revision) for revision in ("one", "two")]
    unfrozen = FrozenRevisions.read(RevisionScripts.read(project.ini)).unfrozen(sources)
    assert [(finding.rule, finding.revision) for finding in unfrozen] == [("not-frozen", "two")]


def test_freezing_appends_lines_and_keeps_the_existing_lines(project: AlembicProject) -> None:
    before = lock_file(project).read_text()
    assert freeze(project) == ["two"]
    after = lock_file(project).read_text()
    assert after.startswith(before)
    assert after.removeprefix(before).startswith("two ")
    assert freeze(project) == []
    assert lock_file(project).read_text() == after


def test_a_change_of_the_code_of_a_frozen_revision_is_a_finding(project: AlembicProject) -> None:
    edit(project.path("one"), "SELECT 1", "SELECT 2")
    (finding,) = violations(project)
    assert (finding.rule, finding.path) == ("edited-history", project.path("one"))
    assert "new revision" in str(finding.advice)


@pytest.mark.parametrize("content", ["SELECT 2", None], ids=["changed", "removed"])
def test_a_change_of_a_file_that_a_frozen_revision_reads_is_a_finding(
    project: AlembicProject, content: str | None
) -> None:
    file = project.versions / "one.sql"
    file.unlink()
    if content:
        file.write_text(content)
    (finding,) = violations(project)
    assert (finding.rule, finding.path, finding.revision) == ("edited-history", project.path("one"), "one")
    assert "versions/one.sql" in finding.message


def test_another_parent_of_a_frozen_revision_is_a_finding(project: AlembicProject) -> None:
    freeze(project)
    project.write("zero", UPGRADE, down="one")
    edit(project.path("two"), 'down_revision = "one"', 'down_revision = "zero"')
    assert [finding.rule for finding in violations(project)] == ["edited-history"]


def test_changed_comments_docstrings_and_layout_are_not_a_finding(project: AlembicProject) -> None:
    path = project.path("one")
    edit(path, 'op.execute("SELECT 1")', "# it is right, since\n    op.execute(\n        'SELECT 1',\n    )")
    edit(path, "def upgrade():", 'def upgrade():\n    """Do it."""\n')
    path.write_text(f'"""The first revision."""\n\n{path.read_text()}')
    assert violations(project) == []


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


def test_a_removed_frozen_revision_is_a_finding_at_its_lines_in_the_lock_file(project: AlembicProject) -> None:
    edit(project.path("two"), 'down_revision = "one"', "down_revision = None")
    project.path("one").unlink()
    assert [(finding.rule, finding.path, finding.line) for finding in violations(project)] == [
        ("versions-lock", lock_file(project), 2), ("versions-lock", lock_file(project), 3),
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "two", "two abc", f"one {'0' * 64}"])
def test_a_malformed_or_duplicate_line_of_the_lock_file_is_a_finding(project: AlembicProject, line: str) -> None:
    lock_file(project).write_text(f"{lock_file(project).read_text()}{line}\n")
    (finding,) = violations(project)
    assert (finding.rule, finding.path, finding.line) == ("versions-lock", lock_file(project), 4)
