"""The commands of the function that changes the database for operators."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from migrator.change_handler import COMMANDS
from migrator.errors import MigratorError
from migrator.lock import upgrade_lock
from migrator.operations import change
from migrator.operations.arguments import run_command
from migrator.operations.changing import NAME, Changing
from migrator.session import open_session
from migrator.settings import UpgradeSettings
from rds_iam.deadline import Deadline
from tests.postgres.functions import become
from tests.postgres.projects import STACK_ID, Project
from tests.postgres.role_setup import run as execute
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns
from tests.waiting import wait_until

CALLER = "arn:aws:sts::000000000000:assumed-role/OnCall/jo"
REVERSIBLE = """
def upgrade():
    op.execute("ALTER TABLE t ADD {column} int")

def downgrade():
    op.execute("ALTER TABLE t DROP {column}")
"""

type Change = Callable[..., Any]


@pytest.fixture
def changing(bootstrapped: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Return a function that runs a command with the project as it is then. `seconds` and `deployment` may differ."""
    become(monkeypatch, bootstrapped, "migrator")

    def run(command: str, *, seconds: float = 60.0, downgrades: str = "true", **arguments: object) -> Any:
        project.write_manifest()
        context = Changing(
            bootstrapped.settings("migrator"),
            UpgradeSettings(),
            project.folder,
            Deadline.after(seconds),
            CALLER,
            f"invocation {time.monotonic_ns()}",
            {"STACK_ID": STACK_ID, "ALLOW_DOWNGRADE": downgrades, "MIGRATIONS_DIGEST": "0" * 64},
        )
        return run_command(COMMANDS, context, {"command": command, "arguments": arguments})

    return run


def operation() -> dict[str, object]:
    return {"operation": "operation", "started_at": int(time.time())}


def add_reversible(project: Project, *revisions: str) -> None:
    for revision in revisions:
        project.write(revision, REVERSIBLE.format(column=revision), downgrade="")


def version(cluster: Cluster) -> list[Any]:
    return cluster.admin("SELECT version_num FROM alembic_version")


def logged(cluster: Cluster) -> list[Any]:
    return cluster.admin("SELECT revision, event, caller FROM alembic_history.revisions ORDER BY id")


def steps_of(plan: Any) -> list[str]:
    return [step["revision"] for step in plan["steps"]]


def test_a_plan_has_the_steps_and_the_sql_and_changes_nothing(
    changing: Change, project: Project, bootstrapped: Cluster
) -> None:
    add_reversible(project, "r2", "r3")
    plan = changing("plan", action="upgrade", revision="+2")
    assert (steps_of(plan), plan["revision"], plan["target"]) == (["r1", "r2"], [], "r2")
    assert "CREATE TABLE t (id int)" in plan["sql"]
    assert "ALTER TABLE t ADD r2 int" in plan["sql"]
    assert "r3" not in plan["sql"]
    assert bootstrapped.admin("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize(
    ("action", "revision", "steps"),
    [
        ("upgrade", "head", ["r3", "r4_first", "r4_last"]),
        ("upgrade", "heads", ["r3", "r4_first", "r4_last"]),
        ("upgrade", "+1", ["r3"]),
        ("upgrade", "r4_f", ["r3", "r4_first"]),
        ("upgrade", "r3+1", ["r3", "r4_first"]),
        ("upgrade", "head-1", ["r3", "r4_first"]),
        ("upgrade", "r2", []),
        ("downgrade", "-1", ["r2"]),
        ("downgrade", "r1", ["r2"]),
        ("downgrade", "base", ["r2", "r1"]),
    ],
)
def test_a_revision_of_a_plan_has_the_syntax_of_alembic(
    changing: Change, run: Upgrade, project: Project, action: str, revision: str, steps: list[str]
) -> None:
    add_reversible(project, "r2")
    run(project)
    add_reversible(project, "r3", "r4_first", "r4_last")
    assert steps_of(changing("plan", action=action, revision=revision)) == steps


@pytest.mark.parametrize("revision", ["nothing", "r", "+9", "r1"])
def test_a_plan_for_an_unknown_revision_is_an_error_or_empty(
    changing: Change, run: Upgrade, project: Project, revision: str
) -> None:
    add_reversible(project, "r2")
    run(project)
    if revision == "r1":
        assert steps_of(changing("plan", action="upgrade", revision=revision)) == []
        return
    with pytest.raises(MigratorError, match=r"rds-alembic history"):
        changing("plan", action="upgrade", revision=revision)


