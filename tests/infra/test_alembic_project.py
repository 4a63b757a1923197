import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_project import AlembicProject
from rds_alembic.revisions.code_digest import code_digest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return create_project(tmp_path / "project")


def create_project(folder: Path) -> Path:
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (folder / "migrations" / "env.py").write_text("raise AssertionError('env.py was run')\n")
    return folder


def add(project: Path, revision: str, *, after: str | Sequence[str] | None = None, body: str = "pass") -> Path:
    script = project / "migrations" / "versions" / f"{revision}.py"
    script.write_text(f"revision = {revision!r}\ndown_revision = {after!r}\n\ndef upgrade():\n    {body}\n")
    return script


def error(project: Path) -> str:
    with pytest.raises(RdsAlembicError) as raised:
        AlembicProject.read(project)
    return str(raised.value)


def test_revisions_are_in_order_from_base_to_head_and_env_is_not_run(project: Path) -> None:
    add(project, "c", after="b")
    add(project, "a")
    add(project, "b", after="a")
    assert AlembicProject.read(project).revisions == ("a", "b", "c")


def test_both_branches_are_before_their_merge(project: Path) -> None:
    add(project, "a")
    add(project, "b", after="a")
    add(project, "c", after="a")
    add(project, "d", after=("b", "c"))
    first, *branches, last = AlembicProject.read(project).revisions
    assert (first, sorted(branches), last) == ("a", ["b", "c"], "d")


def test_the_manifest_has_each_revision_with_its_parents_and_the_digest_of_its_code(project: Path) -> None:
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
def test_a_dependency_is_a_parent_with_its_id(project: Path, depends_on: str) -> None:
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


def test_several_heads_are_rejected_with_their_ids(project: Path) -> None:
    add(project, "a")
    add(project, "b", after="a")
    add(project, "c", after="a")
    assert "must have one head (got 2: b, c)" in error(project)


def test_a_project_without_revisions_is_rejected(project: Path) -> None:
    assert "must have a revision (got 0)" in error(project)


def test_a_folder_without_alembic_ini_is_rejected(tmp_path: Path) -> None:
    assert "alembic-project must be a folder with an alembic.ini (got" in error(tmp_path)


def test_an_invalid_alembic_ini_is_rejected(project: Path) -> None:
    (project / "alembic.ini").write_text("script_location = migrations\n")
    assert f"cannot read {project / 'alembic.ini'}: File contains no section headers" in error(project)


def test_a_script_with_a_syntax_error_is_rejected_with_its_name(project: Path) -> None:
    add(project, "a", body="broken(")
    assert "SyntaxError" in error(project)
    assert "a.py" in error(project)


def test_a_script_that_imports_a_missing_module_is_rejected(project: Path) -> None:
    script = add(project, "a")
    script.write_text("import no_such_module\n" + script.read_text())
    assert "ModuleNotFoundError: No module named 'no_such_module'" in error(project)


def test_a_revision_without_its_parent_is_rejected(project: Path) -> None:
    add(project, "b", after="a")
    assert "Revision a" in error(project)


def test_a_revision_in_two_files_is_rejected(project: Path) -> None:
    script = add(project, "a")
    script.with_name("copy.py").write_text(script.read_text())
    assert "Revision a is present more than once" in error(project)


def test_revisions_in_a_cycle_are_rejected(project: Path) -> None:
    add(project, "a", after="b")
    add(project, "b", after="a")
    assert "Cycle is detected" in error(project)


def test_a_script_location_outside_of_the_project_is_rejected(project: Path) -> None:
    create_project(project.parent / "other")
    (project / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/../other/migrations\n")
    assert "script_location must be a folder below the one of alembic.ini (got" in error(project)


def test_a_missing_script_location_is_rejected(project: Path) -> None:
    (project / "alembic.ini").write_text("[alembic]\n")
    assert "script_location must be a folder below the one of alembic.ini (got None in" in error(project)


def test_version_locations_that_are_not_in_the_zip_are_rejected(project: Path) -> None:
    add(project, "a")
    outside = project / "outside"
    (project / "migrations" / "versions").rename(outside)
    with (project / "alembic.ini").open("a") as ini:
        ini.write(f"version_locations = {outside}\npath_separator = os\n")
    assert "because the zip has no other folder" in error(project)


def test_a_relative_script_location_is_below_the_folder_of_alembic_ini(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(project, "a")
    (project / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    monkeypatch.chdir(project.parent)
    assert AlembicProject.read(project).revisions == ("a",)


def test_the_digest_depends_on_the_files_and_not_on_the_path_of_the_project(tmp_path: Path) -> None:
    projects = [create_project(tmp_path / name) for name in ("first", "second folder")]
    for project in projects:
        add(project, "a")
    first, second = (AlembicProject.read(project).migrations_digest for project in projects)
    assert first == second
    assert len(first) == 64


@pytest.mark.parametrize("changed", ["alembic.ini", "migrations/env.py", "migrations/versions/a.py"])
def test_a_change_of_a_file_changes_the_digest(project: Path, changed: str) -> None:
    add(project, "a")
    before = AlembicProject.read(project).migrations_digest
    with (project / changed).open("a") as file:
        file.write("\n# changed\n")
    assert AlembicProject.read(project).migrations_digest != before


def test_byte_code_and_other_files_do_not_change_the_digest(project: Path) -> None:
    add(project, "a")
    before = AlembicProject.read(project).migrations_digest
    cache = project / "migrations" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "env.py").touch()
    (project / "migrations" / "README").touch()
    assert AlembicProject.read(project).migrations_digest == before
