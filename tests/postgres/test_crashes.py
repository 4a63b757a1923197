"""Upgrades that are interrupted at any point. The next upgrade reaches head, and the schema is the usual one.

A killed process ends at once, as a function that is out of time or memory. A cut connection is lost between function
and server, and the function continues. Interruptions come before, during and after statements and commits.
"""

import multiprocessing
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator import lock
from migrator import upgrade as upgrade_module
from migrator.events import UpgradeRequest
from rds_iam.backoff import Backoff
from tests.postgres import interrupted_process
from tests.postgres.interruptions import Interruption, When
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import as_migrator, run_upgrade

# A killed function's transaction is over when the server has noticed; until then its locks are held.
SECONDS = 60.0
# In one query, because each call of admin() opens a connection.
STATE = """
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
       pg_get_expr(d.adbin, d.adrelid), pg_get_userbyid(c.relowner)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S', 'v')
UNION ALL
SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid::text, indisready::text, NULL, NULL
FROM pg_index WHERE indrelid::regclass::text IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')
UNION ALL
SELECT 'constraint', conname, pg_get_constraintdef(oid), convalidated::text, NULL, NULL, NULL
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'row', name, size::text, NULL, NULL, NULL, NULL FROM t
UNION ALL
SELECT 'head', version_num, NULL, NULL, NULL, NULL, NULL FROM alembic_version
ORDER BY 1, 2, 3
"""


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the lock again after moments: the server needs as long to notice that its holder was killed."""
    monkeypatch.setattr(lock, "PAUSE_SECONDS", 0.02)


@pytest.fixture
def chain(tmp_path: Path) -> Project:
    """Return several revisions: of DDL, of data, outside of a transaction, and of both."""
    project = Project(tmp_path / "chain")
    project.add(
        "r1", "CREATE TABLE t (id serial PRIMARY KEY, name text, size int)", "INSERT INTO t (name) VALUES ('a')"
    )
    project.add(
        "r2",
        body="with op.get_context().autocommit_block():\n"
        '    op.execute("DROP INDEX CONCURRENTLY IF EXISTS t_size")\n'
        '    op.execute("CREATE INDEX CONCURRENTLY t_size ON t (size)")',
    )
    project.add("r3", "UPDATE t SET size = length(name)", "ALTER TABLE t ALTER size SET NOT NULL")
    return project


def run(cluster: Cluster, project: Project, interruption: Interruption) -> None:
    connect = partial(interruption.connected, as_migrator(cluster))
    run_upgrade(connect, project.folder, project.request(), seconds=SECONDS)


def uninterrupted(cluster: Cluster, project: Project) -> list[str]:
    """Upgrade, and return the points there are."""
    interruption = Interruption(strike=lambda _connection: None)
    run(cluster, project, interruption)
    return interruption.points


def changes(points: list[str]) -> list[int]:
    """Return the positions of the points that change the database, its locks or its transactions."""
    reads = ("select", "show")
    return [
        at for at, point in enumerate(points) if "advisory" in point or not point.lstrip().lower().startswith(reads)
    ]


@pytest.mark.parametrize("when", When)
def test_a_killed_upgrade_is_finished_by_the_next_upgrade(
    when: When,
    chain: Project,
    bootstrapped: Cluster,
    start_over: Callable[[], None],
    record_property: Callable[[str, object], None],
) -> None:
    points = uninterrupted(bootstrapped, chain)
    expected = bootstrapped.admin(STATE)
    # A killed process leaves only the state of the server. Reads do not change it, and the state after a change is the
    # state before the next change.
    positions = changes(points)[-1:] if when is When.AFTER else changes(points)
    for at in positions:
        start_over()
        kill_at(at, when, bootstrapped, chain.request(), chain.folder)
        uninterrupted(bootstrapped, chain)
        assert bootstrapped.admin(STATE) == expected, f"killed {when} {points[at]}"
    record_property("tried", f"killed {when} {len(positions)} of {len(points)} statements and commits")


@pytest.mark.parametrize("when", When)
def test_an_upgrade_that_loses_its_connection_continues_or_is_finished_by_the_next_upgrade(
    when: When,
    chain: Project,
    bootstrapped: Cluster,
    start_over: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    monkeypatch.setattr(upgrade_module, "Backoff", lambda **_seconds: Backoff(first=0.02, longest=0.1))
    points = uninterrupted(bootstrapped, chain)
    expected = bootstrapped.admin(STATE)
    # The function continues after a cut, and each statement is another place in its code. A cut during or after a read
    # is noticed at the next statement, as a cut before that statement.
    positions = list(range(len(points))) if when is When.BEFORE else changes(points)
    for at in positions:
        start_over()
        interruption = Interruption(strike=cut, at=at, when=when)
        run(bootstrapped, chain, interruption)
        assert interruption.struck
        assert bootstrapped.admin(STATE) == expected, f"cut {when} {points[at]}"
    record_property("tried", f"cut {when} {len(positions)} of {len(points)} statements and commits")


def kill_at(at: int, when: When, cluster: Cluster, request: UpgradeRequest, folder: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([interrupted_process.__name__])
    process = context.Process(
        target=interrupted_process.upgrade_until_killed,
        args=(cluster.settings("migrator"), request, folder, at, when),
    )
    process.start()
    process.join(SECONDS)
    assert process.exitcode == -9, f"the process ended by itself, with {process.exitcode}"
    process.close()


def cut(connection: Connection) -> None:
    """Cut the network below the connection: neither side is told."""
    with suppress(psycopg2.InterfaceError):  # closed before a strike that came late
        below = socket.socket(fileno=connection.fileno())
        below.shutdown(socket.SHUT_RDWR)
        below.detach()
