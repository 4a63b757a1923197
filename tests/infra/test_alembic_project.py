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
    entries = json.loads(AlembicProject.read(project).manifest())["revisions"]
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
    assert "project must be a folder with an alembic.ini or a pyproject.toml with [tool.alembic]" in error(tmp_path)


def test_an_invalid_alembic_ini_is_rejected(project: Path) -> None:
    (project / "alembic.ini").write_text("script_location = migrations\n")
    assert f"cannot read {project / 'alembic.ini'}: File contains no section headers" in error(project)


def test_a_script_with_a_syntax_error_is_rejected_with_its_name(project: Path) -> None:
    add(project, "a", body="broken(")
    assert "SyntaxError" in error(project)
    assert "a.py" in error(project)


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


@pytest.mark.parametrize("file", ["README", "script.py.mako", "versions.lock", "__pycache__/env.py", ".cache/a.sql"])
def test_files_that_no_upgrade_reads_are_neither_in_the_digest_nor_in_the_zip(project: Path, file: str) -> None:
    add(project, "a")
    alembic_project = AlembicProject.read(project)
    before = (alembic_project.migrations_digest, alembic_project.files())
    (project / "migrations" / file).parent.mkdir(exist_ok=True)
    (project / "migrations" / file).touch()
    after = AlembicProject.read(project)
    assert (after.migrations_digest, after.files()) == before


def test_a_file_that_a_revision_reads_is_in_the_digest_and_in_the_zip(project: Path) -> None:
    add(project, "a")
    sql = project / "migrations" / "sql" / "a.sql"
    sql.parent.mkdir()
    sql.write_text("SELECT 1")
    assert AlembicProject.read(project).files()["project/migrations/sql/a.sql"] == sql
    before = AlembicProject.read(project).migrations_digest
    sql.write_text("SELECT 2")
    assert AlembicProject.read(project).migrations_digest != before


def test_a_revision_is_not_imported(project: Path) -> None:
    script = add(project, "a")
    script.write_text("import no_such_module\n" + script.read_text())
    assert AlembicProject.read(project).revisions == ("a",)


def test_a_revision_that_computes_its_parent_is_run(project: Path) -> None:
    add(project, "a")
    add(project, "b").write_text("revision = 'b'\ndown_revision = ''.join(['a'])\n")
    assert AlembicProject.read(project).revisions == ("a", "b")
    add(project, "c").write_text("revision = 'c'\ndown_revision = undefined\n")
    assert "c.py: NameError: name 'undefined' is not defined" in error(project)


def test_a_file_without_a_revision_is_rejected(project: Path) -> None:
    add(project, "a").with_name("helpers.py").write_text("x = 1\n")
    assert "helpers.py must assign `revision`" in error(project)


# The layouts that Alembic supports


@pytest.mark.parametrize(
    ("location", "scripts"),
    [
        ("migrations", "backend/migrations"),
        ("%(here)s/db/alembic", "backend/db/alembic"),
        (".", "backend"),
        ("../alembic", "alembic"),
        ("backend/store/migrations", "backend/store/migrations"),
        ("shop.db:migrations", "backend/shop/db/migrations"),
        ("shop.db:migrations", "backend/src/shop/db/migrations"),
        (None, "backend"),
    ],
    ids=str,
)
def test_the_folder_of_the_migrations_may_be_anywhere_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str | None, scripts: str
) -> None:
    (tmp_path / ".git").mkdir()
    folder, migrations = tmp_path / "backend", tmp_path / scripts
    folder.mkdir()
    (migrations / "versions").mkdir(parents=True)
    (migrations / "env.py").touch()
    (migrations / "versions" / "a.py").write_text("revision = 'a'\ndown_revision = None\n")
    option = f"script_location = {location}\n" if location else ""
    (folder / "alembic.ini").write_text(f"[alembic]\n{option}")
    monkeypatch.chdir("/")
    project = AlembicProject.read(folder)
    assert project.revisions == ("a",)
    manifest = json.loads(project.manifest())
    files = project.files()
    for name in ("env.py", "versions/a.py"):
        (path,) = [zip_path for zip_path, path in files.items() if path == migrations / name]
        assert path == f"project/{manifest['script_location']}/{name}".replace("/./", "/")
    assert set(project.entry_points()) <= set(files)


