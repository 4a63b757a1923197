"""The rules of roles, and the default of the master user."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from rds_alembic.constructs.checks.database import PostgresDatabase, is_known
from rds_alembic.constructs.checks.values import check_different, check_name, check_names, check_role
from rds_alembic.errors import RdsAlembicError


@dataclass(frozen=True)
class MasterUser:
    """The name of the master user, and the secret with its password."""

    user: str
    secret: secretsmanager.ISecret


def choose_master(database: PostgresDatabase, user: str | None, secret: secretsmanager.ISecret | None) -> MasterUser:
    """Return the given master user, or by default the one of a server that the app creates.

    Raises RdsAlembicError if a part is neither given nor known.
    """
    chosen_secret: Any = secret if secret is not None else getattr(database, "secret", None)
    if not hasattr(chosen_secret, "secret_arn"):
        raise RdsAlembicError(
            f"master_secret must be set for a database without a secret in the app (got {secret!r} for "
            f"{database.node.path}): the secret of Secrets Manager with the keys username and password"
        )
    chosen_user = user if user is not None else _master_user(database, secret)
    if chosen_user is None:
        raise RdsAlembicError(
            f"master_user must be set, because the app does not name it (got None for {database.node.path})"
        )
    check_name("master_user", chosen_user)
    return MasterUser(chosen_user, chosen_secret)


def check_roles(
    *, owner: str, migrator: str, users: Sequence[str], reader: str | None = None, master_user: str
) -> None:
    """Check the names of the roles. Each role has one purpose."""
    check_role("owner", owner)
    check_role("migrator", migrator)
    names = check_names("users", users)
    others = [(f"users[{index}]", name) for index, name in enumerate(names)]
    if reader is not None:
        check_role("reader", reader)
        others.append(("reader", reader))
    check_different([("master_user", master_user), ("owner", owner), ("migrator", migrator), *others])


def _master_user(database: PostgresDatabase, secret: secretsmanager.ISecret | None) -> str | None:
    """Return the master user in the resource of the server, or in the template of a generated secret."""
    resource = database.node.default_child
    if isinstance(resource, rds.CfnDBInstance | rds.CfnDBCluster) and is_known(resource.master_username):
        return resource.master_username
    scopes: list[Any] = [secret, database] if secret is not None else [database]
    templates = [
        node for scope in scopes for node in scope.node.find_all() if isinstance(node, secretsmanager.CfnSecret)
    ]
    # The secret of a restored cluster comes after the one that CDK creates for all clusters.
    for node in reversed(templates):
        generated = Stack.of(node).resolve(node.generate_secret_string) or {}
        if user := json.loads(generated.get("secretStringTemplate", "{}")).get("username"):
            return str(user)
    return None
