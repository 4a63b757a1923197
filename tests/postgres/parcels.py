"""The large table of the recipes and of generated revisions: `parcels`, in databases that are copied quickly."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, cast

from localaws.rds import RdsInstance
from migrator.events import RolesRequest
from migrator.roles import reconcile
from migrator.settings import UpgradeSettings
from migrator.upgrade_context import Outcome
from tests.postgres.projects import Project
from tests.postgres.scenarios import FILL, SCHEMA
from tests.postgres.servers import SETTINGS, Cluster
from tests.postgres.upgrades import as_migrator, run_upgrade

SIZES = {"few": 1_000, "many": 200_000}
"""The template databases, and the number of their parcels."""
MANY, FEW = SIZES["many"], SIZES["few"]
# A right form holds nobody up for a tenth of this; the rest is for a machine that is busy with other things.
NOBODY_WAITS_SECONDS = 1.0
ROLES = RolesRequest("app_owner", "migrator", ("querier",))


@contextmanager
def templates(postgres: RdsInstance, project: Project, names: Sequence[str]) -> Iterator[Cluster]:
    """Create template databases with the tables of a project, and with few and many rows."""
    cluster = Cluster(postgres)
    cluster.reset()
    with cluster.connect_as_master() as master:
        reconcile(master, ROLES)
    run(cluster, project)
    try:
        for name in names:
            cluster.admin(FILL.format(rows=SIZES[name]))
            cluster.admin("VACUUM (FREEZE, ANALYZE) parcels")
            postgres.admin(f"CREATE DATABASE {name} TEMPLATE {SETTINGS.database}", database="postgres")
        yield cluster
    finally:
        for name in names:  # the roles own what is in them, and could not be dropped
            postgres.admin(f"DROP DATABASE IF EXISTS {name}", database="postgres")


def copied(cluster: Cluster, template: str) -> Cluster:
    """Replace the database by a copy of a template."""
    name, master_name, admin = SETTINGS.database, SETTINGS.master_username, cluster.postgres.admin
    admin(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")
    admin(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {master_name}", database="postgres")
    with cluster.connect_as_master() as master:
        reconcile(master, ROLES)  # a copy does not have the privileges on the database
    return cluster


def run(cluster: Cluster, project: Project, *, lock_timeout: float = 3.0) -> Outcome:
    """Upgrade as the migrator does: with a token, and with its session settings."""
    session = UpgradeSettings(lock_timeout).server_settings()
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    return run_upgrade(as_migrator(cluster, options=options), project.folder, project.request())


def schema(cluster: Cluster) -> list[str]:
    """Return a line for each object of the schema."""
    return [str(line) for (line,) in cluster.admin(SCHEMA)]


def filenode(cluster: Cluster) -> object:
    """Return the file node of the table, which a rewrite changes."""
    return cluster.admin("SELECT pg_relation_filenode('parcels')")


def by_id(cluster: Cluster, sql: str) -> dict[int, Any]:
    """Return the rows of a query with two columns, by the first column."""
    return dict(cast("list[tuple[int, Any]]", cluster.admin(sql)))


def lost(cluster: Cluster, columns: dict[str, str], written: dict[int, dict[str, object]]) -> list[object]:
    """Return the rows with other values than the written ones. `columns` maps the names to expressions."""
    named = ", ".join(f"'{name}', {column}" for name, column in columns.items())
    keys = ", ".join(map(str, written))
    rows = by_id(cluster, f"SELECT id, json_build_object({named}) FROM parcels WHERE id IN ({keys})")
    return [
        (values, rows[row])
        for row, values in written.items()
        if any(str(rows[row][name]).strip() != str(value).strip() for name, value in values.items())
    ]


@contextmanager
def held_open(cluster: Cluster, seconds: float) -> Iterator[None]:
    """Keep a transaction with a changed row open for some seconds."""
    with closing(cluster.connect_with_token("querier")) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE parcels SET weight = 1 WHERE id = 1")
        timer = threading.Timer(seconds, connection.commit)
        timer.start()
        yield
        timer.join()
