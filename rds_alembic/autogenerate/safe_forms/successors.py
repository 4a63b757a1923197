"""The safe forms that fill a second column: a change of a type that rewrites the table, and a new name."""

from collections.abc import Iterator, Sequence
from typing import cast

import sqlalchemy as sa
from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms import sync_triggers
from rds_alembic.autogenerate.safe_forms.backfill import backfill
from rds_alembic.autogenerate.safe_forms.constraints import drop_by_name, validate
from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import CATALOG, Forms, NoSafeFormError, locks
from rds_alembic.autogenerate.safe_forms.names import shorten
from rds_alembic.autogenerate.safe_forms.not_null import add_check, check_name, not_null, set_not_null
from rds_alembic.autogenerate.safe_forms.operations import Call, Commented, execute
from rds_alembic.autogenerate.safe_forms.steps import Operations, Phase, Step

_TYPE_TEXT = (
    "PostgreSQL would rewrite the table for this type and block all other sessions. Therefore a second column is"
    " filled, by a trigger and in batches, and gets the name of the first at the end. The code must be able to read"
    " both types, and write values that only the new type can hold from the next deployment on."
)


def change_type(forms: Forms, table: Table, old: str, operations: Sequence[ops.AlterColumnOp]) -> Iterator[Step]:
    """Yield the steps that change a type without rewriting the table under a lock.

    Raises NoSafeFormError if other objects depend on the column: they would be dropped with it.
    """
    (operation,) = [operation for operation in operations if operation.modify_type is not None]
    column = forms.tables[table].columns[old]
    _reject(forms, table, column, operations)
    new = shorten(f"{old}_new")
    value = operation.kw.get("postgresql_using") or f"CAST({forms.quote(old)} AS {forms.type_sql(column.type)})"
    create = sync_triggers.create_forward(forms, table, old, new, value=value)
    yield _expand(forms, table, old, sa.Column(new, column.type, nullable=True), create, text=_TYPE_TEXT)
    yield backfill(forms, table, new, value, only_if=f"({value}) IS NOT NULL")
    if not column.nullable:
        check = check_name(table, new)
        add = add_check(forms, table, new, not_valid=True)
        drop = drop_by_name(table, check, "check")
        yield Step(Phase.EXPAND, str(table), _title(table, old, new), (add,), (drop,))
        yield validate(forms, table, check)
    yield _swap(forms, table, operation, create)


def _reject(forms: Forms, table: Table, column: sa.Column[object], operations: Sequence[ops.AlterColumnOp]) -> None:
    if any(operation.modify_nullable is not None for operation in operations):
        raise NoSafeFormError(
            f"column {table}.{column.name} must change its type and its NOT NULL one after the other: change nullable"
            " in the tables first, and the type after the next make revision"
        )
    dependents = forms.database.dependents(table, column.name)
    if dependents or column.identity is not None or column.computed is not None:
        reasons = ", ".join(dependents) or "generated values"
        raise NoSafeFormError(
            f"column {table}.{column.name} must not be used by other objects to change its type in place (got"
            f" {reasons}): they would be dropped with the old column. Add a column {column.name}_new of type"
            f" {forms.type_sql(column.type)} to the tables, fill it, and create for it what the old column has"
            " (docs/writing-migrations.md#change-the-type-of-a-column). Or generate this change alone with -x plain,"
            " for a table that is small or not in use"
        )


def rename_column(forms: Forms, drop: ops.DropColumnOp, add: ops.AddColumnOp) -> Iterator[Step]:
    """Yield the first steps of a new name: both columns, synchronized by a trigger.

    The new column gets no default: the trigger would take the default for a value that the code has written.
    """
    table, old, column = Table(add.schema, add.table_name), drop.column_name, add.column
    create = sync_triggers.create_both_ways(forms, table, old, column.name)
    text = (
        f"Deployment 1 of 3: the code uses {old}, and a trigger synchronizes {old} and {column.name}. Deployment 2: the"
        f" code uses {column.name} instead, without a revision. Deployment 3: make revision writes the revision that"
        f" drops {old} and the trigger."
    )
    nullable = sa.Column(column.name, column.type, nullable=True, comment=column.comment)
    yield _expand(forms, table, old, nullable, create, text=text)
    yield backfill(forms, table, column.name, forms.quote(old), only_if=f"{forms.quote(old)} IS NOT NULL")
    if not column.nullable:
        yield from not_null(forms, table, column.name, title=_title(table, old, column.name))


