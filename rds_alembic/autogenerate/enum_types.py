"""The plugin of Alembic that compares enum types.

Alembic does not create the type of a column that is added, does not drop a type, and does not compare the values of a
type. This plugin writes these statements. It rejects changes that PostgreSQL cannot make.
https://www.postgresql.org/docs/17/sql-altertype.html
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, cast

import sqlalchemy as sa
from alembic.autogenerate import render_op_text, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, DispatchPriority, PriorityDispatchResult
from sqlalchemy.dialects import postgresql

type TypeName = tuple[str | None, str]
type EnumTypes = dict[TypeName, list[str]]
"""The values of each enum type, by its schema and name. The schema is None for a type on the search path."""

_QUOTE = postgresql.base.PGDialect().identifier_preparer.quote  # type: ignore[no-untyped-call] # has no types


class EnumTypeOps(ops.OpContainer):
    """The statements that change enum types, and the statements that reverse the change."""

    def __init__(self, statements: Sequence[str], reverse: Sequence[str]) -> None:
        # op.execute() reads :name as a parameter.
        super().__init__([ops.ExecuteSQLOp(statement.replace(":", r"\:")) for statement in statements])
        self._statements = statements
        self._reverse = reverse

    def reverse(self) -> "EnumTypeOps":
        """Return the operations of downgrade()."""
        return EnumTypeOps(self._reverse, self._statements)


@renderers.dispatch_for(EnumTypeOps)
def _render_statements(context: AutogenContext, operations: EnumTypeOps) -> list[str]:
    return [render_op_text(context, operation) for operation in operations.ops]


def setup(plugin: Plugin) -> None:
    """Register the comparison. It comes first, because the tables need the types."""
    plugin.add_autogenerate_comparator(
        _compare_enum_types, "autogenerate", qualifier="postgresql", priority=DispatchPriority.FIRST
    )


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Render a named enum as a type that exists already. Leave any other item to Alembic."""
    if kind != "type" or not _is_named_enum(item):
        return False
    context.imports.add("from sqlalchemy.dialects import postgresql")
    schema = f", schema={item.schema!r}" if item.schema else ""
    return f"postgresql.ENUM({', '.join(map(repr, item.enums))}, name={item.name!r}{schema}, create_type=False)"


def _compare_enum_types(context: AutogenContext, operations: ops.UpgradeOps) -> PriorityDispatchResult:
    """Add the statements for new types and new values. A downgrade drops the types, and leaves the values.

    Raises CommandError for values that were removed or moved.
    """
    existing = _types_of_database(context)
    creations: list[str] = []
    additions: list[str] = []
    drops: list[str] = []
    for name, values in _types_of_tables(context.metadata).items():
        if name in existing:
            additions += _value_additions(name, existing[name], values)
        else:
            creations.append(f"CREATE TYPE {_quoted(name)} AS ENUM ({', '.join(map(_literal, values))})")
            drops.append(f"DROP TYPE {_quoted(name)}")
    if creations or additions:
        operations.ops.append(EnumTypeOps([*creations, *additions], drops))
    return PriorityDispatchResult.CONTINUE


def _types_of_database(context: AutogenContext) -> EnumTypes:
    inspector = cast("postgresql.base.PGInspector", context.inspector)  # the comparison is registered for PostgreSQL
    return {
        (None if enum["visible"] else enum["schema"], enum["name"]): list(enum["labels"])
        for enum in inspector.get_enums(schema="*")
    }


def _types_of_tables(metadata: sa.MetaData | Sequence[sa.MetaData] | None) -> EnumTypes:
    tables = [table for part in sa.util.to_list(metadata) for table in part.tables.values()]
    types = [getattr(column.type, "item_type", column.type) for table in tables for column in table.columns]
    return {(item.schema, item.name): list(item.enums) for item in types if _is_named_enum(item)}


def _value_additions(name: TypeName, existing: list[str], values: list[str]) -> Iterator[str]:
    if [value for value in values if value in existing] != existing:
        raise CommandError(
            f"values of enum type {name[1]} must contain {existing} in this order (got {values}): PostgreSQL cannot"
            " remove or move a value. Keep the existing values, or add a new type and a new column"
            " (docs/writing-migrations.md#change-the-type-of-a-column)"
        )
    for previous, value in pairwise([None, *values]):
        if value not in existing:
            position = f"AFTER {_literal(previous)}" if previous is not None else f"BEFORE {_literal(existing[0])}"
            yield f"ALTER TYPE {_quoted(name)} ADD VALUE IF NOT EXISTS {_literal(value)} {position}"


def _is_named_enum(item: object) -> bool:
    return isinstance(item, sa.Enum) and item.native_enum and bool(item.name)


def _quoted(name: TypeName) -> str:
    return ".".join(_QUOTE(part) for part in name if part)


def _literal(value: str | None) -> str:
    return "'" + str(value).replace("'", "''") + "'"
