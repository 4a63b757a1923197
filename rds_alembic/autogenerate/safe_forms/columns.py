"""The safe forms for columns of existing tables."""

import copy
from collections.abc import Iterator, Sequence
from typing import cast

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.schema import CreateColumn

from rds_alembic.autogenerate.safe_forms import successors, sync_triggers
from rds_alembic.autogenerate.safe_forms.backfill import backfill
from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import CATALOG, Forms, NoSafeFormError, locks
from rds_alembic.autogenerate.safe_forms.not_null import not_null
from rds_alembic.autogenerate.safe_forms.operations import Commented, execute
from rds_alembic.autogenerate.safe_forms.steps import Phase, Step
from rds_alembic.autogenerate.safe_forms.type_changes import rewrites_table

_LOST = "The values are lost: downgrade() restores the column without its values, and NOT NULL only in an empty table."
_EXPAND = "The old code does not use the column. Use it from the next deployment on."


def add_column(forms: Forms, operation: ops.AddColumnOp) -> Iterator[Step]:
    """Yield the steps that add a column. Raises NoSafeFormError if PostgreSQL would rewrite the table."""
    table, column = Table(operation.schema, operation.table_name), operation.column
    default = forms.default_sql(column)
    _reject_generated(forms, table, column)
    if default is None and not column.nullable:
        raise NoSafeFormError(_three_deployments(table, column.name))
    if default is not None and forms.database.is_volatile(default):
        yield from _add_filled(forms, operation, default)
    else:
        yield _expand(table, f"add {column.name} to {table}", operation, forms.inverses.inverse(operation), _EXPAND)


def _add_filled(forms: Forms, operation: ops.AddColumnOp, default: str) -> Iterator[Step]:
    """Yield the steps for a default with a value for each row. Added in one step, it would rewrite the table."""
    table, column = Table(operation.schema, operation.table_name), operation.column
    nullable = sa.Column(column.name, column.type, nullable=True, comment=column.comment)
    added = copy.copy(operation)
    added.column = nullable
    set_default = ops.AlterColumnOp(
        table.name, column.name, schema=table.schema, modify_server_default=column.server_default
    )
    text = f"New rows get the default. A later revision fills the existing rows. {_EXPAND}"
    step = _expand(table, f"add {column.name} to {table}", added, forms.inverses.inverse(operation), text)
    yield Step(step.phase, step.subject, step.title, (added, set_default), step.downgrade, step.paragraphs)
    yield backfill(forms, table, column.name, default)
    if not column.nullable:
        yield from not_null(forms, table, column.name, phase=Phase.RESTRICT)


def alter_column(
    forms: Forms, operations: Sequence[ops.AlterColumnOp], readers: Sequence[ops.MigrateOperation]
) -> Iterator[Step]:
    """Yield the steps that change a column. `operations` are all changes of the column, in their order.

    `readers` create indexes and constraints that need the column. Raises NoSafeFormError if its type changes, too.
    """
    table, name = Table(operations[0].schema, operations[0].table_name), operations[0].column_name
    if any(_rewrites(forms, operation) for operation in operations):
        if readers:
            raise NoSafeFormError(
                f"column {table}.{name} must change its type before it gets indexes and constraints: remove them from"
                " the tables, and add them after the next make revision"
            )
        yield from successors.change_type(forms, table, name, operations)
        return
    rejects_null = any(operation.modify_nullable is False for operation in operations)
    rest = [copy.copy(operation) for operation in operations]
    inverses = [copy.copy(operation) for operation in forms.inverses.alterations(table, name)]
    if rejects_null:
        yield from not_null(forms, table, name)
        for operation in (*rest, *inverses):
            operation.modify_nullable = None
    upgrade = tuple(_allowed(operation) for operation in _without_pause(rest) if operation.has_changes())
    downgrade = tuple(operation for operation in inverses if operation.has_changes())
    if upgrade or downgrade:
        texts = (locks(table, "ACCESS EXCLUSIVE", CATALOG),)
        yield Step(Phase.EXPAND, str(table), f"change {table}.{name}", upgrade, downgrade, texts)


def _rewrites(forms: Forms, operation: ops.AlterColumnOp) -> bool:
    old, new = operation.existing_type, operation.modify_type
    if new is None:
        return False
    if old is None or operation.kw.get("postgresql_using"):
        return True
    return rewrites_table(forms.type_sql(old), forms.type_sql(new))


def _without_pause(operations: Sequence[ops.AlterColumnOp]) -> list[ops.AlterColumnOp]:
    """Return the operations without the drop of a default that a later operation sets again."""
    is_set = any(operation.modify_server_default not in {None, False} for operation in operations)
    return [item for item in operations if not (is_set and item.modify_server_default is None)]


