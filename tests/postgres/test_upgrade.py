"""Upgrades with a login of the role setup."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from migrator.decision import Decision
from migrator.errors import HistoryError, LockTimeoutError, UpgradeError
from migrator.lock import upgrade_lock
from rds_iam.deadline import Deadline
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns
from tests.waiting import wait_until


def heads(cluster: Cluster) -> set[str]:
    return {str(version) for (version,) in cluster.admin("SELECT version_num FROM alembic_version")}


def test_an_empty_database_is_brought_to_head(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    outcome = run(project)
    assert (outcome.decision, outcome.applied, outcome.heads) == (Decision.UPGRADE, ("r1", "r2"), frozenset({"r2"}))
    assert outcome.complete
    assert columns(bootstrapped) == ["id", "name"]
    assert bootstrapped.admin("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == [
        ("app_owner",)
    ]


def test_an_upgrade_leaves_no_session_behind(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    run(project)
    wait_until(lambda: not bootstrapped.admin("SELECT 1 FROM pg_stat_activity WHERE usename = 'migrator'"))


def test_a_database_at_head_is_not_changed(run: Upgrade, project: Project) -> None:
    run(project)
    outcome = run(project)
    assert (outcome.decision, outcome.applied, outcome.heads) == (Decision.NOTHING, (), frozenset({"r1"}))


def test_alembic_is_not_imported_for_a_database_at_head(run: Upgrade, project: Project) -> None:
    run(project)
    (project.folder / "alembic.ini").unlink()
    assert run(project).decision is Decision.NOTHING


def test_a_failed_revision_is_rolled_back_and_the_revisions_before_it_are_kept(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    project.add("r3", "ALTER TABLE t ADD more text", "ALTER TABLE nowhere ADD x int")
    with pytest.raises(UpgradeError) as error:
        run(project)
    assert str(error.value) == 'revision r3 failed: 42P01: relation "nowhere" does not exist'
    assert heads(bootstrapped) == {"r2"}
    assert columns(bootstrapped) == ["id", "name"]


def test_the_upgrade_after_a_failed_one_continues_at_the_failed_revision(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "ALTER TABLE nowhere ADD x int")
    with pytest.raises(UpgradeError):
        run(project)
    project.revisions.remove("r2")
    project.add("r2", "ALTER TABLE t ADD name text")
    assert run(project).applied == ("r2",)
    assert columns(bootstrapped) == ["id", "name"]


def test_a_python_error_in_a_revision_names_the_revision(run: Upgrade, project: Project) -> None:
    project.add("r2", body="raise KeyError('no such thing')")
    with pytest.raises(UpgradeError, match="revision r2 failed: KeyError: 'no such thing'"):
        run(project)


def test_an_env_that_does_not_use_the_connection_is_an_error(run: Upgrade, project: Project) -> None:
    (project.folder / "scripts" / "env.py").write_text("")
    with pytest.raises(UpgradeError, match=r"revision r1 ran but is not recorded in the version table: env\.py must"):
        run(project)


def test_a_zip_with_other_revisions_than_the_template_is_rejected(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.revisions.append("r2")
    with pytest.raises(UpgradeError, match=r"zip and the deployment must have the same revisions \(different: r2"):
        run(project)
    assert columns(bootstrapped) == []


def test_after_a_rollback_the_database_is_ahead_and_the_next_deployment_continues(
    run: Upgrade, restore: Upgrade, tmp_path: Path, project: Project
) -> None:
    newer = Project(tmp_path / "newer")
    newer.add("r1", "CREATE TABLE t (id int)")
    newer.add("r2", "ALTER TABLE t ADD name text")
    run(newer)
    outcome = restore(project, old=("r1", "r2"))
    assert (outcome.decision, outcome.heads, outcome.ahead) == (Decision.STAY_AHEAD, frozenset({"r2"}), ("r2",))
    newer.add("r3", "ALTER TABLE t ADD more text")
    assert run(newer, old=("r1",)).applied == ("r3",)


def test_a_rollback_without_a_log_names_all_revisions_of_the_failed_deployment(
    run: Upgrade, restore: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    project.add("r3", "ALTER TABLE t ADD size int")
    run(project)
    bootstrapped.admin("DROP SCHEMA alembic_history CASCADE")
    project.remove("r2", "r3")
    assert restore(project, old=("r1", "r2", "r3")).ahead == ("r2", "r3")


def test_a_database_at_an_unknown_revision_is_rejected(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    run(project)
    bootstrapped.admin("UPDATE alembic_version SET version_num = 'stranger'")
    with pytest.raises(HistoryError, match="revision stranger"):
        run(project)


def test_revisions_without_time_are_left_for_the_next_invocation(run: Upgrade, project: Project) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    first = run(project, seconds=10)
    assert (first.applied, first.complete) == (("r1",), False)
    second = run(project, seconds=10)
    assert (second.applied, second.complete) == (("r2",), True)


def test_the_server_cancels_a_statement_at_the_deadline_of_the_function(run: Upgrade, project: Project) -> None:
    run(project)
    project.add("r2", "SELECT pg_sleep(60)")
    with pytest.raises(UpgradeError, match="revision r2 failed: 57014: canceling statement due to statement timeout"):
        run(project, seconds=1)


def test_the_error_of_an_upgrade_without_the_lock_names_the_session_that_holds_it(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    with closing(bootstrapped.connect_with_token("migrator")) as holder:
        holder.autocommit = True
        with holder.cursor() as cursor:
            cursor.execute("SET application_name = 'another client'")
        with upgrade_lock(holder, Deadline.after(5)):
            with pytest.raises(LockTimeoutError) as error:
                run(project, seconds=1)
            pid = holder.info.backend_pid
    assert f"another upgrade is still running: pid {pid}, another client, since 20" in str(error.value)


def test_the_lock_ends_with_its_connection(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    holder = bootstrapped.connect_with_token("migrator")
    holder.autocommit = True
    lock = upgrade_lock(holder, Deadline.after(5))
    lock.__enter__()
    threading.Timer(0.2, bootstrapped.admin, [f"SELECT pg_terminate_backend({holder.info.backend_pid})"]).start()
    assert run(project).applied == ("r1",)
    holder.close()


def test_an_index_is_built_concurrently_while_other_upgrades_wait_for_the_lock(run: Upgrade, project: Project) -> None:
    project.add("r2", "SELECT pg_sleep(0.5)")
    project.add(
        "r3", body='with op.get_context().autocommit_block():\n    op.execute("CREATE INDEX CONCURRENTLY i ON t (id)")'
    )
    with ThreadPoolExecutor(4) as pool:
        outcomes = [future.result() for future in [pool.submit(run, project) for _ in range(4)]]
    assert sorted(outcome.applied for outcome in outcomes) == [()] * 3 + [("r1", "r2", "r3")]
