"""Upgrades of a database in use: busy tables, many upgrades at once, a server that restarts."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from localaws.postgres import RestartMode
from migrator import revision_retry
from migrator.errors import UpgradeError
from migrator.settings import UpgradeSettings
from migrator.upgrade_context import Outcome
from rds_iam.backoff import Backoff
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from tests.postgres.projects import Project
from tests.postgres.servers import KEYS, Cluster
from tests.postgres.upgrades import Upgrade, columns, run_upgrade, sleeps
from tests.waiting import wait_until

LOCK_TIMEOUT_SECONDS = 0.3
SLEEP = "SELECT pg_sleep(60)"


@pytest.fixture
def run(bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch) -> Upgrade:
    """Return a function that upgrades on connections of the Lambda function's own kind, and soon tries again."""
    monkeypatch.setattr(revision_retry, "Backoff", lambda **_seconds: Backoff(first=0.2, longest=1.0))
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    settings = bootstrapped.settings("migrator")

    def run(project: Project, *, seconds: float = 60.0, lock_timeout: float = LOCK_TIMEOUT_SECONDS) -> Outcome:
        deadline = Deadline.after(seconds)  # of the logins
        session = UpgradeSettings(lock_timeout).server_settings()
        connect_now = partial(connect, settings, deadline, application_name="tests", server_settings=session)
        return run_upgrade(connect_now, project.folder, project.request(), seconds=seconds)

    return run


@pytest.fixture
def project(tmp_path: Path, run: Upgrade) -> Project:
    """Return a project whose first revision is applied."""
    project = Project(tmp_path / "project")
    project.add("r1", "CREATE TABLE t (id int)", "GRANT SELECT ON t TO querier")
    run(project)
    return project


@contextmanager
def held(cluster: Cluster, seconds: float) -> Iterator[None]:
    """Hold a transaction that has read the table, until `seconds` after another session waits for its lock."""
    waits = "SELECT 1 FROM pg_locks WHERE relation = 't'::regclass AND NOT granted"
    with closing(cluster.connect_with_token("querier")) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT * FROM t")

        def release() -> None:
            wait_until(lambda: bool(cluster.admin(waits)))
            time.sleep(seconds)
            holder.rollback()

        with ThreadPoolExecutor(1) as pool:
            released = pool.submit(release)
            yield
            released.result()


@contextmanager
def reader(cluster: Cluster) -> Iterator[list[float]]:
    """Read the table continuously; yield the list of the durations of the reads, in seconds."""
    latencies: list[float] = []
    stop = threading.Event()

    def read() -> None:
        with closing(cluster.connect_with_token("querier")) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not stop.wait(0.005):
                began = time.monotonic()
                cursor.execute("SELECT count(*) FROM t")
                latencies.append(time.monotonic() - began)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield latencies
    finally:
        stop.set()
        thread.join()


def test_readers_of_a_busy_table_wait_no_longer_than_the_lock_timeout(
    run: Upgrade, project: Project, bootstrapped: Cluster, record_property: Callable[[str, object], None]
) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    with reader(bootstrapped) as latencies, held(bootstrapped, seconds=2):
        outcome = run(project)
    assert outcome.applied == ("r2",)
    assert outcome.retries >= 1
    record_property(
        "tried",
        f"{len(latencies)} reads during an upgrade with a lock timeout of {LOCK_TIMEOUT_SECONDS} s:"
        f" p99 {statistics.quantiles(latencies, n=100)[98]:.3f} s, maximum {max(latencies):.3f} s",
    )
    assert max(latencies) < 1.5, "a reader waited for the transaction that holds the table"


def test_a_table_that_remains_busy_fails_the_upgrade_before_its_deadline(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    message = r"^revision r2 failed: 55P03: canceling statement due to lock timeout, [2-9] times$"
    with held(bootstrapped, seconds=2.5), pytest.raises(UpgradeError, match=message):
        run(project, seconds=2)


def test_a_revision_may_have_a_lock_timeout_of_its_own(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    project.add("r2", "SET LOCAL lock_timeout = '50ms'", "ALTER TABLE t ADD name text")
    with reader(bootstrapped) as latencies, held(bootstrapped, seconds=2):
        outcome = run(project, lock_timeout=30)
    assert outcome.retries >= 1
    assert max(latencies) < 1.5


def test_a_revision_that_is_tried_again_creates_its_enum_type_again(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    state = "op.create_table('t2', sa.Column('state', sa.Enum('on', 'off', name='state')))"
    project.add("r2", body=f"{state}\nop.execute('ALTER TABLE t ADD name text')")
    with held(bootstrapped, seconds=0.5):
        outcome = run(project)
    assert outcome.retries >= 1
    assert columns(bootstrapped, "t2") == ["state"]


def test_a_revision_is_not_tried_again_after_an_error_other_than_a_lock_timeout(
    run: Upgrade, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.add("r2", "ALTER TABLE nowhere ADD x int")
    with caplog.at_level("INFO"), pytest.raises(UpgradeError, match="42P01"):
        run(project)
    assert [record.message for record in caplog.records].count("revision started") == 1


def test_fifty_upgrades_at_once_apply_each_revision_once_and_succeed(run: Upgrade, tmp_path: Path) -> None:
    project = Project(tmp_path / "empty database")
    project.add("r1", "CREATE TABLE t (id int)", "SELECT pg_sleep(1)")
    project.add("r2", "ALTER TABLE t ADD name text")
    with ThreadPoolExecutor(50) as pool:
        outcomes = [future.result() for future in [pool.submit(run, project) for _ in range(50)]]
    assert sorted(outcome.applied for outcome in outcomes) == [()] * 49 + [("r1", "r2")]
    assert {outcome.heads for outcome in outcomes} == {frozenset({"r2"})}


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_an_upgrade_survives_a_failover_during_a_revision(
    run: Upgrade, project: Project, bootstrapped: Cluster, mode: RestartMode
) -> None:
    slow = "import pathlib\ntried = pathlib.Path(__file__ + '.tried')\nif not tried.exists():\n    tried.touch()\n"
    slow += f"    op.execute('{SLEEP}')"
    project.add(
        "r2", body=f"op.execute('ALTER TABLE t ADD name text')\n{slow}\nop.execute('ALTER TABLE t ADD more text')"
    )

    def fail_over() -> None:
        wait_until(lambda: sleeps(bootstrapped, SLEEP))
        bootstrapped.postgres.restart(mode)

    with ThreadPoolExecutor(1) as pool:
        failed_over = pool.submit(fail_over)
        outcome = run(project)
        failed_over.result()
    assert outcome.applied == ("r2",)
    assert outcome.retries >= 1
    assert bootstrapped.admin("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'") == [(3,)]