def _allowed(operation: ops.AlterColumnOp) -> ops.MigrateOperation:
    """Return the operation with the comment that the lint requires."""
    rules = ["ban-drop-not-null"] if operation.modify_nullable else []
    if operation.modify_server_default is None:
        rules.append("ban-drop-default")
    if not rules:
        return operation
    return Commented(f"lint-sql: ignore[{', '.join(rules)}] the old code must work without it", operation)


def drop_column(
    forms: Forms, operation: ops.DropColumnOp, dependents: tuple[ops.MigrateOperation, ...] = ()
) -> Iterator[Step]:
    """Yield the step that drops a column. `dependents` drop what PostgreSQL drops with the column."""
    table, name = Table(operation.schema, operation.table_name), operation.column_name
    question = (
        f"Which deployment stopped using {table}.{name}? Write it below. If it is this deployment, move this revision\n"
        "to the next one: the old code runs while the revision is applied, and again after a rollback.\n"
        f"lint-sql: ignore[ban-drop-column] no code uses {table}.{name} since: "
    )
    trigger = sync_triggers.trigger_name(table, name)
    before: tuple[ops.MigrateOperation, ...] = ()
    if forms.database.has_trigger(table, trigger):
        before = sync_triggers.drop(forms, table, trigger)
    restored = [forms.inverses.inverse(dependent) for dependent in reversed(dependents)]
    yield Step(
        Phase.DROP_COLUMN,
        f"{table}.{name}",
        f"drop {name} from {table}",
        (*before, Commented(f"{question}(name the deployment)", operation)),
        (*_restore(forms, table, operation), *restored),
        (
            locks(table, "ACCESS EXCLUSIVE", CATALOG),
            _LOST,
        ),
    )


def _restore(forms: Forms, table: Table, operation: ops.DropColumnOp) -> Iterator[ops.MigrateOperation]:
    add = cast("ops.AddColumnOp", forms.inverses.inverse(operation))
    column = add.column
    if column.nullable or column.server_default is not None or column.primary_key:
        yield add
        return
    nullable = copy.copy(add)
    nullable.column = sa.Column(column.name, column.type, nullable=True, comment=column.comment)
    yield nullable
    name = forms.database.identifier(table)
    yield execute(f"""
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM {name}) THEN
                ALTER TABLE {name} ALTER COLUMN {forms.quote(column.name)} SET NOT NULL;
            END IF;
        END $$
    """)


def expand(forms: Forms, table: Table, operation: ops.MigrateOperation) -> Step:
    """Return the step for an operation that changes the catalog only."""
    return _expand(table, f"change {table}", operation, forms.inverses.inverse(operation))


def _expand(
    table: Table, title: str, operation: ops.MigrateOperation, inverse: ops.MigrateOperation, text: str = ""
) -> Step:
    paragraphs = (locks(table, "ACCESS EXCLUSIVE", CATALOG), *filter(None, [text]))
    return Step(Phase.EXPAND, str(table), title, (operation,), (inverse,), paragraphs)


def _reject_generated(forms: Forms, table: Table, column: sa.Column[object]) -> None:
    """Raise NoSafeFormError for a column whose values PostgreSQL writes into every row."""
    advice = (
        "PostgreSQL would rewrite the table, and block all other sessions. Add a nullable column, fill it from the"
        " code and in batches; or generate this change alone with -x plain, for a table that is small or not in use"
    )
    if column.identity is not None:
        raise NoSafeFormError(f"column {table}.{column.name} must not be an identity in an existing table: {advice}")
    if column.computed is not None and "STORED" in str(CreateColumn(column).compile(dialect=forms.dialect)):
        raise NoSafeFormError(f"column {table}.{column.name} must not be generated and stored: {advice}")


def _three_deployments(table: Table, name: str) -> str:
    return (
        f"column {table}.{name} must be nullable or have a server_default (got NOT NULL without a default):"
        f" the old code inserts rows without it. Add it in three deployments:\n"
        f"    1. tables: nullable=True. Revision: make revision m='add {name}'\n"
        f"    2. code: fill {name} in new and changed rows. No revision\n"
        f"    3. revision: fill the older rows in batches ({GUIDE_BACKFILL}). Then tables: nullable=False, and"
        f" make revision m='{name} is not null'\n"
        f"If {name} is a column that gets a new name: -x rename=old:{name}"
    )


GUIDE_BACKFILL = "docs/writing-migrations.md#backfill-in-batches"
