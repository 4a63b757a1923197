"""The querier: it writes each day once, fails on a locked table before its timeout, and closes its sessions."""

import datetime as dt
import json
import multiprocessing
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from infra.settings import PROJECT
from querier import handler as querier_handler
from querier import limits
from querier.errors import WriteError
from querier.queries import LOCK_SPACE, Query, write_query
from tests.postgres.lambda_context import Context
from tests.postgres.servers import Cluster
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("at_head")

DAY = dt.date(2026, 11, 20)
LATE = {"time": "2026-11-20T23:59:30Z"}  # a retry comes on the next day
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'querier'"
WAITING = SESSIONS + " AND wait_event_type = 'Lock'"


@pytest.fixture(autouse=True)
def function(bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment of the function."""
    for name, value in bootstrapped.environ("querier").items():
        monkeypatch.setenv(name, value)


def invoke(event: object) -> dict[str, object]:
    answer: dict[str, object] = querier_handler.handler(event, Context())
    return answer


def rows(cluster: Cluster) -> list[tuple[object, ...]]:
    return cluster.admin("SELECT id, query_date FROM queries ORDER BY id")


@contextmanager
def locked(cluster: Cluster, mode: str) -> Iterator[Connection]:
    """Hold a lock on the table, as the owner does, until the block ends or the connection is rolled back."""
    with closing(cluster.connect_with_token("migrator")) as owner, owner.cursor() as cursor:
        cursor.execute(f"LOCK TABLE queries IN {mode} MODE")
        yield owner


def test_a_second_run_for_a_day_writes_no_row_and_returns_the_existing_row(
    bootstrapped: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(LATE) == {"id": 1, "query_date": "2026-11-20", "written": True}
    assert '"RowsWritten":[1' in capsys.readouterr().out
    assert invoke(LATE) == {"id": 1, "query_date": "2026-11-20", "written": False}
    assert '"RowsWritten":[0' in capsys.readouterr().out
    assert rows(bootstrapped) == [(1, DAY)]


def test_a_missed_day_is_written_by_the_command_of_the_runbook(bootstrapped: Cluster) -> None:
    runbook = (PROJECT / "docs/runbook.md").read_text()
    (payload,) = re.findall(r"^\$ aws lambda invoke .*?--payload '(.*?)'", runbook, re.DOTALL | re.MULTILINE)
    assert invoke(json.loads(payload))["written"] is True
    assert rows(bootstrapped) == [(1, DAY)]


def test_an_empty_event_writes_the_current_day_once(bootstrapped: Cluster) -> None:
    before = dt.datetime.now(dt.UTC).date()
    invoke({})
    invoke({"time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds")})
    ((_, date), *others) = rows(bootstrapped)
    assert date in (before, dt.datetime.now(dt.UTC).date())
    assert not others or date == before  # midnight may fall between the two


def test_a_day_is_written_if_rows_of_other_days_exist(bootstrapped: Cluster) -> None:
    bootstrapped.admin("INSERT INTO queries (query_date) VALUES (NULL), ('2026-11-19'), ('2026-11-19'), (NULL)")
    assert invoke({"time": "2026-11-19"}) == {"id": 2, "query_date": "2026-11-19", "written": False}
    assert invoke({"time": "2026-11-20"}) == {"id": 5, "query_date": "2026-11-20", "written": True}


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_concurrent_runs_for_a_day_write_one_row(bootstrapped: Cluster, isolation: str) -> None:
    """The first run waits for the table, and the others have begun before its row exists."""
    bootstrapped.admin(f"ALTER ROLE querier SET default_transaction_isolation = '{isolation}'")
    runs = 4

    def run(_number: int) -> Query:
        with closing(bootstrapped.connect_with_token("querier")) as connection:
            return write_query(connection, DAY)

    with locked(bootstrapped, "SHARE") as owner, ThreadPoolExecutor(runs) as pool:
        queries = pool.map(run, range(runs))
        wait_until(lambda: bootstrapped.admin(WAITING) == [(runs,)])
        owner.rollback()
        answers = list(queries)
    assert sorted(answer.written for answer in answers) == [False, False, False, True]
    assert {answer.id for answer in answers} == {1}
    assert rows(bootstrapped) == [(1, DAY)]


def test_runs_for_different_days_do_not_wait_for_each_other(bootstrapped: Cluster) -> None:
    with closing(bootstrapped.connect_with_token("querier")) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_SPACE, DAY.toordinal()))
        assert invoke({"time": "2026-11-21"})["written"] is True


@pytest.mark.parametrize("mode", ["ACCESS EXCLUSIVE", "SHARE"])
def test_a_run_on_a_locked_table_fails_before_its_timeout_and_a_retry_writes_the_row(
    bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(limits, "LOCK_TIMEOUT_SECONDS", 0.2)
    with locked(bootstrapped, mode):
        with pytest.raises(WriteError, match=r"no row was written for 2026-11-20, because .* locked .*55P03"):
            invoke(LATE)
        wait_until(lambda: bootstrapped.admin(SESSIONS) == [(0,)])
    assert invoke(LATE)["written"] is True
    assert rows(bootstrapped) == [(1, DAY)]


def test_a_run_with_a_slow_statement_fails_before_its_timeout(
    bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STATEMENT_TIMEOUT_SECONDS", 0.2)
    bootstrapped.admin("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); END'")
    bootstrapped.admin("CREATE TRIGGER slow BEFORE INSERT ON queries FOR EACH ROW EXECUTE FUNCTION slow()")
    with pytest.raises(WriteError, match="57014: canceling statement due to statement timeout"):
        invoke(LATE)
    wait_until(lambda: bootstrapped.admin(SESSIONS) == [(0,)])


def test_a_function_that_is_killed_while_it_waits_leaves_no_session(bootstrapped: Cluster) -> None:
    function = multiprocessing.get_context("spawn").Process(target=querier_handler.handler, args=(LATE, Context()))
    with locked(bootstrapped, "ACCESS EXCLUSIVE"):
        function.start()
        wait_until(lambda: bootstrapped.admin(WAITING) == [(1,)])
        assert function.pid
        os.kill(function.pid, 9)
        wait_until(lambda: bootstrapped.admin(SESSIONS) == [(0,)])
    function.join()
    assert rows(bootstrapped) == []


@pytest.mark.parametrize("last_statement", ["COMMIT", "SELECT 1"], ids=["idle", "idle in transaction"])
def test_a_function_that_is_frozen_leaves_no_session(
    bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch, last_statement: str
) -> None:
    monkeypatch.setattr(limits, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(limits, "STATEMENT_TIMEOUT_SECONDS", 0.2)
    options = " ".join(f"-c {name}={value}" for name, value in limits.server_settings().items())
    with closing(bootstrapped.connect_with_token("querier", options=options)) as session, session.cursor() as cursor:
        cursor.execute(last_statement)
        wait_until(lambda: bootstrapped.admin(SESSIONS) == [(0,)])
