"""PostgreSQL's own progress of a long statement, as the reading function shows it."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.postgres.projects import Project
from tests.postgres.reading import Read, reading_function
from tests.postgres.role_setup import run as execute
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade
from tests.waiting import wait_until

# The function waits in the row 1500 while another session holds the advisory lock 7.
TABLE = (
    (
        "CREATE FUNCTION pause(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
        " IF n = 1500 THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN n; END $$"
    ),
    "CREATE TABLE long (n int, filler text)",
    "INSERT INTO long SELECT n, repeat('x', 100) FROM generate_series(1, 3000) AS n",
)
NAME = "alembic-upgrade test"
INDEX = "CREATE INDEX ix ON long (pause(n))"


@pytest.fixture
def read(bootstrapped: Cluster, run: Upgrade, project: Project, monkeypatch: pytest.MonkeyPatch) -> Read:
    run(project)
    return reading_function(bootstrapped, project, monkeypatch)


@contextmanager
def paused(cluster: Cluster, statement: str, *preparation: str, application_name: str = NAME) -> Iterator[None]:
    """Run a statement in a session of an upgrade, which waits in the row 1500 until the block ends."""
    with (
        ThreadPoolExecutor(1) as pool,
        closing(cluster.connect_with_token("migrator", application_name=application_name)) as migrator,
        cluster.connect_as_master() as master,
    ):
        execute(migrator, *TABLE, *preparation)
        migrator.autocommit = True
        execute(master, "SELECT pg_advisory_lock(7)")
        try:
            statement_run: Future[Any] = pool.submit(migrator.cursor().execute, statement)
            yield
        finally:
            execute(master, "SELECT pg_advisory_unlock(7)")
        statement_run.result()


def report_of(read: Read) -> Any:
    """Wait for the progress of a command and return it."""
    answers: list[Any] = []

    def is_reported() -> bool:
        answers.append(read("progress"))
        return bool(answers[-1]["commands"]) and bool(answers[-1]["blockers"])

    wait_until(is_reported)
    [report] = answers[-1]["commands"]
    [waiting] = answers[-1]["upgrade_sessions"]
    assert report["pid"] == waiting["pid"]
    assert waiting["waiting_seconds"] <= waiting["state_seconds"]
    return report


def test_an_index_build_shows_its_phase_and_the_blocks_that_it_has_scanned(read: Read, bootstrapped: Cluster) -> None:
    with paused(bootstrapped, INDEX):
        report = report_of(read)
    assert (report["command"], report["relation"]) == ("CREATE INDEX", "public.long")
    assert (report["phase"], report["unit"]) == ("building index: scanning table", "blocks")
    assert 0 < report["done"] < report["total"]
    assert 0 < report["percent"] < 100


@pytest.mark.parametrize(
    ("preparation", "statement", "command", "phase"),
    [
        (INDEX, "VACUUM FULL long", "VACUUM FULL", "rebuilding index"),
        (INDEX, "ANALYZE long", "ANALYZE", "computing statistics"),
        (
            "ALTER TABLE long ADD CHECK (pause(n) > 0) NOT VALID",
            "COPY long (n) FROM PROGRAM 'seq 1 2000'",
            "COPY FROM",
            "PROGRAM",
        ),
    ],
)
def test_other_long_commands_show_their_phase(
    read: Read, bootstrapped: Cluster, preparation: str, statement: str, command: str, phase: str
) -> None:
    if "PROGRAM" in statement:
        bootstrapped.admin("GRANT pg_execute_server_program TO app_owner")
    with paused(bootstrapped, statement, preparation):
        report = report_of(read)
    assert (report["command"], report["relation"], report["phase"]) == (command, "public.long", phase)


def test_a_vacuum_shows_the_blocks_that_it_has_scanned(read: Read, bootstrapped: Cluster) -> None:
    with (
        ThreadPoolExecutor(1) as pool,
        closing(bootstrapped.connect_with_token("migrator", application_name=NAME)) as migrator,
    ):
        execute(migrator, *TABLE)
        migrator.autocommit = True
        cursor = migrator.cursor()
        cursor.execute("SET vacuum_cost_delay = 50; SET vacuum_cost_limit = 1")
        vacuum = pool.submit(cursor.execute, "VACUUM long")
        answers: list[Any] = []

        def is_reported() -> bool:
            answers[:] = read("progress")["commands"]
            return bool(answers) and answers[0]["done"] > 0

        wait_until(is_reported)
        bootstrapped.admin(f"SELECT pg_cancel_backend({migrator.info.backend_pid})")
        assert vacuum.exception() is not None
    assert (answers[0]["command"], answers[0]["unit"]) == ("VACUUM", "blocks")
    assert 0 < answers[0]["done"] <= answers[0]["total"]


def test_the_commands_of_other_sessions_are_not_part_of_the_upgrade(read: Read, bootstrapped: Cluster) -> None:
    def is_waiting() -> bool:
        return any(session["blocked_by"] for session in read("activity")["sessions"])

    with paused(bootstrapped, INDEX, application_name="psql"):
        wait_until(is_waiting)
        answer = read("progress")
    assert (answer["upgrade_sessions"], answer["commands"], answer["blockers"]) == ([], [], [])
