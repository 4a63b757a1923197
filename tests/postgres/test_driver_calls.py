"""Revisions that write with psycopg2's own calls, of which SQLAlchemy does not know."""

import pytest

from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, recorded, refusal

WRITE = "CREATE FUNCTION write() RETURNS void LANGUAGE sql AS 'INSERT INTO t VALUES (7)'"
CALLS = {
    "execute": "cursor.execute('INSERT INTO t VALUES (%s)', (7,))",
    "execute with bytes": "cursor.execute(b'INSERT INTO t VALUES (7)')",
    "execute with bytes that are not UTF-8": "raw.set_client_encoding('LATIN1')\n"
    "cursor.execute(b\"INSERT INTO t VALUES (7, '\\xe4')\")",
    "executemany": "cursor.executemany('INSERT INTO t VALUES (%s)', [(7,)])",
    "copy_expert": "cursor.copy_expert('COPY t (id) FROM STDIN', io.StringIO('7\\n'), 1024)",
    "copy_from": "cursor.copy_from(io.StringIO('7;\\n'), 't', sep=';', columns=('id', 'name'))",
    "callproc": "cursor.callproc('write')",
    "callproc with a parameter": "cursor.callproc('setval', ['s', 7])\ncursor.execute('INSERT INTO t VALUES (7)')",
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def project(project: Project, run: Upgrade) -> Project:
    """Return a project with a table `t (id, name)`, a sequence `s` and a function that writes."""
    project.add("r2", "ALTER TABLE t ADD name text", "CREATE SEQUENCE s", WRITE)
    run(project)
    return project


def body(call: str) -> str:
    return f"import io\nraw = op.get_bind().connection.dbapi_connection\ncursor = raw.cursor()\n{call}"


@calls
def test_a_revision_may_write_with_a_call_of_the_driver(
    run: Upgrade, project: Project, bootstrapped: Cluster, call: str
) -> None:
    project.add("r3", body=body(call))
    run(project)
    assert bootstrapped.admin("SELECT id FROM t") == [(7,)]
    assert recorded(bootstrapped) == ["r1", "r2", "r3"]


@calls
def test_a_revision_that_rolls_back_what_it_wrote_with_a_call_of_the_driver_fails(
    run: Upgrade, project: Project, bootstrapped: Cluster, call: str
) -> None:
    project.add("r3", body=f"{body(call)}\nraw.rollback()")
    assert "revision r3 failed: it rolled back its own transaction" in refusal(run, project)
    assert bootstrapped.admin("SELECT id FROM t") == []
    assert recorded(bootstrapped) == ["r1", "r2"]
