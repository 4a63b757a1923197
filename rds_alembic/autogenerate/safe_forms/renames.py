"""The detection of columns that look renamed: one is dropped, and one like it is added."""

from collections.abc import Sequence
from typing import NoReturn

import sqlalchemy as sa
from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import Forms, NoSafeFormError

type Rename = tuple[ops.DropColumnOp, ops.AddColumnOp]


def requested(forms: Forms, operations: Sequence[ops.MigrateOperation]) -> list[Rename]:
    """Return the renames of a table that the user has named."""
    pairs = []
    added = {
        str(operation.column.name): operation for operation in operations if isinstance(operation, ops.AddColumnOp)
    }
    for drop in (operation for operation in operations if isinstance(operation, ops.DropColumnOp)):
        new = forms.options.new_name(drop.table_name, drop.column_name)
        if new in added:
            pairs.append((drop, added[new]))
    return pairs


def likely(forms: Forms, operations: Sequence[ops.MigrateOperation]) -> list[Rename]:
    """Return the dropped and added columns of the same type, if the user has not said whether they are renames."""
    if forms.options.renames_answered:
        return []
    drops = [operation for operation in operations if isinstance(operation, ops.DropColumnOp)]
    additions = [operation for operation in operations if isinstance(operation, ops.AddColumnOp)]
    return [(drop, add) for drop in drops for add in additions if _alike(forms, drop, add)]


def reject(drop: ops.DropColumnOp, add: ops.AddColumnOp) -> NoReturn:
    """Raise NoSafeFormError that asks whether a column is renamed."""
    raise NoSafeFormError(_question(drop, add))


def reject_unused(forms: Forms, operations: Sequence[ops.MigrateOperation]) -> tuple[()]:
    """Raise NoSafeFormError if the user names a rename that is not a drop and an addition in one table."""
    dropped = {(item.table_name, item.column_name) for item in operations if isinstance(item, ops.DropColumnOp)}
    added = {(item.table_name, str(item.column.name)) for item in operations if isinstance(item, ops.AddColumnOp)}
    for table, old, new in forms.options.renames:
        tables = {name for name, column in dropped if column == old and table in {None, name}}
        if not any((name, new) in added for name in tables):
            name = f"{table}.{old}" if table else old
            raise NoSafeFormError(
                f"rename must name a column that the tables have no more, and a new column of the same table (got"
                f" {name}:{new})"
            )
    return ()


def reject_likely_tables(
    forms: Forms, drops: Sequence[ops.DropTableOp], creations: Sequence[ops.CreateTableOp]
) -> tuple[()]:
    """Raise NoSafeFormError if a dropped table and a new table have the same columns."""
    for drop in () if forms.options.renames_answered else drops:
        for creation in creations:
            before = forms.inverses.inverse(drop)
            if isinstance(before, ops.CreateTableOp) and _columns(forms, before) == _columns(forms, creation):
                raise NoSafeFormError(_table_question(drop, creation))
    return ()


def _columns(forms: Forms, creation: ops.CreateTableOp) -> list[tuple[str, str]]:
    columns = [item for item in creation.columns if isinstance(item, sa.Column)]
    return [(column.name, forms.type_sql(column.type)) for column in columns]


def _table_question(drop: ops.DropTableOp, creation: ops.CreateTableOp) -> str:
    old, new = Table(drop.schema, drop.table_name), Table(creation.schema, creation.table_name)
    return (
        f"table {old} must be renamed or dropped explicitly (got a drop of {old} and a new table {new} with the same"
        f" columns): dropping {old} loses its rows.\n"
        f"    if {new} is the new name:  rename it in a revision of your own, with op.rename_table(), and add a view"
        f" with the name {old} and with the privileges of the table. The old code uses the view, until a later revision"
        " drops it\n"
        "    if they are two tables:    make revision RENAME=no  (alembic -x rename=no revision --autogenerate)"
    )


def _alike(forms: Forms, drop: ops.DropColumnOp, add: ops.AddColumnOp) -> bool:
    before, after = drop.to_column(), add.column
    same_type = forms.type_sql(before.type) == forms.type_sql(after.type)
    return same_type and before.nullable == after.nullable


def _question(drop: ops.DropColumnOp, add: ops.AddColumnOp) -> str:
    table, old, new = Table(drop.schema, drop.table_name), drop.column_name, add.column.name
    return (
        f"column {table}.{old} must be renamed or dropped explicitly (got a drop of {old} and an addition of {new}"
        f" with the same type): dropping {old} loses its values.\n"
        f"    if {new} is the new name:   make revision RENAME={table.name}.{old}:{new}"
        f"  (alembic -x rename={table.name}.{old}:{new} revision --autogenerate)\n"
        f"    if they are two columns:  make revision RENAME=no  (alembic -x rename=no revision --autogenerate)"
    )
