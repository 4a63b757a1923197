"""Accidents of a deployed database, and deployments and rollbacks in the migrator's environment."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migrator import upgrade_handler
from rds_iam import connection
from tests.postgres.events import upgrade_event
from tests.postgres.functions import become
from tests.postgres.lambda_context import Context
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster


def become_migrator(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    """Set the environment of the migrator with a project in its zip, and shorten the times of its retries."""
    monkeypatch.setattr(connection, "REJECTED_LOGIN_RETRY_SECONDS", 0.3)
    monkeypatch.setattr(connection, "UNREACHABLE_RETRY_SECONDS", 0.3)
    monkeypatch.setattr(upgrade_handler, "ROLLBACK_SECONDS", 0.3)
    become(monkeypatch, cluster, "migrator")
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(project.parent))


def deploy(
    project: Project, *, kind: str = "Update", old: tuple[str, ...] = ("r1",), **added: object
) -> dict[str, Any]:
    """Call the migrator with an event, and return the data of its answer."""
    answer = upgrade_handler.is_complete(upgrade_event(project, kind, old, **added), Context())
    data = answer["Data"]
    assert isinstance(data, dict)
    return data


def roll_back(project: Project, *, old: tuple[str, ...] = ("r1", "r2")) -> dict[str, Any]:
    """Deploy the first revision, as CloudFormation does after a failed deployment of the revisions `old`."""
    for revision in project.revisions[1:]:
        project.remove(revision)
    return deploy(project, old=old, RollingBack=True)


@dataclass(frozen=True)
class Accident:
    """An accident and its correction. `answers` is true if the migrator can connect meanwhile."""

    happen: Callable[[Cluster, pytest.MonkeyPatch], object]
    undo: Callable[[Cluster, pytest.MonkeyPatch], object]
    answers: bool


def revoke_login(cluster: Cluster) -> None:
    for (grantor,) in cluster.admin("SELECT grantor::regrole FROM pg_auth_members WHERE member = 'migrator'::regrole"):
        cluster.admin(f"REVOKE rds_iam FROM migrator GRANTED BY {grantor}")


def stop_server(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")  # a stopped server refuses connections


def start_server(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", str(cluster.postgres.port))


ACCIDENTS = {
    "login revoked": Accident(
        lambda cluster, _: revoke_login(cluster),
        lambda cluster, _: cluster.admin("GRANT rds_iam TO migrator"),
        answers=False,
    ),
    "login closed": Accident(
        lambda cluster, _: cluster.admin("ALTER ROLE migrator NOLOGIN"),
        lambda cluster, _: cluster.admin("ALTER ROLE migrator LOGIN"),
        answers=False,
    ),
    "server stopped": Accident(stop_server, start_server, answers=False),
    "stamped by hand": Accident(
        lambda cluster, _: cluster.admin("UPDATE alembic_version SET version_num = 'stranger'"),
        lambda cluster, _: cluster.admin("UPDATE alembic_version SET version_num = 'r1'"),
        answers=True,
    ),
    "version table dropped": Accident(
        lambda cluster, _: cluster.admin("ALTER TABLE alembic_version RENAME TO hidden"),
        lambda cluster, _: cluster.admin("ALTER TABLE hidden RENAME TO alembic_version"),
        answers=True,
    ),
    "log dropped": Accident(
        lambda cluster, _: cluster.admin("DROP SCHEMA alembic_history CASCADE"), lambda *_: None, answers=True
    ),
    "log not writable": Accident(
        lambda cluster, _: cluster.admin("ALTER SCHEMA alembic_history OWNER TO rdsadmin"),
        lambda cluster, _: cluster.admin("ALTER SCHEMA alembic_history OWNER TO app_owner"),
        answers=True,
    ),
}
