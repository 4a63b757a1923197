"""The commands of the function that reads for operators."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from migrator import read_handler
from migrator.errors import MigratorError
from migrator.rollback import application_name
from tests.postgres.lambda_context import Context
from tests.postgres.projects import STACK_ID, Project
from tests.postgres.reading import Read, reading_function
from tests.postgres.role_setup import run as execute
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, as_migrator, run_upgrade
from tests.waiting import wait_until

MODELS = """\
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("t", metadata, sa.Column("id", sa.Integer){columns})
"""


@pytest.fixture
def read(bootstrapped: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch) -> Read:
    return reading_function(bootstrapped, project, monkeypatch)


def add_models(project: Project, columns: str = "") -> None:
    """Give env.py the metadata of the table `t` with more columns."""
    project.configure("target_metadata=metadata", before=MODELS.format(columns=columns))


def test_the_revision_of_an_empty_database_is_empty(read: Read, bootstrapped: Cluster) -> None:
    assert read("current") == {"database": "app", "revisions": []}
    assert bootstrapped.admin("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_the_current_revision_is_that_of_the_database(read: Read, run: Upgrade, project: Project) -> None:
    run(project)
    project.add("r2")
    [revision] = read("current")["revisions"]
    assert (revision["revision"], revision["head"], revision["in_code"]) == ("r1", False, True)
    assert revision["applied_at"].endswith("UTC")
    assert read("heads") == {"heads": ["r2"]}


def test_a_revision_that_the_code_lacks_is_current_and_ahead(read: Read, run: Upgrade, project: Project) -> None:
    project.add("r2")
    run(project)
    project.remove("r2")
    [revision] = read("current")["revisions"]
    assert (revision["revision"], revision["in_code"]) == ("r2", False)
    assert read("status")["ahead"] == ["r2"]
    assert read("check")["up_to_date"] is False


def test_the_version_table_may_have_another_name_and_schema(
    read: Read, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    with closing(bootstrapped.connect_with_token("migrator")) as migrator:
        execute(migrator, "CREATE SCHEMA audit")
    project.configure("version_table='versions', version_table_schema='audit'")
    project.add("r2")
    run(project)
    assert [entry["revision"] for entry in read("current")["revisions"]] == ["r2"]


def test_a_version_table_that_the_reader_may_not_read_is_an_error(
    read: Read, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    run(project)
    bootstrapped.admin("REVOKE SELECT ON alembic_version FROM pg_monitor")
    with pytest.raises(MigratorError, match=r"reader must have SELECT on the version table .*: the next upgrade"):
        read("current")


@pytest.mark.parametrize(
    ("revision_range", "revisions"),
    [
        ("", ["r4", "r3", "r2", "r1"]),
        ("r2:r3", ["r3", "r2"]),
        (":r2", ["r2", "r1"]),
        ("r3:", ["r4", "r3"]),
        ("current:", ["r4", "r3", "r2"]),
        (":current", ["r2", "r1"]),
        ("base:head", ["r4", "r3", "r2", "r1"]),
        ("-2:head", ["r4", "r3", "r2"]),
    ],
)
def test_the_history_has_the_revisions_of_a_range_of_alembic(
    read: Read, run: Upgrade, project: Project, revision_range: str, revisions: list[str]
) -> None:
    project.add("r2")
    run(project)
    project.add("r3")
    project.add("r4")
    entries = read("history", revision_range=revision_range)["revisions"]
    assert [entry["revision"] for entry in entries] == revisions
    assert [entry["revision"] for entry in entries if entry["applied"]] == [
        name for name in revisions if name in ("r1", "r2")
    ]


@pytest.mark.parametrize("revision_range", ["r9:", "r1", "r1:r2:r3", "current:r9"])
def test_a_range_with_an_unknown_revision_or_form_is_an_error(read: Read, revision_range: str) -> None:
    with pytest.raises(MigratorError, match=r"Can't locate revision .*history|must be \[start\]:\[end\]"):
        read("history", revision_range=revision_range)


def test_a_database_at_head_with_the_schema_of_the_models_passes_the_check(
    read: Read, run: Upgrade, project: Project
) -> None:
    add_models(project)
    run(project)
    assert read("check") == {"up_to_date": True, "pending": [], "ahead": [], "drift": [], "not_compared": None}


def test_pending_revisions_fail_the_check(read: Read, run: Upgrade, project: Project) -> None:
    run(project)
    project.add("r2")
    project.add("r3")
    answer = read("check")
    assert (answer["up_to_date"], answer["pending"]) == (False, ["r2", "r3"])


def test_a_column_that_was_added_by_hand_and_one_that_is_missing_are_drift(
    read: Read, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    add_models(project, ', sa.Column("name", sa.Text)')
    run(project)
    bootstrapped.admin("ALTER TABLE t ADD by_hand int")
    answer = read("check")
    assert answer["up_to_date"] is False
    assert answer["drift"] == [
        "op.add_column('t', sa.Column('name', sa.Text(), nullable=True))",
        "op.drop_column('t', 'by_hand')",
    ]


def test_a_project_without_models_is_not_compared(read: Read, run: Upgrade, project: Project) -> None:
    run(project)
    answer = read("check")
    assert (answer["up_to_date"], answer["drift"]) == (True, None)
    assert answer["not_compared"] == "env.py has no target_metadata"


def test_an_env_py_that_writes_is_refused_by_the_server(read: Read, run: Upgrade, project: Project) -> None:
    run(project)
    add_models(project)
    env = project.folder / project.scripts / "env.py"
    env.write_text(
        env.read_text().replace("metadata = sa", "connection.exec_driver_sql('CREATE TABLE x ()')\nmetadata = sa")
    )
    with pytest.raises(MigratorError, match="25006: cannot execute CREATE TABLE in a read-only transaction"):
        read("check")


def test_the_status_names_the_database_the_revisions_and_the_last_runs(
    read: Read, run: Upgrade, project: Project
) -> None:
    run(project, invocation="first")
    project.add("r2")
    run(project, request_id="again")
    project.add("r3")
    answer = read("status")
    assert answer["database"]["name"] == "app"
    assert (answer["revision"], answer["head"], answer["pending"]) == (["r2"], ["r3"], ["r3"])
    assert [(entry["event"], entry["last_revision"], entry["revisions"]) for entry in answer["runs"]] == [
        ("upgrade", "r2", 1),
        ("upgrade", "r1", 1),
    ]
    assert all(entry["started_at"] <= entry["ended_at"] for entry in answer["runs"])
    assert (answer["lock_holder"], answer["blockers"], answer["operations"]) == ([], [], [])


def test_an_upgrade_that_waits_for_a_table_is_shown_with_its_blocker(
    read: Read, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    run(project)
    bootstrapped.admin("GRANT SELECT ON t TO querier")
    project.add("r2", "SET LOCAL lock_timeout = '60s'", "ALTER TABLE t ADD name text")
    connect = as_migrator(bootstrapped, application_name=application_name(STACK_ID))
    answers: list[Any] = []
    with closing(bootstrapped.connect_with_token("querier")) as blocker, ThreadPoolExecutor(1) as pool:
        blocker.cursor().execute("SELECT * FROM t")
        upgrade = pool.submit(run_upgrade, connect, project.folder, project.request())

        def is_blocked() -> bool:
            answers.append(read("progress"))
            return bool(answers[-1]["blockers"])

        wait_until(is_blocked)
        pid = blocker.info.backend_pid
        blocker.rollback()
        assert upgrade.result().applied == ("r2",)
    answer = answers[-1]
    assert (answer["revision"], answer["pending"]) == (["r1"], ["r2"])
    assert len(answer["lock_holder"]) == 1
    assert [(session["pid"], session["role"]) for session in answer["blockers"]] == [(pid, "querier")]
    [waiting] = [session for session in answer["upgrade_sessions"] if session["blocked_by"]]
    assert waiting["query"] == "ALTER TABLE t ADD name text"
    assert waiting["blocked_by"] == [pid]
    assert read("progress")["lock_holder"] == []


def test_tables_are_listed_with_their_size_and_their_writes(
    read: Read, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    run(project)
    bootstrapped.admin("INSERT INTO t SELECT generate_series(1, 10000); ANALYZE t")
    [table] = [row for row in read("tables", seconds=1)["tables"] if row["table"] == "t"]
    assert table["rows_estimated"] == 10000
    assert table["bytes"] > 300_000
    assert table["writes_per_second"] >= 0


def test_a_table_that_an_upgrade_has_locked_is_listed_without_its_size(
    read: Read, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    run(project)
    with closing(bootstrapped.connect_with_token("migrator")) as migrator:
        migrator.cursor().execute("ALTER TABLE t ADD n int")
        [table] = [row for row in read("tables", seconds=1)["tables"] if row["table"] == "t"]
    assert table["bytes"] is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("REVOKE rds_iam FROM querier", "not a member of rds_iam: logs in by password"),
        ("ALTER ROLE querier NOLOGIN", "NOLOGIN"),
        ("REVOKE CONNECT ON DATABASE app FROM querier", "no CONNECT on the database"),
        ("ALTER ROLE querier VALID UNTIL '2020-01-01'", "VALID UNTIL is over"),
        ("ALTER ROLE querier CONNECTION LIMIT 0", "CONNECTION LIMIT reached"),
    ],
)
def test_a_login_that_was_lost_is_named(read: Read, bootstrapped: Cluster, change: str, problem: str) -> None:
    assert login_problems(read, "querier") == ""
    with bootstrapped.connect_as_master() as master:
        execute(master, change)
    assert login_problems(read, "querier") == problem


def login_problems(read: Read, role: str) -> str:
    [entry] = [entry for entry in read("grants")["roles"] if entry["role"] == role]
    return str(entry["login_problems"])


def test_the_privileges_of_each_role_are_those_that_the_server_evaluates(
    read: Read, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add(
        "r2",
        "ALTER TABLE t ADD n int",
        "CREATE SCHEMA s",
        "CREATE TABLE s.u (id int, n int)",
        "GRANT INSERT ON t TO querier",
    )
    project.add("r3", "GRANT SELECT ON s.u TO querier", "GRANT UPDATE (n) ON t TO querier")
    run(project)
    assert privileges(read, "querier") == {
        "public.t": "INSERT, UPDATE (some columns)",
        "s.u": "SELECT (without USAGE on the schema)",
    }
    bootstrapped.admin("GRANT USAGE ON SCHEMA s TO querier; REVOKE INSERT ON t FROM querier")
    assert privileges(read, "querier") == {"public.t": "UPDATE (some columns)", "s.u": "SELECT"}
    assert privileges(read, "app_owner")["public.t"] == "OWNER, SELECT, INSERT, UPDATE, DELETE, TRUNCATE"


def privileges(read: Read, role: str) -> dict[str, str]:
    entries = read("grants")["privileges"]
    return {entry["relation"]: entry["privileges"] for entry in entries if entry["role"] == role}


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "command must be one of activity, check, current"),
        ({"command": "upgrade"}, r"command must be one of .* \(got 'upgrade'\)"),
        ({"command": ["status"]}, "command must be one of"),
        ({"command": "status", "arguments": {"x": 1}}, r"x must be omitted \(got 1\)"),
        ({"command": "status", "arguments": "x"}, "arguments must be a map"),
        ({"command": "query"}, r"sql must be a text of 1 to 100000 characters \(got nothing\)"),
        ({"command": "query", "arguments": {"sql": 1, "seconds": 61}}, r"seconds must be .* 60 .*; sql must be a text"),
        ({"command": "query", "arguments": {"sql": "SELECT 1", "max_rows": True}}, "max_rows must be a whole number"),
        ({"command": "tables", "arguments": {"seconds": 1.5}}, "seconds must be a whole number between 1 and 30"),
    ],
)
def test_a_command_or_argument_that_is_not_allowed_is_rejected(read: Read, event: Any, message: str) -> None:
    with pytest.raises(MigratorError, match=message):
        read_handler.handler(event, Context())
