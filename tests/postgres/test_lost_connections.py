"""A revision runs again after an error that may not happen again, and the network notices a server that disappeared."""

import os
import socket
from contextlib import closing

import pytest

from migrator.errors import UpgradeError
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from tests.postgres.projects import Project
from tests.postgres.servers import KEYS, Cluster
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


def test_each_retry_after_a_lock_timeout_is_counted_once(run: Upgrade, project: Project) -> None:
    project.add("r3", FAIL_ONCE.format(sqlstate="55P03"), "ALTER TABLE t ADD name text")
    outcome = run(project)
    assert (outcome.applied, outcome.retries) == (("r3",), 1)


def test_a_connection_whose_server_has_disappeared_ends_within_a_minute(
    bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with closing(connect(bootstrapped.settings("migrator"), Deadline.after(60), application_name="tests")) as session:
        client = socket.socket(fileno=os.dup(session.fileno()))
        with client:
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, interval, count = (
                client.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
    assert idle + interval * count <= 60
