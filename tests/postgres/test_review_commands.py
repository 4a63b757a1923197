"""The commands behind `make plan`, `make lint-sql`, `make freeze` and `make revision`: their output and exit codes."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localaws.postgres.data_cache import DataCache
from review.__main__ import main
from review.record import record
from review.revision_scripts import RevisionScripts
from tests.alembic_projects import AlembicProject

ROOT = Path(__file__).parents[2]
TABLE = "CREATE TABLE t (id int PRIMARY KEY)"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AlembicProject:
    """Return a project in the current folder, whose first revision creates a table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    project = AlembicProject(tmp_path)
    project.add("one", TABLE)
    return project


def test_the_revisions_of_this_project_are_frozen_and_without_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["lint", "--frozen"]) == 0
    assert re.fullmatch(r"\d+ revisions?: no findings", capsys.readouterr().out.splitlines()[-1])


def test_the_first_plan_of_the_example_takes_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    began = time.monotonic()
    assert main(["plan", "--from", "base"]) == 0
    assert time.monotonic() - began < 30  # one second on an idle machine
    assert "CREATE TABLE queries" in capsys.readouterr().out


def test_a_revision_is_frozen_only_if_it_has_no_findings(
    project: AlembicProject, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["freeze"]) == 0
    assert "frozen: one" in capsys.readouterr().out
    lock = Path("scripts/versions.lock").read_text()
    project.add("two", "DROP TABLE t")
    assert main(["freeze"]) == 2
    captured = capsys.readouterr()
    assert "scripts/versions/two.py:11: ban-drop-table" in captured.out
    assert captured.err == "make freeze: no revision was frozen, because there are findings\n"
    assert Path("scripts/versions.lock").read_text() == lock


def test_a_file_that_a_frozen_revision_reads_must_not_change(
    project: AlembicProject, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.versions / "two.sql").write_text("SELECT 1")
    project.write(
        "two",
        """
        from pathlib import Path

        def upgrade():
            op.execute(Path(__file__).with_suffix(".sql").read_text())
        """,
    )
    assert main(["freeze"]) == 0
    (project.versions / "two.sql").write_text("SELECT 2")
    project.ini.write_text(project.ini.read_text().replace("[alembic]", "[alembic]\nstart_after = two"))
    assert main(["lint"]) == 1
    assert "edited-history" in capsys.readouterr().out


def test_revisions_up_to_the_baseline_have_no_findings(
    project: AlembicProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("two", "DROP TABLE t")
    project.add("three", "SELECT 1")
    project.ini.write_text(project.ini.read_text().replace("[alembic]", "[alembic]\nstart_after = two"))
    assert main(["lint", "--format", "github"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 revision: no findings"
    assert main(["freeze"]) == 0
    assert capsys.readouterr().out.splitlines() == ["frozen: one", "frozen: two", "frozen: three"]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("alembic.ini", None, "alembic.ini"),
        ("scripts/versions/one.py", "import", "SyntaxError"),
        ("scripts/versions/one.py", "\nimport nowhere", "(scripts/versions/one.py:2); install it"),
        ("scripts/env.py", "import nowhere", "env.py failed before it ran the revisions"),
        ("scripts/env.py", "pass", "env.py runs no revisions"),
    ],
)
def test_a_project_that_cannot_be_run_is_reported_in_one_line(
    project: AlembicProject, capsys: pytest.CaptureFixture[str], file: str, text: str | None, message: str
) -> None:
    Path(file).unlink() if text is None else Path(file).write_text(text)
    assert main(["lint"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("make lint-sql: ")
    assert message in line


def test_settings_may_be_in_pyproject_toml_and_name_further_roles(project: AlembicProject) -> None:
    project.add("two", "GRANT SELECT ON t TO shop")
    settings = '[tool.alembic]\nscript_location = "%(here)s/scripts"\nstart_after = "one"\n'
    project.ini.unlink()
    Path("pyproject.toml").write_text(f'{settings}roles = "shop"\n')
    assert main(["lint"]) == 0


def test_a_revision_before_the_start_that_cannot_run_is_an_error(
    project: AlembicProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("two", "DROP TABLE nowhere")
    project.add("three", "SELECT 1")
    assert main(["plan", "--from", "two"]) == 2
    assert "revision two, before the start, cannot run: " in capsys.readouterr().err


def test_an_env_py_that_opens_its_own_connection_is_an_error(
    project: AlembicProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project.env(
        "import sqlalchemy as sa\nfrom alembic import context\n"
        "context.configure(connection=sa.create_engine('sqlite://').connect())\n"
        "with context.begin_transaction():\n    context.run_migrations()\n"
    )
    assert main(["lint"]) == 2
    assert "env.py runs the revisions on a connection of its own" in capsys.readouterr().err


def test_the_output_of_a_revision_is_not_in_the_plan(
    project: AlembicProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("two", body="print('halfway')")
    assert main(["plan", "--from", "base", "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert [revision["revision"] for revision in json.loads(captured.out)["revisions"]] == ["one", "two"]
    assert "halfway" in captured.err


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_a_plan_without_revisions_is_one_line(
    project: AlembicProject, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert main(["plan", "--from", "one", "--format", form]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line and line[0] not in "<#"]
    assert lines == ["From one (as requested) to one: no revisions to apply."]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"table": "t"}]'])
def test_invalid_sizes_of_tables_are_an_error(
    project: AlembicProject, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    Path("tables.json").write_text(text)
    assert main(["plan", "--tables", "tables.json"]) == 2
    assert "TABLES must be a file that `rds-alembic tables --json` has written" in capsys.readouterr().err


def test_a_new_revision_is_judged_alone(tmp_path: Path) -> None:
    project = AlembicProject.copy_example(tmp_path)
    project.add("two", "ALTER TABLE queries RENAME COLUMN query_date TO day")
    project.add("three", "ALTER TABLE queries RENAME COLUMN day TO query_date")
    tables = tmp_path / "migrations/tables.py"
    tables.write_text(tables.read_text() + "\n\nsa.Table('more', metadata, sa.Column('id', sa.BigInteger()))\n")
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "review", "revision", "--message", "add a table"]
    process = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.splitlines()[-1] == "1 revision: no findings"


def test_the_database_before_the_start_is_kept_until_a_revision_changes(
    project: AlembicProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALAWS_POSTGRES", "embedded")  # a container has no cache
    monkeypatch.setattr("review.record.CACHED_SECONDS", 0.0)
    cache = DataCache(tmp_path / "cache", entries=2)
    monkeypatch.setattr("review.database.CACHE", cache)
    monkeypatch.setattr("review.record.CACHE", cache)
    path = project.path("one")
    project.add("two", "ALTER TABLE t ADD a int")
    assert failures_after("one") == [None]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    path.write_text(path.read_text().replace("(id int", "(a int, id int"))
    assert failures_after("one") == ['column "a" of relation "t" already exists']
    assert len(list((tmp_path / "cache").iterdir())) == 2


def failures_after(start: str) -> list[str | None]:
    recordings = record(RevisionScripts.read(Path("alembic.ini")), (start,))
    return [recording.failure.message if recording.failure else None for recording in recordings]
