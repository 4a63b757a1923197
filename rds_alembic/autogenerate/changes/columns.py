"""Columns of a table that stays."""

import sqlalchemy as sa
from alembic.operations import ops
from alembic.util import CommandError

from rds_alembic.autogenerate.catalog import Column, Identity, Name, SequenceOptions, Table
from rds_alembic.autogenerate.changes.plan import Phase, Plan
from rds_alembic.autogenerate.changes.serials import serial_sequence, set_next_value
from rds_alembic.autogenerate.column_types import sqlalchemy_type
from rds_alembic.autogenerate.operations import (
    add_column,
    drop_column,
    execute,
)
from rds_alembic.autogenerate.rendering import AlterColumnOp
from rds_alembic.autogenerate.sequence_options import change, clauses, identity_change
from rds_alembic.autogenerate.sql_text import RevisionText, escape, qualified, quote


def plan_columns(plan: Plan, old: Table, new: Table) -> None:
    """Add, drop and alter the columns."""
    replaced = _replaced(plan, old, new)
    plan.replaced |= {(new.name, name) for name in replaced}
    for name, column in old.columns.items():
        if name not in new.columns or name in replaced:
            reject_views(new.name, column, "is dropped")
            phase = Phase.DROP_GENERATED_COLUMNS if column.generated else Phase.DROP_COLUMNS
            plan.add(phase, drop_column(new.name, column, plan.old))
    for name, column in new.columns.items():
        if name not in old.columns or name in replaced:
            phase = Phase.ADD_GENERATED_COLUMNS if column.generated else Phase.ADD_COLUMNS
            plan.add(phase, add_column(new.name, column, plan.new))
        elif old.columns[name] != column or (new.name, name) in plan.retyped:
            _ColumnChange(plan, new.name, old.columns[name], column).add()


def reject_views(table: Name, column: Column, change: str) -> None:
    """Raise CommandError if views read a column: PostgreSQL rejects the change, and the metadata has no views."""
    if column.views:
        views = ", ".join(column.views)
        raise CommandError(
            f"column {qualified(table)}.{column.name} must not be read by a view while it {change} (got {views}):"
            " drop the view in a revision of your own before, with op.execute('DROP VIEW …'), and create it again in"
            " one after"
        )


def _replaced(plan: Plan, old: Table, new: Table) -> set[str]:
    """Return the columns that must be dropped and added: a computed column whose expression or source changes."""
    pairs = [(old.columns[name], column) for name, column in new.columns.items() if name in old.columns]
    retyped = {
        after.name for before, after in pairs if before.type != after.type or (new.name, after.name) in plan.retyped
    }
    gone = old.columns.keys() - new.columns.keys()
    return {
        after.name
        for before, after in pairs
        if (before.generated or after.generated)
        and (
            before.generated != after.generated
            or before.default != after.default
            or before.type != after.type
            or (retyped | gone) & {*before.sources, *after.sources}
        )
        and not (before.generated == "s" and not after.generated)
    }


