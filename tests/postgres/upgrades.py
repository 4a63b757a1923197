"""Upgrades in tests, and their effects."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import UpgradeError
from migrator.events import UpgradeRequest
from migrator.upgrade import upgrade
from migrator.upgrade_context import Outcome, UpgradeContext
from rds_iam.deadline import Deadline
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster

type Upgrade = Callable[..., Outcome]


def run_upgrade(
    connect: Callable[..., Connection],
    folder: Path,
    request: UpgradeRequest,
    *,
    seconds: float = 60.0,
    invocation: str = "",
) -> Outcome:
    """Upgrade with the project in a folder, as the migrator does within `seconds`."""

    def connect_to(database: str) -> Connection:
        return connect(database=database)

    return upgrade(UpgradeContext(request, folder, connect, Deadline.after(seconds), invocation, connect_to=connect_to))


def as_migrator(cluster: Cluster, **options: Any) -> Callable[..., Connection]:
    """Return a function that logs in as the migrator, with a new token each time; `options` are psycopg2's."""
    return partial(cluster.connect_with_token, "migrator", **options)


def refusal(run: Upgrade, project: Project) -> str:
    """Return the error of an upgrade that fails without a retry, which would take until its deadline."""
    began = time.monotonic()
    with pytest.raises(UpgradeError) as error:
        run(project)
    assert time.monotonic() - began < 30  # of the 60 s of the upgrade
    return str(error.value)


def columns(cluster: Cluster, table: str = "t") -> list[str]:
    rows = cluster.admin(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY 1")
    return [str(name) for (name,) in rows]


def recorded(cluster: Cluster) -> list[str]:
    return [str(name) for (name,) in cluster.admin("SELECT revision FROM alembic_history.revisions ORDER BY id")]


def sleeps(cluster: Cluster, statement: str) -> bool:
    """Return whether a session is executing the statement, which sleeps."""
    return bool(cluster.admin(f"SELECT 1 FROM pg_stat_activity WHERE query = '{statement}' AND state = 'active'"))
