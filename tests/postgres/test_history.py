"""The table of what was applied: there for people, and never in the way."""

from functools import partial
from pathlib import Path

import pytest

from migrator.errors import UpgradeError
from migrator.upgrade import upgrade
from migrator.upgrade_context import Outcome, UpgradeContext
from rds_iam.deadline import Deadline
from tests.postgres.projects import STACK_ID, Project
from tests.postgres.servers import Cluster

HISTORY = (
    "SELECT revision, login, stack_id, request_id, invocation, seconds >= 0 FROM alembic_history.revisions ORDER BY id"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    project.add("r1", "CREATE TABLE t (id int)")
    return project


def run(cluster: Cluster, project: Project, request_id: str = "request 1", invocation: str = "one") -> Outcome:
    request = project.request(request_id=request_id)
    connect = partial(cluster.connect_with_token, "migrator")
    return upgrade(UpgradeContext(request, project.folder, connect, Deadline.after(60), invocation))


def test_each_revision_leaves_a_row(project: Project, bootstrapped: Cluster) -> None:
    run(bootstrapped, project)
    project.add("r2", "ALTER TABLE t ADD name text")
    run(bootstrapped, project, "request 2", "two")
    assert bootstrapped.admin(HISTORY) == [
        ("r1", "migrator", STACK_ID, "request 1", "one", True),
        ("r2", "migrator", STACK_ID, "request 2", "two", True),
    ]
    owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'alembic_history'"
    assert bootstrapped.admin(owner) == [("app_owner",)]


def test_a_failed_revision_leaves_none(project: Project, bootstrapped: Cluster) -> None:
    project.add("r2", "ALTER TABLE nowhere ADD x int")
    with pytest.raises(UpgradeError):
        run(bootstrapped, project)
    assert [row[0] for row in bootstrapped.admin(HISTORY)] == ["r1"]


def test_a_history_that_cannot_be_created_does_not_stop_an_upgrade(project: Project, bootstrapped: Cluster) -> None:
    bootstrapped.admin("REVOKE CREATE ON DATABASE app FROM app_owner")
    outcome = run(bootstrapped, project)
    assert outcome.applied == ("r1",)
    assert outcome.totals is None


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE alembic_history.revisions; CREATE VIEW alembic_history.revisions AS SELECT 1 AS x",
        "ALTER TABLE alembic_history.revisions ADD CHECK (revision <> 'r2')",
        "REVOKE ALL ON SCHEMA alembic_history FROM app_owner; ALTER SCHEMA alembic_history OWNER TO rdsadmin",
    ],
)
def test_a_damaged_history_does_not_stop_an_upgrade(project: Project, bootstrapped: Cluster, damage: str) -> None:
    run(bootstrapped, project)
    bootstrapped.admin(damage)
    project.add("r2", "ALTER TABLE t ADD name text")
    assert run(bootstrapped, project).applied == ("r2",)
    assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [("r2",)]
