"""Deployments and rollbacks after accidents. No rollback fails, and no revision is applied after its deployment."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator import locked_upgrade, upgrade_handler
from migrator.errors import MigratorError
from tests.postgres.accidents import ACCIDENTS, Accident, become_migrator, deploy, roll_back
from tests.postgres.events import upgrade_event
from tests.postgres.functions import metrics_in
from tests.postgres.lambda_context import Context
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import columns, recorded, sleeps
from tests.waiting import wait_until

SLEEP = "SELECT pg_sleep(2)"


@pytest.fixture
def project(tmp_path: Path, bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Deploy a project with one revision in the environment of the migrator, and return the project."""
    project = Project(tmp_path / "project")
    project.add("r1", "CREATE TABLE t (id int)")
    become_migrator(bootstrapped, monkeypatch, project.folder)
    deploy(project, kind="Create")
    return project


accidents = pytest.mark.parametrize("accident", ACCIDENTS.values(), ids=ACCIDENTS)


@accidents
def test_a_rollback_succeeds_whatever_has_happened_to_the_database(
    project: Project,
    bootstrapped: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    accident: Accident,
) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    accident.happen(bootstrapped, monkeypatch)
    capsys.readouterr()
    began = time.monotonic()
    data = roll_back(project)
    assert time.monotonic() - began < 30  # of the 60 s of the function
    assert data["RevisionsApplied"] == "0"
    assert [record for record in caplog.records if record.levelname == "WARNING"]
    metrics = metrics_in(capsys.readouterr().out)
    assert metrics.get("RollbackWithoutDatabase", 0) == (0 if accident.answers else 1)
    accident.undo(bootstrapped, monkeypatch)
    project.add("r2", "ALTER TABLE t ADD name text")
    assert deploy(project)["Revision"] == "r2"