def test_version_locations_may_be_outside_of_the_folder_of_env(project: Path) -> None:
    add(project, "a")
    elsewhere = project.parent / "history"
    (project / "migrations" / "versions").rename(elsewhere)
    with (project / "alembic.ini").open("a") as ini:
        ini.write(f"version_locations = {elsewhere}\npath_separator = os\n")
    alembic_project = AlembicProject.read(project)
    assert alembic_project.files()["project/history/a.py"] == elsewhere / "a.py"
    assert json.loads(alembic_project.manifest())["version_locations"] == ["history"]


def test_revisions_may_be_in_folders_below_the_version_location(project: Path) -> None:
    add(project, "a")
    below = project / "migrations" / "versions" / "2026"
    below.mkdir()
    (below / "b.py").write_text("revision = 'b'\ndown_revision = 'a'\n")
    assert AlembicProject.read(project).revisions == ("a",)
    with (project / "alembic.ini").open("a") as ini:
        ini.write("recursive_version_locations = true\n")
    assert AlembicProject.read(project).revisions == ("a", "b")


def test_folders_of_prepend_sys_path_that_are_not_in_the_zip_are_left_out(project: Path) -> None:
    add(project, "a")
    with (project / "alembic.ini").open("a") as ini:
        ini.write("prepend_sys_path = .:migrations:..\npath_separator = :\n")
    alembic_project = AlembicProject.read(project)
    assert json.loads(alembic_project.manifest())["sys_path"] == [".", "migrations"]
    assert alembic_project.search_path() == ["", "project", "project/migrations"]


@pytest.mark.parametrize("ini", [True, False], ids=["with alembic.ini", "without alembic.ini"])
def test_the_settings_may_be_in_pyproject_toml(project: Path, ini: bool) -> None:
    add(project, "a")
    (project / "alembic.ini").write_text("[post_write_hooks]\n")
    if not ini:
        (project / "alembic.ini").unlink()
    (project / "pyproject.toml").write_text('[tool.alembic]\nscript_location = "%(here)s/migrations"\n')
    files = AlembicProject.read(project).files()
    assert ("project/alembic.ini" in files) == ini
    assert "project/pyproject.toml" in files


def test_a_pyproject_toml_without_settings_of_alembic_is_not_in_the_zip(project: Path) -> None:
    add(project, "a")
    (project / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    assert "project/pyproject.toml" not in AlembicProject.read(project).files()


@pytest.mark.parametrize("value", ["nowhere", "no.package:migrations", "versions"])
def test_a_script_location_that_does_not_exist_is_rejected_with_its_value(project: Path, value: str) -> None:
    (project / "alembic.ini").write_text(f"[alembic]\nscript_location = {value}\n")
    assert "script_location must be an existing folder (got" in error(project)


def test_a_folder_without_env_is_rejected(project: Path) -> None:
    (project / "migrations" / "env.py").unlink()
    assert "script_location must be a folder with an env.py (got" in error(project)


def test_a_missing_script_location_is_rejected(project: Path) -> None:
    (project / "alembic.ini").write_text("[alembic]\n")
    assert "script_location must be the folder of env.py (got None in" in error(project)


def test_the_template_for_several_databases_is_rejected(project: Path) -> None:
    (project / "alembic.ini").write_text("[alembic]\nscript_location = migrations\ndatabases = engine1, engine2\n")
    assert "alembic.ini must not have `databases` (got 'engine1, engine2'): create one Alembic project" in error(
        project
    )


# Included code


@pytest.mark.parametrize("origin", ["app", "src/shop", "tables.py"])
def test_included_code_has_its_own_name_in_the_zip(project: Path, origin: str) -> None:
    add(project, "a")
    path = project.parent / origin
    module = path if path.suffix else path / "models.py"
    module.parent.mkdir(parents=True, exist_ok=True)
    module.touch()
    files = AlembicProject.read(project, include=[path]).files()
    assert files[f"project/{module.relative_to(path.parent)}"] == module


@pytest.mark.parametrize("origin", ["nowhere", "not-a-package", "data.csv"])
def test_include_accepts_existing_python_code_only(project: Path, origin: str) -> None:
    add(project, "a")
    if origin != "nowhere":
        (project.parent / origin).touch()
    with pytest.raises(RdsAlembicError, match=f"^include must .*{origin}"):
        AlembicProject.read(project, include=[project.parent / origin])


def test_two_files_of_the_same_name_are_rejected(project: Path) -> None:
    add(project, "a")
    other = project.parent / "other" / "migrations"
    other.mkdir(parents=True)
    (other / "env.py").touch()
    with pytest.raises(RdsAlembicError, match=r"must not have two files for the path project/migrations/env\.py"):
        AlembicProject.read(project, include=[other]).files()
