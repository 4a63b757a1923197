"""Version tables of other names and in other schemas, and version tables of other projects."""

from pathlib import Path

import pytest

from migrator.decision import Decision
from migrator.errors import HistoryError
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade

NAMED = "version_table='my_versions'"
IN_A_SCHEMA = "version_table_schema='elsewhere'"
MAKE_SCHEMA = """\
from sqlalchemy import text
connection.execute(text('CREATE SCHEMA IF NOT EXISTS elsewhere'))
connection.commit()
"""
elsewhere = pytest.mark.parametrize(
    ("options", "table"),
    [
        (NAMED, "my_versions"),
        (IN_A_SCHEMA, "elsewhere.alembic_version"),
        (f"{NAMED}, {IN_A_SCHEMA}", "elsewhere.my_versions"),
    ],
    ids=["another name", "another schema", "both"],
)


@elsewhere
def test_a_version_table_of_another_name_or_schema_is_upgraded_and_read_again(
    run: Upgrade, project: Project, bootstrapped: Cluster, options: str, table: str
) -> None:
    project.configure(options, before=MAKE_SCHEMA)
    assert run(project).applied == ("r1",)
    assert (run(project).decision, run(project).applied) == (Decision.NOTHING, ())
    project.add("r2", "ALTER TABLE t ADD name text")
    assert run(project).applied == ("r2",)
    assert bootstrapped.admin(f"SELECT version_num FROM {table}") == [("r2",)]
    assert bootstrapped.admin("SELECT to_regclass('public.alembic_version')") == [(None,)]


@elsewhere
def test_older_code_is_recognised_with_a_version_table_of_another_name_or_schema(
    run: Upgrade, tmp_path: Path, project: Project, options: str, table: str
) -> None:
    newer = Project(tmp_path / "newer")
    newer.add("r1", "CREATE TABLE t (id int)")
    newer.add("r2", "ALTER TABLE t ADD name text")
    for each in (project, newer):
        each.configure(options, before=MAKE_SCHEMA)
    run(newer)
    with pytest.raises(HistoryError, match="allow-ahead=r2"):
        run(project, old=("r1", "r2"))
    outcome = run(project, old=("r1", "r2"), allow_ahead=["r2"])
    assert (outcome.decision, outcome.heads, outcome.ahead) == (Decision.STAY_AHEAD, frozenset({"r2"}), ("r2",))
    newer.add("r3", "ALTER TABLE t ADD more text")
    assert run(newer, old=("r1",)).applied == ("r3",)


@elsewhere
def test_an_unknown_revision_in_a_version_table_of_another_name_or_schema_is_rejected(
    run: Upgrade, project: Project, bootstrapped: Cluster, options: str, table: str
) -> None:
    project.configure(options, before=MAKE_SCHEMA)
    run(project)
    bootstrapped.admin(f"UPDATE {table} SET version_num = 'stranger'")
    with pytest.raises(HistoryError, match="at revision stranger"):
        run(project)


FOREIGN_VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('foreign')"
)


@pytest.mark.parametrize(
    "foreign",
    [
        f"{FOREIGN_VERSION_TABLE}; GRANT SELECT ON alembic_version TO app_owner",
        FOREIGN_VERSION_TABLE,
        "CREATE TABLE alembic_version (something int); GRANT SELECT ON alembic_version TO app_owner",
    ],
    ids=["of another application", "that may not be read", "of another form"],
)
def test_a_version_table_of_another_project_is_not_used(
    run: Upgrade, project: Project, bootstrapped: Cluster, foreign: str
) -> None:
    bootstrapped.admin(foreign)
    project.configure(NAMED)
    assert run(project).applied == ("r1",)
    assert run(project).decision is Decision.NOTHING