def _expand(forms: Forms, table: Table, old: str, column: sa.Column[object], create: Operations, *, text: str) -> Step:
    add = ops.AddColumnOp(table.name, column, schema=table.schema)
    drop = sync_triggers.drop(forms, table, sync_triggers.trigger_name(table, old))
    return Step(
        Phase.EXPAND,
        str(table),
        _title(table, old, column.name),
        (add, *create),
        (*drop, Call("drop_column", table.name, str(column.name), schema=table.schema)),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG), text),
    )


def _title(table: Table, old: str, new: str) -> str:
    return f"add {new} beside {table}.{old}"


def _swap(forms: Forms, table: Table, operation: ops.AlterColumnOp, create: Operations) -> Step:
    old = operation.column_name
    new, column = shorten(f"{old}_new"), forms.tables[table].columns[old]
    drop_column = Call("drop_column", table.name, old, schema=table.schema)
    rename = Call("alter_column", table.name, new, schema=table.schema, new_column_name=old)
    upgrade: list[ops.MigrateOperation] = [
        *sync_triggers.drop(forms, table, sync_triggers.trigger_name(table, old)),
        *(() if column.nullable else set_not_null(table, new)),
        Commented("lint-sql: ignore[ban-drop-column] the next statement renames the new column", drop_column),
        Commented("lint-sql: ignore[renaming-column] no code uses the old name", rename),
    ]
    default = forms.default_sql(column)
    if default is not None:
        upgrade.append(execute(f"{_alter(forms, table, old)} SET DEFAULT {default}"))
    if column.comment is not None:
        upgrade.append(ops.AlterColumnOp(table.name, old, schema=table.schema, modify_comment=column.comment))
    text = "The column is now the last column of the table. downgrade() writes every row under this lock."
    return Step(
        Phase.FINISH,
        str(table),
        f"replace {table}.{old}",
        tuple(upgrade),
        tuple(_swap_back(forms, table, operation, create)),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG), text),
    )


def _swap_back(
    forms: Forms, table: Table, operation: ops.AlterColumnOp, create: Operations
) -> Iterator[ops.MigrateOperation]:
    """Yield the operations that restore both columns, with their values."""
    old = operation.column_name
    new, column, name = shorten(f"{old}_new"), forms.tables[table].columns[old], forms.database.identifier(table)
    type_ = cast("sa.types.TypeEngine[object]", operation.existing_type)
    value = _value_back(forms, table, old, type_)
    yield Call("alter_column", table.name, old, schema=table.schema, new_column_name=new)
    yield ops.AddColumnOp(
        table.name, sa.Column(old, type_, nullable=True, comment=operation.existing_comment), schema=table.schema
    )
    yield execute(f"UPDATE {name} SET {forms.quote(old)} = {value}")  # noqa: S608 - names
    default = forms.database.default(table, old)
    if default is not None:
        yield execute(f"{_alter(forms, table, old)} SET DEFAULT {default}")
    yield execute(f"{_alter(forms, table, new)} DROP DEFAULT")
    if not column.nullable:
        yield ops.AlterColumnOp(table.name, old, schema=table.schema, modify_nullable=False)
        yield add_check(forms, table, new)
        yield ops.AlterColumnOp(table.name, new, schema=table.schema, modify_nullable=True)
    yield from create


def _value_back(forms: Forms, table: Table, column: str, type_: sa.types.TypeEngine[object]) -> str:
    """Return the SQL of the old value, by the expression of Alembic's downgrade() if it has one."""
    name, alias = forms.quote(column), forms.quote(table.name)
    expressions = [operation.kw.get("postgresql_using") for operation in forms.inverses.alterations(table, column)]
    value = next(filter(None, expressions), f"CAST({name} AS {forms.type_sql(type_)})")
    new = forms.quote(shorten(f"{column}_new"))
    return f"(SELECT {value} FROM (SELECT {alias}.{new} AS {name}) AS {alias})"  # noqa: S608 - names


def _alter(forms: Forms, table: Table, column: str) -> str:
    return f"ALTER TABLE {forms.database.identifier(table)} ALTER COLUMN {forms.quote(column)}"
