"""The uses of env.py and of its connection that work, and revisions that end the process."""

import sys
from pathlib import Path

import pytest

from migrator.decision import Decision
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns, recorded, refusal


@pytest.mark.parametrize("options", ["", "transaction_per_migration=True"])
def test_an_env_may_leave_the_commit_to_the_owner_of_the_connection(
    run: Upgrade, project: Project, bootstrapped: Cluster, options: str
) -> None:
    project.configure(options, before="connection.exec_driver_sql('SELECT 1')")  # Alembic does not commit after that
    project.add("r2", "ALTER TABLE t ADD name text")
    assert run(project).applied == ("r1", "r2")
    assert recorded(bootstrapped) == ["r1", "r2"]


@pytest.mark.parametrize(
    ("options", "before"),
    [
        ("transaction_per_migration=True", ""),
        ("transactional_ddl=False", ""),
        ("", "connection = connection.execution_options(isolation_level='AUTOCOMMIT')"),
        ("", "connection = connection.engine.connect()"),
        ("", "connection.begin()\nconnection.commit()"),
    ],
    ids=["per migration", "without transactional DDL", "in autocommit", "a second connection", "begun before"],
)
def test_an_env_may_use_the_connection_in_its_own_way(
    run: Upgrade, project: Project, bootstrapped: Cluster, options: str, before: str
) -> None:
    project.configure(options, before=before)
    project.add("r2", "ALTER TABLE t ADD name text")
    project.add("r3", body="with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX i ON t (id)')")
    assert run(project).applied == ("r1", "r2", "r3")
    assert run(project).decision is Decision.NOTHING
    assert recorded(bootstrapped) == ["r1", "r2", "r3"]


def test_an_env_gets_the_attributes_of_the_configuration_anew_for_each_revision(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.configure(
        before="assert set(context.config.attributes) == {'connection'}\ncontext.config.attributes['mark'] = 1"
    )
    project.add("r2", "ALTER TABLE t ADD name text")
    run(project)
    assert recorded(bootstrapped) == ["r1", "r2"]


def test_an_env_may_close_the_connection_of_the_migrator(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    env = project.folder / "scripts/env.py"
    env.write_text(env.read_text() + "connection.close()\n")
    project.add("r2", "ALTER TABLE t ADD name text")
    assert run(project).applied == ("r1", "r2")
    assert recorded(bootstrapped) == ["r1", "r2"]


def test_an_env_may_close_the_connection_of_the_migrator_without_a_transaction(run: Upgrade, project: Project) -> None:
    project.env("""\
from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
try:
    context.run_migrations()
finally:
    connection.close()
""")
    project.add("r2", "ALTER TABLE t ADD name text")
    assert run(project).applied == ("r1", "r2")


def test_an_env_may_pass_arguments_to_the_revisions(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    env = project.folder / "scripts/env.py"
    env.write_text(env.read_text().replace("run_migrations()", "run_migrations(column='handed')"))
    for script in (project.folder / "scripts/versions").glob("*.py"):
        script.write_text(
            script.read_text().replace("upgrade():", "upgrade(column):").replace("(id int)", "(id int, handed int)")
        )
    run(project)
    assert "handed" in columns(bootstrapped)


def test_a_revision_that_cannot_reach_another_server_fails_at_once(run: Upgrade, project: Project) -> None:
    project.add("r2", body="import psycopg2\npsycopg2.connect('host=127.0.0.1 port=1')")
    error = refusal(run, project)
    assert error.startswith("revision r2 failed: no SQLSTATE: ")
    assert "Connection refused" in error


@pytest.mark.parametrize("raised", ["SystemExit('no settings')", "SystemExit(0)"])
def test_a_revision_that_ends_the_process_fails(
    run: Upgrade, project: Project, bootstrapped: Cluster, raised: str
) -> None:
    project.add("r2", body=f"op.execute('ALTER TABLE t ADD z int')\nraise {raised}")
    assert refusal(run, project).startswith("revision r2 failed: SystemExit: ")
    assert columns(bootstrapped) == ["id"]
    assert recorded(bootstrapped) == ["r1"]


@pytest.mark.parametrize(
    ("before", "what"),
    [
        ("", "the revision files in the function's zip cannot be read"),
        ("context.get_head_revision()", "env.py failed before it ran the revisions"),
    ],
    ids=["imported by the migrator", "imported for env.py"],
)
def test_a_revision_that_ends_the_process_at_its_import_is_named_in_the_error(
    run: Upgrade, project: Project, bootstrapped: Cluster, before: str, what: str
) -> None:
    project.configure(before=before)
    project.add("r2")
    script = project.folder / "scripts/versions/r2.py"
    script.write_text("raise SystemExit(0)\n" + script.read_text())
    assert refusal(run, project) == f"{what}: r2.py line 1: SystemExit: 0"
    assert bootstrapped.admin("SELECT to_regclass('t')") == [(None,)]


def test_a_package_of_migrations_may_have_the_name_of_a_library(
    run: Upgrade, tmp_path: Path, bootstrapped: Cluster
) -> None:
    """`alembic init --package alembic` creates such a package."""
    project = Project(tmp_path / "project", "alembic")
    project.ini.write_text(project.ini.read_text().replace("%(here)s/scripts", "alembic\nprepend_sys_path = ."))
    (project.folder / "alembic" / "__init__.py").write_text("raise AssertionError('imported')")
    project.add("r1", "CREATE TABLE t (id int)")
    run(project)
    assert recorded(bootstrapped) == ["r1"]


def test_env_imports_modules_of_the_project_after_those_of_libraries(
    run: Upgrade, project: Project, bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with project.ini.open("a") as ini:
        ini.write("\n[DEFAULT]\nprepend_sys_path = .\n")
    (project.folder / "shop_tables.py").write_text("NAME = 'orders'")
    (project.folder / "wave.py").write_text("raise AssertionError('imported instead of the standard library')")
    project.configure(before="import wave\nimport shop_tables\nassert shop_tables.NAME == 'orders'")
    run(project)
    assert recorded(bootstrapped) == ["r1"]
