"""Upgrades end at their deadline, also if a revision removes the limits or waits for a lock of its own session."""

import pytest

from migrator import watcher
from migrator.errors import UpgradeError
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, as_migrator, columns, recorded, refusal, run_upgrade
from tests.waiting import wait_until

OWN_LOCKS = {
    "a table read on a second connection": "op.execute('ALTER TABLE t ADD z int')\n"
    "with op.get_bind().engine.connect() as other:\n    other.execute(sa.text('SELECT * FROM t'))",
    "a session of the engine": "from sqlalchemy.orm import Session\nop.execute('ALTER TABLE t ADD z int')\n"
    "with Session(op.get_bind().engine) as session:\n    session.execute(sa.text('SELECT * FROM t'))",
    "a second connection that stays open": "other = op.get_bind().engine.connect()\n"
    "other.execute(sa.text('SELECT * FROM t'))\nop.execute('ALTER TABLE t ADD z int')",
    "an advisory lock": "op.execute('SELECT pg_advisory_xact_lock(7)')\n"
    "op.get_bind().engine.connect().execute(sa.text('SELECT pg_advisory_xact_lock(7)'))",
    "an index built concurrently": "other = op.get_bind().engine.connect()\n"
    "other.execute(sa.text('INSERT INTO t VALUES (1)'))\nwith op.get_context().autocommit_block():\n"
    "    op.execute('CREATE INDEX CONCURRENTLY i ON t (id)')",
}


@pytest.mark.parametrize("body", OWN_LOCKS.values(), ids=OWN_LOCKS)
def test_a_revision_that_waits_for_its_own_lock_fails_at_once(
    run: Upgrade, project: Project, bootstrapped: Cluster, body: str
) -> None:
    project.add("r2", body=body)
    error = refusal(run, project)
    assert "revision r2 failed: it waits on one connection (pid " in error
    assert error.endswith("use the connection of op.get_bind() for everything")
    assert recorded(bootstrapped) == ["r1"]
    held = "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass"
    assert bootstrapped.admin(held) == [(0,)]


def test_a_wait_for_its_own_lock_is_not_tried_again_as_a_busy_table_is(project: Project, bootstrapped: Cluster) -> None:
    project.add("r2", body=OWN_LOCKS["a table read on a second connection"])
    connect = as_migrator(bootstrapped, options="-c lock_timeout=1s")
    with pytest.raises(UpgradeError, match="revision r2 failed: it waits on one connection"):
        run_upgrade(connect, project.folder, project.request())


def test_a_revision_may_wait_for_a_lock_that_another_of_its_threads_releases(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add(
        "r2",
        body="""
import threading, time
locked = threading.Event()
def hold(engine):
    with engine.begin() as other:
        other.execute(sa.text('LOCK TABLE t'))
        locked.set()
        time.sleep(0.5)
thread = threading.Thread(target=hold, args=[op.get_bind().engine])
thread.start()
locked.wait()
op.execute('ALTER TABLE t ADD z int')
thread.join()""",
    )
    run(project)
    assert columns(bootstrapped) == ["id", "z"]


REMOVED_LIMITS = {
    "SET": "op.execute('SET statement_timeout = 0')\nop.execute('SELECT pg_sleep(60)')",
    "in an autocommit_block": "with op.get_context().autocommit_block():\n"
    "    op.execute('SET statement_timeout = 0')\n    op.execute('SELECT pg_sleep(60)')",
    "an error that is handled": "op.execute('SET statement_timeout = 0')\nfor again in range(2):\n    try:\n"
    "        with op.get_bind().begin_nested():\n            op.execute('SELECT pg_sleep(60)')\n"
    "    except sa.exc.OperationalError:\n        if again: raise",
    "errors that are handled on the driver's cursor": "op.execute('SET statement_timeout = 0')\n"
    "raw = op.get_bind().connection.dbapi_connection.cursor()\nfor again in range(2):\n"
    "    raw.execute('SAVEPOINT s')\n    try:\n        raw.execute('SELECT pg_sleep(60)')\n"
    "    except Exception:\n        raw.execute('ROLLBACK TO SAVEPOINT s')\n        if again: raise",
}


@pytest.mark.parametrize("body", REMOVED_LIMITS.values(), ids=REMOVED_LIMITS)
def test_a_statement_ends_at_the_deadline_even_if_the_revision_removes_the_limit(
    run: Upgrade, project: Project, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(watcher, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(watcher, "REPEAT_SECONDS", 0.3)
    run(project)
    project.add("r2", body=body)
    with pytest.raises(UpgradeError, match=r"revision r2 failed: .*(the time of this invocation is over|57014)"):
        run(project, seconds=1)


@pytest.mark.parametrize("set_limit", ["SET", "SET LOCAL"])
def test_a_shorter_statement_timeout_of_a_revision_applies(run: Upgrade, project: Project, set_limit: str) -> None:
    project.add("r2", f"{set_limit} statement_timeout = '50ms'", "SELECT 1", "SELECT pg_sleep(60)")
    assert refusal(run, project) == "revision r2 failed: 57014: canceling statement due to statement timeout"


def test_a_statement_timeout_that_a_savepoint_has_rolled_back_is_set_again(run: Upgrade, project: Project) -> None:
    run(project)
    project.add(
        "r2",
        body="""
import time
connection = op.get_bind()
nested = connection.begin_nested()
time.sleep(0.5)
connection.execute(sa.text('SELECT 1'))
nested.rollback()
limit = connection.execute(sa.text("SELECT current_setting('statement_timeout')::interval")).scalar_one()
assert limit.total_seconds() < 1.6, limit""",
    )
    assert run(project, seconds=2).complete


def test_the_statement_timeout_is_not_set_for_each_statement(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    # In autocommit, each statement is a transaction, which the server counts at the end of the session.
    project.add(
        "r2",
        body="with op.get_context().autocommit_block():\n    for number in range(300):\n        op.execute('SELECT 1')",
    )

    def transactions() -> int:
        ((count,),) = bootstrapped.admin("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        return int(str(count))

    before = transactions()
    run(project)
    wait_until(lambda: not bootstrapped.admin("SELECT 1 FROM pg_stat_activity WHERE usename = 'migrator'"))
    assert 300 <= transactions() - before < 400
