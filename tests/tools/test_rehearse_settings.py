"""The settings of a rehearsal, and its output, without a database."""

import json
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from localaws.rehearsal import LogEntry
from localaws.rehearsal.function_log import LogReader
from rds_alembic.cli import main
from rds_alembic.cli.context import Settings
from rds_alembic.cli.rehearsal_report import RehearsalReport
from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_project import AlembicProject
from tests import alembic_projects


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> alembic_projects.AlembicProject:
    """Return a project with two branches and a merge, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project = alembic_projects.AlembicProject(tmp_path)
    project.add("a1")
    project.add("left2", down="a1")
    project.add("right2", down="a1")
    project.add("merge3", down=("left2", "right2"))
    return project


def test_the_first_value_of_a_setting_counts_in_the_order_of_the_cdk(
    project: alembic_projects.AlembicProject,
) -> None:
    def write(file: str, values: dict[str, object]) -> None:
        path = project.folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(values))

    write("cdk.json", {"app": "x", "context": {"a": "cdk.json", "b": "cdk.json", "n": 3}})
    write("cdk.context.json", {"a": "lookups", "b": "lookups", "c": "lookups"})
    write("home/.cdk.json", {"context": {"c": "home", "d": "home"}})
    settings = Settings(
        project.folder, ["a=-c=1"], {"PRIVATE_DATABASE_D": "variable", "PRIVATE_DATABASE_E_F": "variable"}
    )
    assert [settings.get(key) for key in ("a", "b", "c", "d", "e-f", "n", "x")] == [
        *("-c=1", "cdk.json", "lookups", "home", "variable", "3", "")
    ]


def test_a_malformed_cdk_json_is_rejected(project: alembic_projects.AlembicProject) -> None:
    (project.folder / "cdk.json").write_text("{")
    with pytest.raises(RdsAlembicError, match=r"cdk\.json must be a JSON file"):
        Settings(project.folder, [], {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-c", "include"], "-c must be KEY=VALUE (got 'include')"),
        (["--env", "=1"], "--env must be NAME=VALUE (got '=1')"),
        (["-c", "lock-timeout=0"], "lock-timeout must be a number of seconds above 0, up to 300 (got '0')"),
        (["-c", "alembic-project=nowhere"], "project must be a folder with an alembic.ini or"),
        (["-c", "include=nowhere"], "include must be existing folders or modules of Python code (got 'nowhere')"),
        (["-c", "requirements=none.txt"], "requirements must be a file of locked requirements (got 'none.txt')"),
        (
            ["--from", "b1"],
            "the first revision must be one of `alembic history` (got 'b1': the project does not have it)",
        ),
        (
            ["--from", "e1"],
            "the first revision must be one of `alembic history` (got 'e1': the project does not have it)",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_and_nothing_starts(
    project: alembic_projects.AlembicProject, options: list[str], message: str
) -> None:
    result = CliRunner().invoke(main, ["rehearse", *options])
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_module_is_the_line_of_synth_and_nothing_starts(project: alembic_projects.AlembicProject) -> None:
    (project.folder / "src" / "shop").mkdir(parents=True)
    project.configure(before="import shop")
    result = CliRunner().invoke(main, ["rehearse"])
    assert (result.exit_code, result.stdout) == (1, "")
    line = "module shop must be in the function's zip (imported in scripts/env.py line 8): add src/shop to include"
    assert result.stderr == f"Error: {line}\n"


@pytest.mark.parametrize(
    ("start", "revisions"),
    [("a1", {"a1"}), ("left", {"a1", "left2"}), ("merge3", {"a1", "left2", "right2", "merge3"})],
)
def test_a_project_up_to_a_revision_has_only_the_files_of_the_revisions_before(
    project: alembic_projects.AlembicProject, start: str, revisions: set[str]
) -> None:
    earlier = AlembicProject.read(project.folder).up_to(start)
    assert set(earlier.revisions) == revisions
    assert {Path(name).stem for name in earlier.files() if "/versions/" in name} == revisions
    assert {revision["revision"] for revision in json.loads(earlier.manifest())["revisions"]} == revisions


def test_the_beginning_of_several_revisions_is_rejected(project: alembic_projects.AlembicProject) -> None:
    project.add("merge4")
    with pytest.raises(RdsAlembicError, match=r"got 'merge': 2 revisions begin with it"):
        AlembicProject.read(project.folder).up_to("merge")


@pytest.mark.parametrize("value", ["shop, reports", "shop reports", "shop\n  reports"])
def test_the_users_of_a_project_are_read_from_its_settings(
    project: alembic_projects.AlembicProject, value: str
) -> None:
    project.ini.write_text(project.ini.read_text().replace("[alembic]", f"[alembic]\ndatabase_users = {value}", 1))
    assert AlembicProject.read(project.folder).settings.database_users == ("shop", "reports")


def entries(*lines: str) -> list[LogEntry]:
    return list(LogReader().entries("".join(f"{line}\n" for line in lines)))


LINES = (
    "INFO  [alembic.runtime.migration] Running upgrade  -> a1",
    '{"level": "INFO", "message": "revision started", "revision": "a1"}',
    '{"level": "INFO", "message": "revision finished", "revision": "a1", "seconds": 1.234}',
    '{"level": "WARNING", "message": "a table is in use", "revision": "left2", "service": "migrator"}',
    '{"level": "INFO", "message": "revision started", "revision": "left2"}',
)


def show_failure(report: RehearsalReport, project: AlembicProject) -> None:
    """Show a rehearsal whose second revision fails."""
    with report:
        report.begin(project, version=17, start="")
        for entry in entries(*LINES):
            report.revision_or_log(entry)
        raise RdsAlembicError("left2 failed")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_report_has_a_table_on_a_terminal_and_plain_lines_elsewhere(
    project: alembic_projects.AlembicProject, is_terminal: bool
) -> None:
    output = StringIO()
    console = Console(file=output, force_terminal=is_terminal, width=80, soft_wrap=True, highlight=False)
    with pytest.raises(RdsAlembicError):
        show_failure(RehearsalReport(console=console), AlembicProject.read(project.folder))
    text = output.getvalue()
    assert ("\x1b[" in text) == is_terminal
    assert "PostgreSQL 17, from base to merge3" in text
    assert "warning: a table is in use; revision: left2" in text
    if is_terminal:
        assert "┏" in text
        assert "│ left2    │  failed │" in text
    else:
        assert "a1  1.23 s\n" in text
        assert "left2  failed\n" in text
    assert "Running upgrade" not in text


def test_an_incomplete_line_of_a_log_waits_for_its_end() -> None:
    reader = LogReader()
    assert list(reader.entries('{"message": ')) == []
    (entry,) = reader.entries('"one"}\n[1]')
    assert entry.message == "one"
    assert [other.line for other in reader.entries("\n")] == ["[1]"]
