"""The SQLSTATEs for which an upgrade starts over, because the connection is lost and the revision may succeed later."""

import pytest

from migrator.errors import UpgradeError
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns

FAIL_ONCE = """
DO $$ BEGIN
    IF nextval('attempts') = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}'; END IF;
END $$
"""


@pytest.fixture
def project(project: Project, run: Upgrade) -> Project:
    """Return a project with an applied revision that counts attempts: a rollback does not reset a sequence."""
    project.add("r2", "CREATE SEQUENCE attempts")
    run(project)
    return project


# connection_exception, connection_failure, admin_shutdown, crash_shutdown, cannot_connect_now
@pytest.mark.parametrize("sqlstate", ["08000", "08006", "57P01", "57P02", "57P03"])
def test_a_revision_runs_again_after_a_lost_connection(
    run: Upgrade, project: Project, bootstrapped: Cluster, sqlstate: str
) -> None:
    project.add("r3", FAIL_ONCE.format(sqlstate=sqlstate), "ALTER TABLE t ADD name text")
    outcome = run(project)
    assert (outcome.applied, outcome.retries) == (("r3",), 1)
    assert columns(bootstrapped) == ["id", "name"]


# query_canceled, database_dropped, fdw_unable_to_establish_connection, io_error
@pytest.mark.parametrize("sqlstate", ["57014", "57P04", "HV00N", "58030"])
def test_a_revision_does_not_run_again_after_another_error(run: Upgrade, project: Project, sqlstate: str) -> None:
    project.add("r3", FAIL_ONCE.format(sqlstate=sqlstate))
    with pytest.raises(UpgradeError, match=f"revision r3 failed: {sqlstate}: not now"):
        run(project)
