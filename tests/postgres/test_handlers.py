"""The handlers of the migrator and the querier, called as Lambda calls them."""

from pathlib import Path
from typing import Any

import psycopg2
import pytest

from localaws.certificates import CertificateAuthority
from migrator import request_handler, roles_handler, upgrade_handler
from migrator.errors import MigratorError
from querier import handler as querier_handler
from rds_iam import connection
from rds_iam.errors import ConnectError
from tests.postgres.events import upgrade_event
from tests.postgres.functions import become, metrics_in
from tests.postgres.lambda_context import Context
from tests.postgres.projects import Project
from tests.postgres.servers import KEYS, Cluster

UNCHANGED = {"RevisionsApplied": "0", "Invocations": "1", "Seconds": "0.000"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REJECTED_LOGIN_RETRY_SECONDS", 0.5)


@pytest.fixture
def project(tmp_path: Path, bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project in the zip of the migrator, and set the environment of the migrator."""
    project = Project(tmp_path / "project")
    project.add("r1", "CREATE TABLE t (id int)")
    become(monkeypatch, bootstrapped, "migrator")
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(project.folder.parent))
    return project


def test_an_upgrade_returns_the_revision_the_database_has_reached(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    event = upgrade_event(project)
    added = request_handler.on_event(event, Context())
    assert (added["PhysicalResourceId"], added["RollingBack"]) == ("alembic-upgrade", False)
    answer = upgrade_handler.is_complete(event | added, Context())
    assert answer["IsComplete"] is True
    data = answer["Data"]
    assert isinstance(data, dict)
    assert all(isinstance(value, str) for value in data.values())
    assert (data["Revision"], data["RevisionsApplied"], data["Schema"]) == ("r1", "1", "at head")
    assert 0 < float(data["Seconds"]) < 60
    metrics = metrics_in(capsys.readouterr().out)
    assert metrics["RevisionsApplied"] == 1
    assert metrics["UpgradeSeconds"] >= float(data["Seconds"])
    assert metrics["UpgradeRetries"] == 0


def test_an_event_that_is_delivered_twice_applies_its_revisions_once(project: Project) -> None:
    event = upgrade_event(project)
    assert upgrade_handler.is_complete(event, Context()) == upgrade_handler.is_complete(event, Context())


def test_a_deployment_without_a_new_revision_does_not_apply_a_revision(project: Project) -> None:
    upgrade_handler.is_complete(upgrade_event(project), Context())
    answer = upgrade_handler.is_complete(upgrade_event(project, "Update", old=("r1",)), Context())
    assert answer["Data"] == {**UNCHANGED, "Revision": "r1", "Schema": "at head"}


def test_a_failed_upgrade_has_one_short_message_and_a_metric(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("r2", "ALTER TABLE nowhere ADD x int")
    with pytest.raises(MigratorError) as error:
        upgrade_handler.is_complete(upgrade_event(project), Context())
    assert str(error.value) == 'revision r2 failed: 42P01: relation "nowhere" does not exist'
    assert metrics_in(capsys.readouterr().out)["UpgradeFailed"] == 1


def test_a_long_error_of_the_server_is_shortened(project: Project) -> None:
    project.add("r2", f"DO $$ BEGIN RAISE EXCEPTION '{'x' * 5000}'; END $$")
    with pytest.raises(MigratorError, match="revision r2 failed: P0001: xxx") as error:
        upgrade_handler.is_complete(upgrade_event(project), Context())
    assert len(str(error.value).encode()) <= 900


def test_the_error_of_an_upgrade_contains_no_secret(project: Project) -> None:
    names = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    project.add("r2", body=f"import os\nraise ValueError([os.environ[name] for name in {names}])")
    with pytest.raises(MigratorError) as error:
        upgrade_handler.is_complete(upgrade_event(project), Context())
    for secret in (KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_SESSION_TOKEN"]):
        assert secret not in str(error.value)


def test_a_delete_does_not_change_the_schema(project: Project, bootstrapped: Cluster) -> None:
    upgrade_handler.is_complete(upgrade_event(project), Context())
    event = upgrade_event(project, "Delete")
    assert request_handler.on_event(event, Context()) == {"PhysicalResourceId": "alembic-upgrade"}
    assert upgrade_handler.is_complete(event, Context()) == {"IsComplete": True}
    assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [("r1",)]


def test_a_delete_succeeds_with_any_properties(project: Project) -> None:
    event = {"RequestType": "Delete", "PhysicalResourceId": "something", "ResourceProperties": {}}
    assert request_handler.on_event(event, Context()) == {"PhysicalResourceId": "something"}
    assert upgrade_handler.is_complete(event, Context()) == {"IsComplete": True}


@pytest.mark.parametrize("rolling_back", [True, None], ids=["by the stack's status", "by the properties"])
def test_a_rollback_succeeds_with_a_warning_and_a_metric(
    project: Project, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, rolling_back: bool | None
) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    upgrade_handler.is_complete(upgrade_event(project), Context())
    project.remove("r2")
    capsys.readouterr()
    event = upgrade_event(project, "Update", old=("r1", "r2"), RollingBack=rolling_back)
    answer = upgrade_handler.is_complete(event, Context())
    assert answer["Data"] == {**UNCHANGED, "Revision": "r2", "Schema": "ahead of the code by r2"}
    assert metrics_in(capsys.readouterr().out)["AheadOfCode"] == 1
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "the database is ahead of the code and stays there"
    ]


def test_an_invocation_without_time_for_all_revisions_is_not_complete(project: Project) -> None:
    project.add("r2", "ALTER TABLE t ADD name text")
    event = upgrade_event(project)
    first, second = Context(seconds_left=30, request_id="first"), Context(seconds_left=30, request_id="second")
    assert upgrade_handler.is_complete(event, first) == {"IsComplete": False}
    answer = upgrade_handler.is_complete(event, second)
    assert answer["IsComplete"] is True
    data = answer["Data"]
    assert isinstance(data, dict)
    assert (data["Revision"], data["RevisionsApplied"], data["Invocations"]) == ("r2", "2", "2")


@pytest.mark.parametrize("handler", [request_handler.on_event, upgrade_handler.is_complete, roles_handler.handler])
@pytest.mark.parametrize("event", [{}, {"RequestType": "Burn"}, {"RequestType": "Create"}])
def test_a_malformed_event_is_rejected(project: Project, handler: Any, event: dict[str, object]) -> None:
    with pytest.raises(MigratorError, match=r"RequestType must be|bad ResourceProperties"):
        handler(event, Context())


def test_a_malformed_environment_is_rejected(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST")
    monkeypatch.setenv("PGPORT", "5432x")
    with pytest.raises(MigratorError, match=r"PGHOST must be set .*; PGPORT must be a number .* \(got '5432x'\)"):
        upgrade_handler.is_complete(upgrade_event(project), Context())


def test_a_server_with_a_certificate_of_another_authority_is_rejected(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(CertificateAuthority(tmp_path / "other").ca_path))
    with pytest.raises(MigratorError, match="certificate verify failed"):
        upgrade_handler.is_complete(upgrade_event(project), Context())


@pytest.mark.usefixtures("without_policy")
def test_a_migrator_without_permission_to_connect_fails(project: Project) -> None:
    with pytest.raises(MigratorError, match='PAM authentication failed for user "migrator"'):
        upgrade_handler.is_complete(upgrade_event(project), Context())


def test_a_querier_that_cannot_write_its_row_fails(bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, bootstrapped, "querier")  # the table does not exist
    with pytest.raises(psycopg2.errors.UndefinedTable):
        querier_handler.handler({}, Context())


@pytest.mark.usefixtures("without_policy")
def test_a_querier_without_permission_to_connect_fails(bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, bootstrapped, "querier")
    with pytest.raises(ConnectError, match='PAM authentication failed for user "querier"'):
        querier_handler.handler({}, Context())
