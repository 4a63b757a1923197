"""Revisions that use much of the time of an invocation, and the errors at its end."""

import pytest

from migrator.errors import UpgradeError
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns, recorded

LOSE_CONNECTION = "DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '08006'; END $$"


@pytest.fixture
def project(project: Project, run: Upgrade) -> Project:
    """Return a project with an applied revision: the next one is begun however little time is left."""
    run(project)
    return project


def test_an_upgrade_fails_if_the_connection_is_lost_again_and_again_until_the_deadline(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", LOSE_CONNECTION)
    with pytest.raises(UpgradeError, match="revision r2 failed: 08006: not now"):
        run(project, seconds=1)
    assert recorded(bootstrapped) == ["r1"]


def test_the_server_ends_the_second_of_two_long_statements_at_the_deadline(run: Upgrade, project: Project) -> None:
    project.add("r2", "SELECT pg_sleep(0.5)", "SELECT pg_sleep(60)")
    with pytest.raises(UpgradeError, match="revision r2 failed: 57014: canceling statement due to statement timeout"):
        run(project, seconds=2)


@pytest.mark.parametrize(
    "statement", ["SET TRANSACTION READ WRITE", "  set transaction read write", "SET\nLOCAL x.y = 1"]
)
def test_a_transaction_may_begin_with_set_after_much_of_the_time_has_passed(
    run: Upgrade, project: Project, bootstrapped: Cluster, statement: str
) -> None:
    isolate = "op.execute('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE')"
    project.add(
        "r2",
        body=f"import time\nop.get_bind().commit()\ntime.sleep(0.7)\nop.execute({statement!r})\n{isolate}\n"
        "op.execute('ALTER TABLE t ADD z int')",
    )
    run(project, seconds=5)
    assert columns(bootstrapped) == ["id", "z"]