@pytest.mark.parametrize("name", ["login revoked", "server stopped"])
def test_a_rollback_is_recognised_by_its_properties_if_cloudformation_does_not_answer(
    project: Project, bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ACCIDENTS[name].happen(bootstrapped, monkeypatch)
    event = upgrade_event(project, "Update", ("r1", "r2"))
    del event["RollingBack"]
    assert upgrade_handler.is_complete(event, Context())["IsComplete"] is True


@pytest.mark.parametrize(("name", "words"), [("login revoked", "authentication failed"), ("server stopped", "refused")])
def test_a_deployment_to_an_unreachable_database_fails_with_the_reason(
    project: Project, bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    ACCIDENTS[name].happen(bootstrapped, monkeypatch)
    with pytest.raises(MigratorError, match=words):
        deploy(project)


# Invocations that run after the end of their deployment


@pytest.fixture
def late(project: Project, bootstrapped: Cluster) -> Iterator[list[BaseException]]:
    """Start a deployment of two slow revisions; return its errors, and wait for its end after the test."""
    project.add("r2", SLEEP, "ALTER TABLE t ADD r2 int")
    project.add("r3", "ALTER TABLE t ADD r3 int")
    errors: list[BaseException] = []
    event = upgrade_event(project, "Update", ("r1",), StartedAt=str(time.time()), RequestId="late")

    def invoke() -> None:
        try:
            upgrade_handler.is_complete(event, Context())
        except MigratorError as exc:
            errors.append(exc)

    thread = threading.Thread(target=invoke)
    thread.start()
    wait_until(lambda: sleeps(bootstrapped, SLEEP))
    yield errors
    thread.join()


@pytest.mark.parametrize("end", ["rollback", "rollback without a table of cancellations", "deletion"])
def test_a_revision_in_progress_is_stopped_when_its_deployment_is_rolled_back(
    project: Project, bootstrapped: Cluster, late: list[BaseException], end: str
) -> None:
    if end == "rollback without a table of cancellations":
        bootstrapped.admin("DROP TABLE alembic_history.cancellations")
    if end != "deletion":
        roll_back(project, old=("r1", "r2", "r3"))
    else:
        upgrade_handler.is_complete(upgrade_event(project, "Delete"), Context())
    wait_until(lambda: bool(late))
    assert "this deployment was rolled back by CloudFormation" in str(late[0])
    assert columns(bootstrapped) == ["id"]
    assert recorded(bootstrapped) == ["r1"]


def test_the_deployment_after_a_rollback_is_not_stopped(project: Project, late: list[BaseException]) -> None:
    roll_back(project, old=("r1", "r2", "r3"))
    project.add("r2", "ALTER TABLE t ADD other int")
    assert deploy(project, StartedAt=str(time.time()))["Revision"] == "r2"


def test_another_stack_on_the_same_database_is_not_stopped_by_a_rollback(
    project: Project, bootstrapped: Cluster, late: list[BaseException]
) -> None:
    other = "arn:aws:cloudformation:eu-central-1:000000000000:stack/Other/00000000"
    upgrade_handler.is_complete(upgrade_event(project, "Delete", StackId=other), Context())
    wait_until(lambda: "r3" in columns(bootstrapped))
    assert late == []


def test_no_revision_starts_after_the_time_of_the_custom_resource(project: Project, bootstrapped: Cluster) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    with pytest.raises(MigratorError, match="the upgrade took longer than the 3600 s that CloudFormation waits"):
        deploy(project, StartedAt=str(time.time() - 3500))
    assert recorded(bootstrapped) == ["r1"]


def test_a_revision_in_progress_is_stopped_before_the_end_of_the_time_of_the_custom_resource(
    project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "SELECT pg_sleep(60)")
    event = upgrade_event(project, "Update", ("r1",), StartedAt=str(time.time()))
    event["ResourceProperties"] = {**event["ResourceProperties"], "TimeoutSeconds": "1"}  # type: ignore[dict-item] # a map
    with pytest.raises(MigratorError, match=r"revision r2 failed: 57014"):
        upgrade_handler.is_complete(event, Context())
    assert recorded(bootstrapped) == ["r1"]


# The end of the function's process


def test_the_error_of_a_killed_function_names_the_revision_in_progress(project: Project, bootstrapped: Cluster) -> None:
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    project.add("r2", body=f"op.execute('ALTER TABLE t ADD name text')\n{kill}")
    with pytest.raises(MigratorError, match=r"revision r2 was in progress when its process was killed \(SIGKILL\)"):
        deploy(project)
    wait_until(lambda: not bootstrapped.admin("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"))
    assert columns(bootstrapped) == ["id"]


def test_an_upgrade_that_loses_its_lock_waits_for_it_before_the_next_revision(
    project: Project, bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locked_upgrade, "MIN_REVISION_SECONDS", 0.0)  # otherwise r3 is left for the next invocation
    project.add("r2", SLEEP)
    project.add("r3", "ALTER TABLE t ADD r3 int")
    with closing(bootstrapped.connect_with_token("migrator")) as other:
        other.autocommit = True

        def take_lock_away() -> None:
            wait_until(lambda: sleeps(bootstrapped, SLEEP))
            bootstrapped.admin("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", (0x75706772616465,))

        thief = threading.Thread(target=take_lock_away)
        thief.start()
        event = upgrade_event(project, "Update", ("r1",))
        with pytest.raises(MigratorError, match="another upgrade is still running"):
            upgrade_handler.is_complete(event, Context(seconds_left=20))
        thief.join()
    assert columns(bootstrapped) == ["id"]


def test_the_session_with_the_lock_survives_on_a_server_that_ends_idle_sessions(
    project: Project, bootstrapped: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrapped.admin("ALTER DATABASE app SET idle_session_timeout = '200ms'")
    project.add("r2", "SELECT pg_sleep(0.8)")
    capsys.readouterr()
    assert deploy(project)["RevisionsApplied"] == "1"
    assert metrics_in(capsys.readouterr().out)["UpgradeRetries"] == 0
