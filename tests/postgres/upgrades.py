"""Upgrades in tests, and their effects."""

import time
from collections.abc import Callable

import pytest

from migrator.errors import UpgradeError
from migrator.upgrade_context import Outcome
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster

type Upgrade = Callable[..., Outcome]


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
