"""The division of Alembic's operations into changes, and the safe form of each change."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import sqlalchemy as sa
from alembic.operations import ops
from alembic.util import CommandError

from rds_alembic.autogenerate.safe_forms import (
    columns,
    constraints,
    indexes,
    others,
    renames,
    replacements,
    successors,
    tables,
)
from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import Forms, NoSafeFormError
from rds_alembic.autogenerate.safe_forms.inverses import flatten, name_of, table_of
from rds_alembic.autogenerate.safe_forms.statements import added_constraint
from rds_alembic.autogenerate.safe_forms.steps import Step

type Change = Callable[[], Iterable[Step]]
"""A function that returns the steps of one change. It raises NoSafeFormError if there are none."""


def steps(forms: Forms, operations: Sequence[ops.MigrateOperation]) -> list[Step]:
    """Return the steps of all changes. Raises CommandError that lists every change without a safe form."""
    flat = list(flatten(operations))
    result: list[Step] = []
    errors: list[str] = []
    for change in _changes(forms, flat):
        try:
            result += change()
        except NoSafeFormError as error:
            errors.append(str(error))
    if errors:
        raise CommandError("\n".join(errors))
    return others.with_others(forms, [item for item in flat if table_of(item) is None], result)


def _changes(forms: Forms, operations: Sequence[ops.MigrateOperation]) -> Iterator[Change]:
    creations = [operation for operation in operations if isinstance(operation, ops.CreateTableOp)]
    drops = [operation for operation in operations if isinstance(operation, ops.DropTableOp)]
    dropped = {Table(drop.schema, drop.table_name) for drop in drops}
    by_table: dict[Table, list[ops.MigrateOperation]] = defaultdict(list)
    for operation in operations:
        table = table_of(operation)
        if table is not None and not isinstance(operation, ops.CreateTableOp | ops.DropTableOp):
            by_table[table].append(operation)
    existing = frozenset(by_table) - dropped - forms.new_tables
    forms.inverses.match(
        item for item in operations if table_of(item) not in dropped or _drops_foreign_key(item) or item in drops
    )
    yield partial(renames.reject_unused, forms, operations)
    yield partial(renames.reject_likely_tables, forms, drops, creations)
    of_new_tables = [item for table in by_table if table in forms.new_tables for item in by_table[table]]
    yield partial(tables.create_tables, forms, creations, of_new_tables, existing)
    for table in sorted(existing, key=str):
        yield from _of_existing_table(forms, table, by_table[table])
    keys = [item for table in by_table if table in dropped for item in by_table[table] if _drops_foreign_key(item)]
    yield from (partial(_steps_of, forms, Table(None, ""), item) for item in keys)
    yield partial(tables.drop_tables, forms, drops, [str(name_of(item)) for item in keys])


def _drops_foreign_key(operation: ops.MigrateOperation) -> bool:
    """Tell whether an operation drops a foreign key. Other constraints of a dropped table are dropped with it."""
    return isinstance(operation, ops.DropConstraintOp) and operation.constraint_type == "foreignkey"


def _of_existing_table(forms: Forms, table: Table, operations: Sequence[ops.MigrateOperation]) -> Iterator[Change]:
    remaining = list(operations)
    for drop, add in renames.likely(forms, operations):
        yield partial(renames.reject, drop, add)
        remaining = [item for item in remaining if item not in (drop, add)]
    for drop, add in renames.requested(forms, operations):
        yield partial(successors.rename_column, forms, drop, add)
        created = {name_of(item) for item in remaining if isinstance(item, ops.CreateIndexOp | ops.AddConstraintOp)}
        gone = [item for item in _dropped_with(forms, drop, remaining) if name_of(item) not in created]
        remaining = [item for item in remaining if item not in (drop, *gone, add)]
    for old, new in _new_names(forms, remaining):
        yield partial(constraints.rename_constraint, forms, table, old, new)
        remaining = [item for item in remaining if item not in (old, new)]
    for former, creation in _replacements(remaining):
        yield partial(replacements.replace, forms, former, creation)
        remaining = [item for item in remaining if item not in (former, creation)]
    for column in [item for item in remaining if isinstance(item, ops.DropColumnOp)]:
        dependents = tuple(_dropped_with(forms, column, remaining))
        yield partial(columns.drop_column, forms, column, dependents)
        remaining = [item for item in remaining if item not in (column, *dependents)]
    for name in dict.fromkeys(item.column_name for item in remaining if isinstance(item, ops.AlterColumnOp)):
        parts = [item for item in remaining if isinstance(item, ops.AlterColumnOp) and item.column_name == name]
        yield partial(columns.alter_column, forms, parts, [item for item in remaining if _reads(item, name)])
    yield partial(others.statements, forms, table, remaining)
    for operation in remaining:
        yield partial(_steps_of, forms, table, operation)


def _new_names(
    forms: Forms, operations: Sequence[ops.MigrateOperation]
) -> list[tuple[ops.DropConstraintOp, ops.AddConstraintOp]]:
    """Return the keys that are dropped and added with another name only."""
    drops = [item for item in operations if isinstance(item, ops.DropConstraintOp)]
    creations = [item for item in operations if isinstance(item, ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp)]
    return [(drop, new) for drop in drops for new in creations if _is_same_key(forms.inverses.inverse(drop), new)]


def _is_same_key(old: ops.MigrateOperation, new: ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp) -> bool:
    if not isinstance(old, ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp):
        return False
    is_same = old.constraint_type == new.constraint_type and list(old.columns) == list(new.columns)
    return is_same and old.kw == new.kw and None not in {name_of(old), name_of(new)}


def _replacements(
    operations: Sequence[ops.MigrateOperation],
) -> list[tuple[replacements.Drop, replacements.Creation]]:
    """Return the drops and creations of one name."""
    drops = {name_of(item): item for item in operations if isinstance(item, ops.DropIndexOp | ops.DropConstraintOp)}
    created = [item for item in operations if isinstance(item, ops.CreateIndexOp | ops.AddConstraintOp)]
    return [(drops[name_of(item)], item) for item in created if name_of(item) is not None and name_of(item) in drops]


def _dropped_with(
    forms: Forms, drop: ops.DropColumnOp, operations: Iterable[ops.MigrateOperation]
) -> Iterator[ops.DropIndexOp | ops.DropConstraintOp]:
    """Yield the drops of indexes and constraints that PostgreSQL drops with a column."""
    for operation in operations:
        if isinstance(operation, ops.DropIndexOp | ops.DropConstraintOp):
            creation = forms.inverses.inverse(operation)
            if isinstance(creation, ops.CreateForeignKeyOp):
                names = list(creation.local_cols)
            else:
                names = [str(getattr(column, "name", column)) for column in getattr(creation, "columns", ())]
            if drop.column_name in names:
                yield operation


def _reads(operation: ops.MigrateOperation, column: str) -> bool:
    """Tell whether an index or a constraint that is created may read a column."""
    if not isinstance(operation, ops.CreateIndexOp | ops.AddConstraintOp):
        return False
    parts = [getattr(operation, name, None) for name in ("columns", "local_cols", "condition")]
    text = " ".join(str(item) for part in parts if part is not None for item in sa.util.to_list(part))
    return re.search(rf"\b{re.escape(column)}\b", text) is not None


def _steps_of(forms: Forms, table: Table, operation: ops.MigrateOperation) -> Iterator[Step]:
    match operation:
        case ops.AddColumnOp():
            yield from columns.add_column(forms, operation)
        case ops.CreateIndexOp():
            yield from indexes.create_index(forms, operation)
        case ops.DropIndexOp():
            yield from indexes.drop_index(forms, operation)
        case ops.CreateUniqueConstraintOp() | ops.CreatePrimaryKeyOp():
            yield from constraints.create_key(forms, operation)
        case ops.CreateForeignKeyOp():
            yield from constraints.create_foreign_key(forms, operation)
        case ops.CreateCheckConstraintOp():
            yield from constraints.create_check(forms, operation)
        case ops.DropConstraintOp():
            yield from constraints.drop_constraint(forms, operation)
        case ops.AlterColumnOp() | ops.ExecuteSQLOp() if added_constraint(operation) is None:
            return
        case _:
            yield from others.create_constraint(forms, table, operation)
