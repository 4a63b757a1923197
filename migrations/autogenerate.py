"""What `alembic revision --autogenerate` does not see: enum types, checks, and that there is nothing to write.

Alembic leaves the type of a new column to be made by somebody else, forgets it in a downgrade, and does not compare its
values. Here types are made and dropped by statements of their own, and get new values; what PostgreSQL cannot do is
refused. https://www.postgresql.org/docs/17/sql-altertype.html
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError, messaging
from sqlalchemy.dialects import postgresql

PLUGINS = ("alembic.autogenerate.*", "alembic.ext.checkconstraint_byname")
"""What compares: Alembic's own, and the one for CHECK constraints, which is off by default."""

type TypeName = tuple[str | None, str]
type EnumTypes = dict[TypeName, list[str]]

_QUOTE = postgresql.base.PGDialect().identifier_preparer.quote  # type: ignore[no-untyped-call] # has no types


def render(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Write a named enum as one whose type is there already; leave everything else to Alembic."""
    if kind != "type" or not _is_named_enum(item):
        return False
    context.imports.add("from sqlalchemy.dialects import postgresql")
    schema = f", schema={item.schema!r}" if item.schema else ""
    return f"postgresql.ENUM({', '.join(map(repr, item.enums))}, name={item.name!r}{schema}, create_type=False)"


def complete(context: MigrationContext, _revision: object, scripts: list[ops.MigrationScript]) -> None:
    """Add what the tables' enum types and the checks of columns need, and write no file that would be empty.

    Raises CommandError for values that were removed or moved.
    """
    for script in scripts:
        if script.upgrade_ops and script.downgrade_ops and context.connection:
            _complete_types(script.upgrade_ops, script.downgrade_ops, context)
            _complete_checks(script.upgrade_ops)
    writes_files = getattr(context.config and context.config.cmd_opts, "autogenerate", False)
    if writes_files and all(script.upgrade_ops and script.upgrade_ops.is_empty() for script in scripts):
        scripts.clear()
        messaging.msg("the tables are as they are at head: no revision is written")


def _complete_types(upgrade: ops.UpgradeOps, downgrade: ops.DowngradeOps, context: MigrationContext) -> None:
    there = _types_at_head(context.connection)
    new_types: EnumTypes = {}
    new_values: list[str] = []
    for name, wanted in _types_of_tables(context.opts["target_metadata"]).items():
        if name in there:
            new_values += _added_values(name, there[name], wanted)
        else:
            new_types[name] = wanted
    creations = [
        f"CREATE TYPE {_quoted(name)} AS ENUM ({', '.join(map(_literal, values))})"
        for name, values in new_types.items()
    ]
    upgrade.ops[:0] = [_statement(text) for text in [*creations, *new_values]]
    downgrade.ops += [_statement(f"DROP TYPE {_quoted(name)}") for name in new_types]


def _complete_checks(upgrade: ops.UpgradeOps) -> None:
    """Give the CHECK constraints of columns to their new table: Alembic renders only those that a table has."""
    for created in upgrade.ops:
        if isinstance(created, ops.CreateTableOp):
            columns = [item for item in created.columns if isinstance(item, sa.Column)]
            checks = [found for column in columns for found in column.constraints]
            created.columns = [
                *created.columns,
                *(
                    sa.CheckConstraint(check.sqltext, check.name)
                    for check in checks
                    if isinstance(check, sa.CheckConstraint)
                ),
            ]


def _types_at_head(connection: sa.Connection | None) -> EnumTypes:
    inspector = sa.inspect(connection)
    if not isinstance(inspector, postgresql.base.PGInspector):
        raise TypeError("not a connection to PostgreSQL")
    return {
        (None if found["visible"] else found["schema"], found["name"]): list(found["labels"])
        for found in inspector.get_enums(schema="*")
    }


def _types_of_tables(metadata: sa.MetaData | Sequence[sa.MetaData]) -> EnumTypes:
    tables = [table for part in sa.util.to_list(metadata) for table in part.tables.values()]
    types = [getattr(column.type, "item_type", column.type) for table in tables for column in table.columns]
    return {(item.schema, item.name): list(item.enums) for item in types if _is_named_enum(item)}


def _added_values(name: TypeName, there: list[str], wanted: list[str]) -> Iterator[str]:
    """Yield a statement for each new value; a downgrade leaves them, since PostgreSQL cannot drop a value."""
    if [value for value in wanted if value in there] != there:
        raise CommandError(
            f"the values of enum type {name[1]} go from {there} to {wanted}: PostgreSQL can add values to a"
            " type and neither remove nor move them. Keep those there are, or make a new type and column"
            " (docs/writing-migrations.md, to change a type)"
        )
    for before, value in pairwise([None, *wanted]):
        if value not in there:
            place = f"AFTER {_literal(before)}" if before is not None else f"BEFORE {_literal(there[0])}"
            yield f"ALTER TYPE {_quoted(name)} ADD VALUE IF NOT EXISTS {_literal(value)} {place}"


def _is_named_enum(item: object) -> bool:
    return isinstance(item, sa.Enum) and item.native_enum and bool(item.name)


def _quoted(name: TypeName) -> str:
    return ".".join(_QUOTE(part) for part in name if part)


def _literal(value: str | None) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _statement(text: str) -> ops.ExecuteSQLOp:
    return ops.ExecuteSQLOp(text.replace(":", r"\:"))  # Alembic takes :name for a parameter