def test_an_upgrade_by_an_operator_is_recorded_with_the_caller(
    changing: Change, project: Project, bootstrapped: Cluster
) -> None:
    add_reversible(project, "r2", "r3")
    answer = changing("upgrade", steps=["r1", "r2"], **operation())
    assert (answer["revision"], answer["done"], answer["complete"]) == (["r2"], ["r1", "r2"], True)
    assert columns(bootstrapped) == ["id", "r2"]
    assert logged(bootstrapped) == [("r1", "upgrade", CALLER), ("r2", "upgrade", CALLER)]
    assert bootstrapped.admin("SELECT command, caller FROM alembic_history.operations") == [("upgrade", CALLER)]


def test_an_upgrade_continues_in_another_invocation(
    changing: Change, project: Project, bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_reversible(project, "r2", "r3")
    monkeypatch.setattr(change, "MIN_REVISION_SECONDS", 1000.0)
    steps = ["r1", "r2", "r3"]
    answers: list[Any] = []
    while not answers or not answers[-1]["complete"]:
        answers.append(changing("upgrade", steps=steps, **operation()))
    assert [answer["done"] for answer in answers] == [["r1"], ["r2"], ["r3"]]
    assert changing("upgrade", steps=steps, **operation())["done"] == []
    assert version(bootstrapped) == [("r3",)]


def test_an_upgrade_that_fails_keeps_the_revisions_before(
    changing: Change, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "ALTER TABLE nowhere ADD x int")
    with pytest.raises(MigratorError, match='revision r2 failed: 42P01: relation "nowhere" does not exist'):
        changing("upgrade", steps=["r1", "r2"], **operation())
    assert version(bootstrapped) == [("r1",)]


@pytest.mark.parametrize(
    ("command", "steps"),
    [
        ("upgrade", ["r3"]),
        ("upgrade", ["r3", "r2"]),
        ("upgrade", ["unknown"]),
        ("downgrade", ["r1"]),
        ("downgrade", ["r2", "r1", "r1"]),
        ("downgrade", ["unknown"]),
    ],
)
def test_steps_that_do_not_fit_the_database_are_rejected(
    changing: Change, run: Upgrade, project: Project, bootstrapped: Cluster, command: str, steps: list[str]
) -> None:
    run(project)
    add_reversible(project, "r2", "r3")
    before = version(bootstrapped)
    if command == "downgrade":
        changing("upgrade", steps=["r2"], **operation())
        before = version(bootstrapped)
    with pytest.raises(MigratorError):
        changing(command, steps=steps, **operation())
    assert version(bootstrapped) == before


def test_a_downgrade_reverts_revisions_and_a_later_upgrade_applies_them_again(
    changing: Change, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    add_reversible(project, "r2", "r3")
    run(project)
    plan = changing("plan", action="downgrade", revision="r1")
    assert "ALTER TABLE t DROP r3" in plan["sql"]
    answer = changing("downgrade", steps=steps_of(plan), **operation())
    assert (answer["revision"], answer["done"]) == (["r1"], ["r3", "r2"])
    assert columns(bootstrapped) == ["id"]
    assert logged(bootstrapped)[-2:] == [("r3", "downgrade", CALLER), ("r2", "downgrade", CALLER)]
    project.path("r2").write_text(project.path("r2").read_text().replace("ADD r2 int", "ADD other int"))
    assert run(project, request_id="again").applied == ("r2", "r3")
    assert columns(bootstrapped) == ["id", "other", "r3"]


def test_a_downgrade_that_the_revision_refuses_is_an_error(
    changing: Change, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    run(project)
    with pytest.raises(
        MigratorError, match=r"downgrade of revision r1 failed: NotImplementedError: a deployment never"
    ):
        changing("downgrade", steps=["r1"], **operation())
    assert version(bootstrapped) == [("r1",)]


@pytest.mark.parametrize("downgrades", ["false", ""])
def test_a_downgrade_is_refused_unless_the_stack_allows_it(
    changing: Change, run: Upgrade, project: Project, bootstrapped: Cluster, downgrades: str
) -> None:
    add_reversible(project, "r2")
    run(project)
    for arguments in ({"action": "downgrade", "revision": "-1"}, {"steps": ["r2"], **operation()}):
        command = "plan" if "action" in arguments else "downgrade"
        with pytest.raises(MigratorError, match=r"downgrade must be allowed by the stack .* -c downgrade=on"):
            changing(command, downgrades=downgrades, **arguments)
    assert version(bootstrapped) == [("r2",)]


def test_a_stamp_records_a_revision_without_running_it(
    changing: Change, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    run(project)
    add_reversible(project, "r2", "r3")
    plan = changing("plan", action="stamp", revision="head")
    assert (plan["target"], plan["steps"]) == ("r3", [])
    assert "UPDATE alembic_version SET version_num='r3'" in plan["sql"]
    assert changing("stamp", target="r3", expected=["r1"], **operation())["revision"] == ["r3"]
    assert columns(bootstrapped) == ["id"]
    changing("stamp", target="r2", expected=["r3"], **operation())
    assert version(bootstrapped) == [("r2",)]
    assert logged(bootstrapped)[1:] == [
        *(("r2", "stamp", CALLER), ("r3", "stamp", CALLER), ("r3", "unstamp", CALLER), ("r2", "stamp", CALLER)),
    ]
    changing("stamp", target="", expected=["r2"], **operation())
    assert version(bootstrapped) == []


@pytest.mark.parametrize(
    ("rows", "target"),
    [(["r1"], "r1"), (["r1", "r2"], "r1"), (["r1", "r2"], "r2"), (["unknown"], "r1"), (["unknown", "r2"], "r2")],
)
def test_a_version_table_that_was_edited_by_hand_is_corrected_by_a_stamp(
    changing: Change, run: Upgrade, project: Project, bootstrapped: Cluster, rows: list[str], target: str
) -> None:
    add_reversible(project, "r2")
    run(project)
    values = ", ".join(f"('{row}')" for row in rows)
    bootstrapped.admin(f"DELETE FROM alembic_version; INSERT INTO alembic_version VALUES {values}")
    plan = changing("plan", action="stamp", revision=target)
    assert (plan["revision"], plan["target"]) == (sorted(rows), target)
    answer = changing("stamp", target=target, expected=plan["revision"], **operation())
    assert (answer["revision"], version(bootstrapped)) == ([target], [(target,)])


def test_a_stamp_from_another_revision_than_the_one_shown_is_refused(
    changing: Change, run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    run(project)
    add_reversible(project, "r2")
    with pytest.raises(MigratorError, match=r"the database must be at no revision as shown \(got r1\)"):
        changing("stamp", target="r2", expected=[], **operation())
    assert version(bootstrapped) == [("r1",)]


def test_a_change_waits_for_the_lock_of_another_upgrade(
    changing: Change, project: Project, bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change, "LOCK_SECONDS", 1.0)
    session = open_session(lambda: bootstrapped.connect_with_token("migrator"))
    with (
        closing(session),
        upgrade_lock(session, Deadline.after(5)),
        pytest.raises(MigratorError, match="another upgrade is still running: pid"),
    ):
        changing("upgrade", steps=["r1"], **operation())
    assert bootstrapped.admin("SELECT to_regclass('t')") == [(None,)]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("cancel", "57014: canceling statement due to user request"),
        ("terminate", "terminating connection|closed"),
    ],
)
def test_an_upgrade_in_progress_is_ended(
    changing: Change, project: Project, bootstrapped: Cluster, command: str, message: str
) -> None:
    project.add("r2", "SELECT pg_sleep(60)")
    with ThreadPoolExecutor(1) as pool:
        upgrade = pool.submit(changing, "upgrade", steps=["r1", "r2"], **operation())
        sleeping = f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{NAME}' AND wait_event = 'PgSleep'"
        wait_until(lambda: bootstrapped.admin(sleeping) == [(1,)])
        ended = changing(command)["sessions"]
        assert any(session["done"] for session in ended)
        with pytest.raises(MigratorError, match=message):
            upgrade.result(timeout=30)
    assert version(bootstrapped) == [("r1",)]


def test_a_session_of_another_role_is_ended_only_if_that_is_asked_for(changing: Change, bootstrapped: Cluster) -> None:
    with closing(bootstrapped.connect_with_token("querier")) as querier:
        execute(querier, "SELECT 1")
        pid = querier.info.backend_pid
        with pytest.raises(MigratorError, match=rf"pid must be a session of an upgrade \(got {pid} of querier\)"):
            changing("terminate", pids=[pid])
        assert execute(querier, "SELECT 1") == [(1,)]
        changing("terminate", pids=[pid], others=True)
        wait_until(lambda: bootstrapped.admin(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}") == [])
    with pytest.raises(MigratorError, match=r"pid must be a session in this database \(got 1\)"):
        changing("cancel", pids=[1], others=True)
