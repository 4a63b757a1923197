import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_project import AlembicProject
from rds_alembic.revisions.code_digest import code_digest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def make_project(folder: Path) -> Path:
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (folder / "migrations" / "env.py").write_text("raise AssertionError('env.py was run')\n")
    return folder


def add(project: Path, revision: str, *, after: str | Sequence[str] | None = None, body: str = "pass") -> Path:
    script = project / "migrations" / "versions" / f"{revision}.py"
    script.write_text(f"revision = {revision!r}\ndown_revision = {after!r}\n\ndef upgrade():\n    {body}\n")
    return script


def refusal(project: Path) -> str:
    with pytest.raises(RdsAlembicError) as refused:
        AlembicProject.read(project)
    return str(refused.value)


def test_revisions_are_listed_from_base_to_head_without_running_env(project: Path) -> None:
    add(project, "c", after="b")
    add(project, "a")
    add(project, "b", after="a")
    assert AlembicProject.read(project).revisions == ("a", "b", "c")


def test_both_sides_of_a_merge_come_before_it(project: Path) -> None:
    add(project, "a")
    add(project, "b", after="a")
    add(project, "c", after="a")
    add(project, "d", after=("b", "c"))
    first, *sides, last = AlembicProject.read(project).revisions
    assert (first, sorted(sides), last) == ("a", ["b", "c"], "d")


def test_the_manifest_lists_each_revision_with_its_parents_and_a_digest_of_its_code(project: Path) -> None:
    add(project, "a")
    add(project, "b", after="a")
    add(project, "c", after="a")
    script = add(project, "d", after=("b", "c"))
    entries = json.loads(AlembicProject.read(project).manifest())
    parents = {entry["revision"]: entry["parents"] for entry in entries}
    assert next(iter(parents)) == "a"
    assert parents == {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    assert entries[-1]["digest"] == code_digest(script.read_text())


@pytest.mark.parametrize("depends_on", ["other", "base1"], ids=["branch label", "id"])
def test_a_dependency_is_a_parent_under_its_id(project: Path, depends_on: str) -> None:
    add(project, "base1").write_text("revision = 'base1'\ndown_revision = None\nbranch_labels = 'other'\n")
    script = add(project, "a")
    script.write_text(f"{script.read_text()}\ndepends_on = {depends_on!r}\n")
    add(project, "merge", after=("a", "base1"))
    parents = {file.revision: file.parents for file in AlembicProject.read(project).revision_files}
    assert parents["a"] == ("base1",)


def test_comments_and_layout_do_not_change_the_digest_of_a_revision(project: Path) -> None:
    script = add(project, "a")
    (before,) = AlembicProject.read(project).revision_files
    script.write_text(f"# a comment\n{script.read_text()}\n\n")
    assert AlembicProject.read(project).revision_files == (before,)
    script.write_text(f"{script.read_text()}\nx = 1\n")
    assert AlembicProject.read(project).revision_files != (before,)


def test_several_heads_are_refused_by_name(project: Path) -> None:
    add(project, "a")
    add(project, "b", after="a")
    add(project, "c", after="a")
    assert "2 heads" in refusal(project)
    assert "b, c; allowed is one" in refusal(project)


def test_an_empty_history_is_refused(project: Path) -> None:
    assert "no revisions in" in refusal(project)


def test_a_folder_without_alembic_ini_is_refused(tmp_path: Path) -> None:
    assert "no alembic.ini in" in refusal(tmp_path)


def test_an_alembic_ini_that_is_none_is_refused(project: Path) -> None:
    (project / "alembic.ini").write_text("script_location = migrations\n")
    assert "alembic.ini cannot be read: File contains no section headers" in refusal(project)


def test_a_script_with_a_syntax_error_is_refused_by_name(project: Path) -> None:
    add(project, "a", body="broken(")
    assert "SyntaxError" in refusal(project)
    assert "a.py" in refusal(project)


def test_a_script_that_imports_what_is_not_there_is_refused(project: Path) -> None:
    script = add(project, "a")
    script.write_text("import no_such_module\n" + script.read_text())
    assert "ModuleNotFoundError: No module named 'no_such_module'" in refusal(project)


def test_a_revision_whose_parent_is_missing_is_refused(project: Path) -> None:
    add(project, "b", after="a")
    assert "Revision a" in refusal(project)


def test_a_revision_that_exists_twice_is_refused(project: Path) -> None:
    script = add(project, "a")
    script.with_name("copy.py").write_text(script.read_text())
    assert "Revision a is present more than once" in refusal(project)


def test_revisions_in_a_circle_are_refused(project: Path) -> None:
    add(project, "a", after="b")
    add(project, "b", after="a")
    assert "Cycle is detected" in refusal(project)


def test_scripts_outside_of_the_project_are_refused(project: Path) -> None:
    make_project(project.parent / "other")
    (project / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/../other/migrations\n")
    assert "allowed is a folder below the one that has alembic.ini" in refusal(project)


def test_a_missing_script_location_is_refused(project: Path) -> None:
    (project / "alembic.ini").write_text("[alembic]\n")
    assert "alembic.ini has no script_location" in refusal(project)


def test_revisions_that_would_not_be_in_the_zip_are_refused(project: Path) -> None:
    add(project, "a")
    elsewhere = project / "elsewhere"
    (project / "migrations" / "versions").rename(elsewhere)
    with (project / "alembic.ini").open("a") as ini:
        ini.write(f"version_locations = {elsewhere}\npath_separator = os\n")
    assert "which alone is in the zip" in refusal(project)


def test_a_relative_script_location_counts_from_alembic_ini(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(project, "a")
    (project / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    monkeypatch.chdir(project.parent)
    assert AlembicProject.read(project).revisions == ("a",)


def test_the_digest_depends_on_the_scripts_and_not_on_where_they_are(tmp_path: Path) -> None:
    projects = [make_project(tmp_path / name) for name in ("here", "over there")]
    for project in projects:
        add(project, "a")
    here, there = (AlembicProject.read(project).digest for project in projects)
    assert here == there
    assert len(here) == 64


@pytest.mark.parametrize("changed", ["alembic.ini", "migrations/env.py", "migrations/versions/a.py"])
def test_a_change_of_any_of_its_files_changes_the_digest(project: Path, changed: str) -> None:
    add(project, "a")
    before = AlembicProject.read(project).digest
    with (project / changed).open("a") as file:
        file.write("\n# changed\n")
    assert AlembicProject.read(project).digest != before


def test_byte_code_and_other_files_do_not_change_the_digest(project: Path) -> None:
    add(project, "a")
    before = AlembicProject.read(project).digest
    cache = project / "migrations" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "env.py").touch()
    (project / "migrations" / "README").touch()
    assert AlembicProject.read(project).digest == before