class _ColumnChange:
    """The operations that change one column."""

    def __init__(self, plan: Plan, table: Name, old: Column, new: Column) -> None:
        self._plan = plan
        self._table = table
        self._old = old
        self._new = new
        self._alter = f"ALTER TABLE {qualified(table)} ALTER COLUMN {quote(new.name)}"

    def add(self) -> None:
        """Add the operations: what depends on the type goes before a change of the type, and comes back after it."""
        is_retyped = self._old.type != self._new.type or (self._table, self._new.name) in self._plan.retyped
        default_changes = self._default_changes()
        self._drop_sources(is_retyped)
        options: dict[str, object] = {}
        if is_retyped:
            self._plan.retyped.add((self._table, self._new.name))
            self._retype(self._using())
        elif default_changes and self._new.default is not None:
            options["modify_server_default"] = self._default()
        if self._old.nullable != self._new.nullable:
            options["modify_nullable"] = self._new.nullable
        if self._old.comment != self._new.comment:
            options |= {"modify_comment": self._new.comment, "existing_comment": self._old.comment}
        if options:
            self._plan.add(Phase.ALTER_COLUMNS, self._operation(**options))
        if is_retyped and self._new.default is not None and not self._new.generated:
            self._plan.add(Phase.ALTER_COLUMNS, self._operation(modify_server_default=self._default()))
        self._add_sources()

    def _default(self) -> sa.DefaultClause:
        return sa.DefaultClause(RevisionText(escape(self._new.text or "")))

    def _default_changes(self) -> bool:
        return self._old.default != self._new.default and not self._new.generated

    def _drop_sources(self, is_retyped: bool) -> None:
        """Drop the default, the expression, the identity or the sequence that does not stay."""
        plan, old, new = self._plan, self._old, self._new
        if old.generated == "s" and not new.generated:
            plan.add(Phase.ALTER_COLUMNS, execute(f"{self._alter} DROP EXPRESSION"))
        elif old.default is not None and not old.generated and (is_retyped or new.default is None):
            plan.add(Phase.ALTER_COLUMNS, self._operation(modify_server_default=None))
        if old.identity is not None and new.identity is None:
            plan.add(Phase.ALTER_COLUMNS, execute(f"{self._alter} DROP IDENTITY"))
        if old.serial is not None and (new.serial is None):
            plan.add(Phase.ALTER_COLUMNS, self._operation(modify_server_default=None))
            plan.add(Phase.ALTER_COLUMNS, execute(f"DROP SEQUENCE {qualified(old.serial.sequence)}"))

    def _add_sources(self) -> None:
        plan, old, new = self._plan, self._old, self._new
        if new.identity is not None and old.identity is None:
            kind = _kind(new.identity)
            options = " ".join(clauses(new.identity.options))
            identity = f"{kind} AS IDENTITY" + (f" ({options})" if options else "")
            plan.add(Phase.ALTER_COLUMNS, execute(f"{self._alter} ADD GENERATED {identity}"))
            plan.add(Phase.ALTER_COLUMNS, set_next_value(self._table, new, new.identity.options))
        elif new.identity is not None and old.identity is not None:
            self._change_identity(old.identity, new.identity)
        if new.serial is not None and old.serial is None:
            plan.add(Phase.ALTER_COLUMNS, *serial_sequence(self._table, new, new.serial))
        elif new.serial is not None and old.serial is not None and old.serial != new.serial:
            options = change(new.serial.options, old.serial.options)
            alter = f"ALTER SEQUENCE {qualified(old.serial.sequence)}{options}"
            self._change_sequence(alter, old.serial.options, new.serial.options)

    def _change_identity(self, old: Identity, new: Identity) -> None:
        if old.always != new.always:
            self._plan.add(Phase.ALTER_COLUMNS, execute(f"{self._alter} SET GENERATED {_kind(new)}"))
        if old.options != new.options:
            alter = f"{self._alter}{identity_change(new.options, old.options)}"
            self._change_sequence(alter, old.options, new.options)

    def _change_sequence(self, sql: str, old: SequenceOptions, new: SequenceOptions) -> None:
        """Change the options. The current value may be outside of new bounds, so that the sequence starts again."""
        if (old.minimum, old.maximum) == (new.minimum, new.maximum):
            self._plan.add(Phase.ALTER_COLUMNS, execute(sql))
        else:
            self._plan.add(Phase.ALTER_COLUMNS, execute(f"{sql} RESTART"), set_next_value(self._table, self._new, new))

    def _using(self) -> str:
        using = self._plan.conversions.using(self._new.name, self._old.type, self._new.type)
        if using is None:
            column = f"{qualified(self._table)}.{self._new.name}"
            raise CommandError(
                f"the type of {column} must be one that PostgreSQL can convert {self._old.type.text} to (got"
                f" {self._new.type.text}). Write the conversion into a revision of your own: op.alter_column("
                f"{self._table[1]!r}, {self._new.name!r}, type_=…, postgresql_using='<expression of type"
                f" {self._new.type.text}>')"
            )
        return using

    def _retype(self, using: str) -> None:
        reject_views(self._table, self._old, "changes its type")
        options = {"postgresql_using": using} if using else {}
        type_ = sqlalchemy_type(self._new.type, self._plan.new.enums)
        self._plan.add(Phase.ALTER_COLUMNS, self._operation(modify_type=type_, **options))

    def _operation(self, **options: object) -> ops.MigrateOperation:
        schema, name = self._table
        existing = {
            "existing_type": sqlalchemy_type(self._old.type, self._plan.old.enums),
            "existing_nullable": self._old.nullable,
        }
        return AlterColumnOp(name, self._new.name, schema=schema, **(existing | options))  # type: ignore[arg-type] # typed by name


def _kind(identity: Identity) -> str:
    return "ALWAYS" if identity.always else "BY DEFAULT"
