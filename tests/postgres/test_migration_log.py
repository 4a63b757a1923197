"""The migration log in the database: a row for each revision. An upgrade does not depend on the log."""

import pytest

from migrator.errors import UpgradeError
from tests.postgres.projects import STACK_ID, Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade

HISTORY = (
    "SELECT revision, login, stack_id, request_id, invocation, seconds >= 0 FROM alembic_history.revisions ORDER BY id"
)


def test_each_revision_has_a_row_in_the_migration_log(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    run(project, request_id="request 1", invocation="one")
    project.add("r2", "ALTER TABLE t ADD name text")
    run(project, request_id="request 2", invocation="two")
    assert bootstrapped.admin(HISTORY) == [
        ("r1", "migrator", STACK_ID, "request 1", "one", True),
        ("r2", "migrator", STACK_ID, "request 2", "two", True),
    ]
    owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'alembic_history'"
    assert bootstrapped.admin(owner) == [("app_owner",)]


def test_a_failed_revision_has_no_row_in_the_migration_log(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "ALTER TABLE nowhere ADD x int")
    with pytest.raises(UpgradeError):
        run(project)
    assert [row[0] for row in bootstrapped.admin(HISTORY)] == ["r1"]


def test_an_upgrade_continues_if_the_migration_log_cannot_be_created(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    bootstrapped.admin("REVOKE CREATE ON DATABASE app FROM app_owner")
    outcome = run(project)
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
def test_an_upgrade_continues_with_a_damaged_migration_log(
    run: Upgrade, project: Project, bootstrapped: Cluster, damage: str
) -> None:
    run(project)
    bootstrapped.admin(damage)
    project.add("r2", "ALTER TABLE t ADD name text")
    assert run(project).applied == ("r2",)
    assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [("r2",)]


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE alembic_history.cancellations",
        """
        ALTER TABLE alembic_history.revisions
            DROP COLUMN parents, DROP COLUMN code_digest, DROP COLUMN caller, DROP COLUMN version_table;
        DROP TABLE alembic_history.projects
        """,
    ],
)
def test_an_upgrade_extends_the_migration_log_of_an_earlier_release(
    run: Upgrade, project: Project, bootstrapped: Cluster, change: str
) -> None:
    run(project)
    bootstrapped.admin(change)
    project.add("r2", "ALTER TABLE t ADD name text")
    run(project)
    logged = "SELECT parents, length(code_digest) FROM alembic_history.revisions WHERE revision = 'r2'"
    assert bootstrapped.admin(logged) == [(["r1"], 64)]
    assert bootstrapped.admin("SELECT FROM alembic_history.cancellations") == []
