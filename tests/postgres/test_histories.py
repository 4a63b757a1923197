"""Histories of many kinds: branches, dependencies, and many revisions."""

from pathlib import Path

import pytest

from migrator.decision import Decision
from migrator.events import UpgradeRequest
from rds_alembic.revisions.alembic_project import MANIFEST, AlembicProject
from tests.alembic_projects import INI
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, as_migrator, columns, recorded, refusal, run_upgrade

MANY = 200
# A further revision does not start with less than 30 s left.
HALF_A_SECOND_OF_REVISIONS = 30.5


def test_hundreds_of_revisions_are_applied_once_each_over_several_invocations(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    for number in range(2, MANY + 1):
        project.add(f"r{number}", f"INSERT INTO t VALUES ({number})")
    outcomes = [run(project, seconds=HALF_A_SECOND_OF_REVISIONS)]
    while not outcomes[-1].complete:
        outcomes.append(run(project, seconds=HALF_A_SECOND_OF_REVISIONS))
    assert len(outcomes) > 1
    assert [revision for outcome in outcomes for revision in outcome.applied] == project.revisions
    assert recorded(bootstrapped) == project.revisions
    assert bootstrapped.admin("SELECT count(*), count(DISTINCT id) FROM t") == [(MANY - 1, MANY - 1)]


def test_every_revision_id_that_synth_allows_is_recorded(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    for revision in ("é" * 32, "a b", "100%", "%(x)s", 'a"b', "a\\b", "a..b", "a,b", "HEAD", "0", "None"):
        project.add(revision, "SELECT 1")
        assert run(project).applied[-1:] == (revision,)
        assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [(revision,)]
    assert recorded(bootstrapped) == project.revisions
    assert AlembicProject.read(project.folder).revisions == tuple(project.revisions)


def test_env_runs_about_once_for_each_revision(run: Upgrade, project: Project, tmp_path: Path) -> None:
    log = tmp_path / "runs"
    project.configure(before=f"with open({str(log)!r}, 'a') as log:\n    log.write('run\\n')")
    for number in range(2, 21):
        project.add(f"r{number}", f"INSERT INTO t VALUES ({number})")
    run(project)
    assert len(log.read_text().splitlines()) <= 20 + 2  # and once before and after them


def test_labelled_branches_are_merged_many_revisions_after_their_start(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("e1", "ALTER TABLE t ADD e1 int", down="r1", label="expand")
    project.add("e2", "ALTER TABLE t ADD e2 int", down="e1")
    project.add("c1", "ALTER TABLE t ADD c1 int", down="r1", label="contract", depends_on="e2")
    project.add("c2", "ALTER TABLE t ADD c2 int", down="c1", depends_on="expand")
    project.add("merged", down=("e2", "c2"))
    project.add("after", "ALTER TABLE t ADD after int")
    assert run(project).applied == ("r1", "e1", "e2", "c1", "c2", "merged", "after")
    assert set(columns(bootstrapped)) >= {"e1", "e2", "c1", "c2", "after"}
    assert run(project).decision is Decision.NOTHING


def test_a_history_with_two_bases_is_applied_in_the_order_of_their_dependency(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("other1", "ALTER TABLE t ADD other1 int", down=(), depends_on="r1", label="other")
    project.add("r2", "ALTER TABLE t DROP other1", down="r1", depends_on="other1")
    project.add("other2", "ALTER TABLE t ADD other1 text", down="other1", depends_on="r2")
    project.add("merged", down=("r2", "other2"))
    assert run(project).applied == ("r1", "other1", "r2", "other2", "merged")
    assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [("merged",)]


def test_an_upgrade_continues_between_the_branches_at_which_it_stopped(run: Upgrade, project: Project) -> None:
    project.add("a1", "ALTER TABLE t ADD a1 int", down="r1", label="a")
    project.add("b1", "ALTER TABLE t ADD b1 int", down="r1", label="b")
    project.add("b2", "ALTER TABLE t ADD b2 int", down="b1", depends_on="a1")
    project.add("merged", down=("a1", "b2"))
    outcomes = [run(project, seconds=10) for _ in project.revisions]  # time for one each
    assert [outcome.complete for outcome in outcomes] == [False, False, False, False, True]
    assert sorted(revision for outcome in outcomes for revision in outcome.applied) == sorted(project.revisions)


def test_several_heads_in_the_zip_are_rejected_before_a_revision_is_applied(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("a", "ALTER TABLE t ADD a int", down="r1")
    project.add("b", "ALTER TABLE t ADD b int", down="r1")
    assert refusal(run, project) == (
        "the function's zip must have one head (got 2: a, b): merge them with alembic merge"
    )
    assert bootstrapped.admin("SELECT to_regclass('t')") == [(None,)]


def test_a_revision_that_imports_a_package_outside_of_the_zip_is_rejected_before_a_revision_is_applied(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2")
    script = project.folder / "scripts/versions/r2.py"
    script.write_text("import application_of_mine\n" + script.read_text())
    assert refusal(run, project) == (
        "the revision files in the function's zip cannot be read: r2.py line 1:"
        " ModuleNotFoundError: No module named 'application_of_mine'"
    )
    assert bootstrapped.admin("SELECT to_regclass('t')") == [(None,)]


RELATIVE_FOLDERS = """\
[alembic]
script_location = scripts
version_locations = scripts/one{separator}scripts/two
path_separator = {name}
recursive_version_locations = true
prepend_sys_path = .

"""


@pytest.mark.parametrize(("name", "separator"), [("os", ":"), ("space", " "), ("newline", "\n  ")])
def test_relative_folders_are_read_relative_to_alembic_ini(
    bootstrapped: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch, name: str, separator: str
) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    folders = RELATIVE_FOLDERS.format(name=name, separator=separator)
    project.ini.write_text(folders + INI[INI.index("[loggers]") :])
    scripts = project.folder / "scripts"
    for revision, folder in (("r1", "one"), ("r2", "two/below")):
        (scripts / folder).mkdir(parents=True)
        (scripts / f"versions/{revision}.py").rename(scripts / folder / f"{revision}.py")
    history = AlembicProject.read(project.folder)
    assert history.revisions == ("r1", "r2")
    (project.folder / MANIFEST).write_text(history.manifest())
    monkeypatch.chdir(project.folder)  # where a function runs
    request = UpgradeRequest(history.migrations_digest, history.revisions)
    assert run_upgrade(as_migrator(bootstrapped), project.folder, request).applied == ("r1", "r2")


# Statements of revisions on their connection, as in public projects


@pytest.mark.parametrize(
    "leave",
    [
        "op.execute('COMMIT')",
        "op.get_bind().commit()",
    ],
)
@pytest.mark.parametrize("per_migration", [False, True])
def test_a_revision_may_commit_by_itself_to_leave_the_transaction(
    run: Upgrade, project: Project, bootstrapped: Cluster, leave: str, per_migration: bool
) -> None:
    project.configure(f"transaction_per_migration={per_migration}")
    index = "op.execute('CREATE INDEX CONCURRENTLY i ON t (id)')"
    if "'COMMIT'" not in leave:
        index = f"with op.get_context().autocommit_block(): {index}"
    project.add("r2", body=f"op.execute('INSERT INTO t VALUES (2)')\n{leave}\n{index}")
    project.add("r3", "INSERT INTO t VALUES (3)")
    assert run(project).applied == ("r1", "r2", "r3")
    assert run(project).decision is Decision.NOTHING
    assert bootstrapped.admin("SELECT id FROM t ORDER BY id") == [(2,), (3,)]
    assert recorded(bootstrapped) == ["r1", "r2", "r3"]


def test_a_revision_may_read_a_table_through_a_cursor_on_the_server(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "INSERT INTO t SELECT generate_series(1, 10)")
    read = "op.get_bind().execute(sa.text('SELECT id FROM t'), execution_options={'yield_per': 3})"
    project.add("r3", body=f"for (id_,) in {read}.all():\n    op.execute(f'INSERT INTO t VALUES ({{id_ + 10}})')")
    run(project)
    assert bootstrapped.admin("SELECT count(*), max(id) FROM t") == [(20, 20)]


def test_an_enum_type_of_several_revisions_is_created_by_the_first(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    for number in (2, 3):
        column = "sa.Column('state', sa.Enum('on', 'off', name='state'))"
        project.add(f"r{number}", body=f"op.create_table('t{number}', {column})")
    assert run(project).applied == ("r1", "r2", "r3")
    assert columns(bootstrapped, "t3") == ["state"]
