"""The foreign keys inside of CREATE TABLE."""

import copy
from collections.abc import Collection

import sqlalchemy as sa
from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms.database import Table


def foreign_keys(creation: ops.CreateTableOp) -> list[sa.ForeignKeyConstraint]:
    """Return the foreign keys that are created with a table."""
    keys = [item for item in creation.columns if isinstance(item, sa.ForeignKeyConstraint)]
    return sorted(keys, key=_signature)


def referent(key: sa.ForeignKeyConstraint) -> Table:
    """Return the table that a foreign key refers to."""
    *schema, table, _column = key.elements[0].target_fullname.split(".")
    return Table(".".join(schema) or None, table)


def addition(creation: ops.CreateTableOp, key: sa.ForeignKeyConstraint) -> ops.CreateForeignKeyOp:
    """Return the operation that adds a foreign key after its table is created."""
    constraints = creation.to_table().foreign_key_constraints  # a constraint of an operation may have no table
    bound = next(item for item in constraints if _signature(item) == _signature(key))
    return ops.CreateForeignKeyOp.from_constraint(bound)


def without(creation: ops.CreateTableOp, keys: Collection[sa.ForeignKeyConstraint]) -> ops.CreateTableOp:
    """Return the creation of the table without some of its foreign keys."""
    result = copy.copy(creation)
    result.columns = [
        item for item in creation.columns if not (isinstance(item, sa.ForeignKeyConstraint) and item in keys)
    ]
    return result


def _signature(key: sa.ForeignKeyConstraint) -> tuple[list[str], list[str]]:
    return list(key.column_keys), [element.target_fullname for element in key.elements]
