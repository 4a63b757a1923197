"""The rules of a database. An imported database is checked as far as its attributes are known at synth."""

from typing import Any

from aws_cdk import Stack, Token
from aws_cdk import aws_rds as rds
from typing_extensions import TypeIs

from rds_alembic.errors import RdsAlembicError

ENGINES = ("postgres", "aurora-postgresql")

type PostgresDatabase = rds.IDatabaseInstance | rds.IDatabaseCluster


def is_cluster(database: PostgresDatabase) -> TypeIs[rds.IDatabaseCluster]:
    """Return whether a database is a cluster.

    isinstance does not work with the interfaces of jsii, and an imported database has no public class.
    """
    return hasattr(database, "cluster_identifier")


def check_database(database: Any) -> None:
    """Check that functions can log in to a database with IAM tokens."""
    if not hasattr(database, "grant_connect") or not hasattr(database, "engine"):
        raise RdsAlembicError(
            "database must be a DatabaseInstance or a DatabaseCluster of aws_cdk.aws_rds, created or imported "
            f"(got {_shown(database)})"
        )
    engine = database.engine and database.engine.engine_type
    if engine and engine not in ENGINES:
        raise RdsAlembicError(f"the engine of database must be {' or '.join(ENGINES)} (got {engine!r})")
    _check_resource(database)
    if is_cluster(database):
        _check_cluster(database)
    elif not database.instance_resource_id:
        raise RdsAlembicError(
            f"instance_resource_id of database must be set (got None in {database.node.path}): a policy for IAM tokens "
            "names it"
        )


def _check_resource(database: Any) -> None:
    """Check a database that the app creates. An imported one has no resource."""
    resource = database.node.default_child
    if not isinstance(resource, rds.CfnDBInstance | rds.CfnDBCluster):
        return
    source = (
        "source_db_instance_identifier" if isinstance(resource, rds.CfnDBInstance) else "replication_source_identifier"
    )
    if getattr(resource, source, None):
        raise RdsAlembicError(f"database must be a primary, because a replica is read-only (got {_shown(database)})")
    iam_authentication = Stack.of(database).resolve(resource.enable_iam_database_authentication)
    # For an instance whose prop is not set, CDK turns IAM authentication on when a function is allowed to connect.
    is_off = iam_authentication is False or (iam_authentication is None and isinstance(resource, rds.CfnDBCluster))
    if is_off:
        raise RdsAlembicError(
            f"iam_authentication of database must be True (got {iam_authentication} in {database.node.path})"
        )


def _check_cluster(database: Any) -> None:
    for attribute, prop in (
        ("cluster_endpoint", "cluster_endpoint_address and port"),
        ("cluster_resource_identifier", "cluster_resource_identifier"),
    ):
        try:
            getattr(database, attribute)
        except RuntimeError as exc:  # of jsii
            raise RdsAlembicError(
                f"{prop} of database must be set where it is imported (got None in {database.node.path})"
            ) from exc


def default_database_name(database: PostgresDatabase) -> str:
    """Return the initial database of a server that the app creates: `postgres`, unless the app names another."""
    resource = database.node.default_child
    is_snapshot = any(
        getattr(resource, name, None)
        for name in ("db_snapshot_identifier", "snapshot_identifier", "db_cluster_snapshot_identifier")
    )
    if isinstance(resource, rds.CfnDBInstance | rds.CfnDBCluster) and not is_snapshot:
        name = resource.db_name if isinstance(resource, rds.CfnDBInstance) else resource.database_name
        return str(Stack.of(database).resolve(name) or "postgres")
    raise RdsAlembicError(
        f"database_name must be set for an imported or restored database (got None for {database.node.path})"
    )


def _shown(value: Any) -> str:
    node = getattr(value, "node", None)
    return f"{type(value).__name__} {node.path}" if node else repr(value)


def is_known(value: object) -> TypeIs[str]:
    """Return whether a value is a text at synth already."""
    return isinstance(value, str) and bool(value) and not Token.is_unresolved(value)
