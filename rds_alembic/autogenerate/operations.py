"""Alembic's operations for objects of a catalog. Each is rendered as a call of `op` that plain Alembic runs.

The statements that Alembic has no operation for are `op.execute()`.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from rds_alembic.autogenerate.catalog import (
    Catalog,
    Column,
    Constraint,
    Index,
    Name,
    Table,
)
from rds_alembic.autogenerate.column_types import RawType, sqlalchemy_type
from rds_alembic.autogenerate.rendering import CreateCheckConstraintOp, CreatePrimaryKeyOp, DropConstraintOp
from rds_alembic.autogenerate.sequence_options import identity_of
from rds_alembic.autogenerate.sql_text import RevisionText, escape, qualified, quote

_SERIAL_TYPES = {"smallint": "SMALLSERIAL", "integer": "SERIAL", "bigint": "BIGSERIAL"}


def execute(sql: str) -> ops.ExecuteSQLOp:
    """Return the operation that executes a SQL statement."""
    return ops.ExecuteSQLOp(escape(sql))


def create_table(table: Table, catalog: Catalog, inline: Sequence[Constraint]) -> ops.CreateTableOp:
    """Return the operation that creates a table with the constraints `inline`."""
    primary_key = next((constraint for constraint in inline if constraint.kind == "p"), None)
    key_columns = primary_key.columns if primary_key else ()
    columns = [column_of(column, catalog, key_columns) for column in table.columns.values()]
    schema, name = table.name
    options: dict[str, Any] = {}
    if table.properties["PARTITION BY"]:
        options["postgresql_partition_by"] = table.properties["PARTITION BY"]
    if table.properties["INHERITS"]:
        options["postgresql_inherits"] = table.properties["INHERITS"]
    if table.options:
        options["postgresql_with"] = dict(option.split("=", 1) for option in table.options)
    if table.properties["UNLOGGED"]:
        options["prefixes"] = ["UNLOGGED"]
    if table.properties["TABLESPACE"]:
        options["postgresql_tablespace"] = table.properties["TABLESPACE"]
    constraints = [inline_constraint(constraint) for constraint in inline]
    return ops.CreateTableOp(name, [*columns, *constraints], schema=schema, comment=table.comment, **options)


def column_of(column: Column, catalog: Catalog, key_columns: Sequence[str] = ()) -> sa.Column[Any]:
    """Return a column for op.create_table() or op.add_column(). `key_columns` are those of the primary key."""
    arguments: list[Any] = []
    options: dict[str, Any] = {"nullable": column.nullable}
    type_: Any = sqlalchemy_type(column.type, catalog.enums)
    is_only_key = list(key_columns) == [column.name]
    if column.identity is not None:
        arguments.append(identity_of(column.identity))
    elif column.generated:
        arguments.append(sa.Computed(RevisionText(escape(column.text or "")), persisted=column.generated == "s"))
    elif column.serial is not None and not is_only_key:
        type_ = RawType(_SERIAL_TYPES[column.type.text])
    elif column.default is not None:
        options["server_default"] = RevisionText(escape(column.text or ""))
    elif column.serial is None and is_only_key and column.type.text in _SERIAL_TYPES:
        options["autoincrement"] = False
    return sa.Column(column.name, type_, *arguments, comment=column.comment, **options)


def add_column(table: Name, column: Column, catalog: Catalog) -> ops.AddColumnOp:
    """Return the operation that adds a column."""
    schema, name = table
    return ops.AddColumnOp(name, column_of(column, catalog), schema=schema)


def drop_column(table: Name, column: Column, catalog: Catalog) -> ops.DropColumnOp:
    """Return the operation that drops a column."""
    schema, name = table
    return ops.DropColumnOp(name, column.name, schema=schema, _reverse=add_column(table, column, catalog))


def drop_table(table: Table, catalog: Catalog) -> ops.DropTableOp:
    """Return the operation that drops a table."""
    schema, name = table.name
    return ops.DropTableOp(name, schema=schema, _reverse=create_table(table, catalog, ()))


def create_index(table: Name, index: Index) -> ops.CreateIndexOp:
    """Return the operation that creates an index."""
    schema, name = table
    options = dict(index.options)
    if index.where is not None:
        options["postgresql_where"] = RevisionText(escape(index.where))
    plain = {quote(column): column for column in index.columns}
    columns: list[Any] = [plain.get(element) or RevisionText(element) for element in index.elements]
    return ops.CreateIndexOp(conv(index.name), name, columns, schema=schema, unique=index.unique, **options)


def drop_index(table: Name, index: Index) -> ops.DropIndexOp:
    """Return the operation that drops an index."""
    schema, name = table
    return ops.DropIndexOp(conv(index.name), name, schema=schema, _reverse=create_index(table, index))


def drop_constraint(table: Name, constraint: Constraint) -> DropConstraintOp:
    """Return the operation that drops a constraint."""
    schema, name = table
    kinds = {"c": "check", "f": "foreignkey", "p": "primary", "u": "unique", "x": None}
    return DropConstraintOp(conv(constraint.name), name, kinds[constraint.kind], schema=schema)


def is_plain(constraint: Constraint) -> bool:
    """Return True if Alembic has arguments for everything in the constraint."""
    match constraint.kind:
        case "x":
            return False
        case "p":
            return not constraint.include and not constraint.actions
        case "c":
            return not constraint.definition.endswith(" NO INHERIT")
        case "u":
            return not constraint.include and "NULLS NOT DISTINCT" not in constraint.definition
        case _:
            return "PERIOD" not in constraint.definition and "NOT ENFORCED" not in constraint.definition


def inline_constraint(constraint: Constraint) -> Any:
    """Return a plain constraint for op.create_table()."""
    name = conv(constraint.name)
    match constraint.kind:
        case "p":
            return sa.PrimaryKeyConstraint(*constraint.columns, name=name)
        case "c":
            return sa.CheckConstraint(RevisionText(escape(constraint.text)), name=name)
        case "u":
            return sa.UniqueConstraint(*constraint.columns, name=name, **constraint.actions)
    target = ".".join(part for part in constraint.referred or () if part)
    referred = [f"{target}.{column}" for column in constraint.referred_columns]
    return sa.ForeignKeyConstraint(constraint.columns, referred, name=name, **constraint.actions)


def create_constraint(table: Name, constraint: Constraint) -> ops.MigrateOperation:
    """Return the operation that adds a constraint to a table."""
    schema, name = table
    if not is_plain(constraint):
        validity = "" if constraint.valid else " NOT VALID"
        add = f"ADD CONSTRAINT {quote(constraint.name)} {constraint.text}{validity}"
        return execute(f"ALTER TABLE {qualified(table)} {add}")
    options: dict[str, Any] = {} if constraint.valid else {"postgresql_not_valid": True}
    constraint_name = conv(constraint.name)
    match constraint.kind:
        case "p":
            return CreatePrimaryKeyOp(constraint_name, name, list(constraint.columns), schema=schema)
        case "c":
            text: Any = RevisionText(escape(constraint.text))
            return CreateCheckConstraintOp(constraint_name, name, text, schema=schema, **options)
        case "u":
            columns = list(constraint.columns)
            return ops.CreateUniqueConstraintOp(constraint_name, name, columns, schema=schema, **constraint.actions)
    referred_schema, referred = constraint.referred or (None, "")
    return ops.CreateForeignKeyOp(
        constraint_name,
        name,
        referred,
        list(constraint.columns),
        list(constraint.referred_columns),
        source_schema=schema,
        referent_schema=referred_schema,
        **constraint.actions,
        **options,
    )
