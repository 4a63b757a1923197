"""Enum types.

PostgreSQL can add values to a type. To remove or move a value, the type is replaced: the columns get a new type.
https://www.postgresql.org/docs/17/sql-altertype.html
"""

from collections.abc import Iterator
from itertools import pairwise

from alembic.util import CommandError

from rds_alembic.autogenerate.catalog import Catalog, EnumType, Name, Table
from rds_alembic.autogenerate.changes.plan import Phase, Plan
from rds_alembic.autogenerate.operations import execute
from rds_alembic.autogenerate.rendering import AutocommitOps
from rds_alembic.autogenerate.sql_text import literal, qualified, quote


def plan_enums(plan: Plan) -> None:
    """Create, extend, replace and drop the enum types."""
    for name, enum in plan.new.enums.items():
        old = plan.old.enums.get(name)
        if old is None:
            plan.add(Phase.CREATE_TYPES, execute(_create(enum)))
        elif is_extended(old, enum):
            _extend(plan, old, enum)
        elif old.labels != enum.labels:
            _replace(plan, old, enum)
        if enum.comment != (old.comment if old else None):
            plan.add(Phase.COMMENTS, execute(f"COMMENT ON TYPE {qualified(name)} IS {literal(enum.comment)}"))
    for name in plan.old.enums.keys() - plan.new.enums.keys():
        plan.add(Phase.DROP_TYPES, execute(f"DROP TYPE {qualified(name)}"))


def is_extended(old: EnumType, new: EnumType) -> bool:
    """Return True if the type only gets more values."""
    remaining = tuple(label for label in new.labels if label in old.labels)
    return remaining == old.labels and new.labels != old.labels


def _create(enum: EnumType) -> str:
    return f"CREATE TYPE {qualified(enum.name)} AS ENUM ({', '.join(map(literal, enum.labels))})"


def _extend(plan: Plan, old: EnumType, new: EnumType) -> None:
    """Add values. A value that the same revision uses must be committed before."""
    added = [label for label in new.labels if label not in old.labels]
    statements = [execute(sql) for sql in _additions(old, new)]
    texts = [text.replace("''", "'") for text in _texts(plan.new) if new.name[1] in text]
    if any(label in text for label in added for text in texts):
        plan.add(Phase.ENUM_VALUES, AutocommitOps(statements))
    else:
        plan.add(Phase.CREATE_TYPES, *statements)


def _additions(old: EnumType, new: EnumType) -> Iterator[str]:
    for previous, label in pairwise([None, *new.labels]):
        if label not in old.labels:
            position = (
                f" AFTER {literal(previous)}"
                if previous is not None
                else f" BEFORE {literal(old.labels[0])}"
                if old.labels
                else ""
            )
            yield f"ALTER TYPE {qualified(new.name)} ADD VALUE IF NOT EXISTS {literal(label)}{position}"


def _texts(catalog: Catalog) -> Iterator[str]:
    for table in catalog.tables.values():
        yield from (column.default for column in table.columns.values() if column.default)
        yield from (constraint.definition for constraint in table.constraints.values())
        yield from (index.definition for index in table.indexes.values())


def _replace(plan: Plan, old: EnumType, new: EnumType) -> None:
    """Replace the type. The columns are converted by their text, so that a removed value in a row is an error."""
    columns = {
        (after.name, column.name)
        for before, after in plan.kept_tables()
        for column in after.columns.values()
        if column.type.is_enum and column.type.name == new.name and _has(before, column.name, new.name)
    }
    outside = old.used_by - plan.old.tables.keys()
    if outside:
        users = ", ".join(
            sorted(qualified(name) if name != ("", "") else "a function, view or type" for name in outside)
        )
        raise CommandError(
            f"values of enum type {qualified(new.name)} must contain {list(old.labels)} in this order (got"
            f" {list(new.labels)}): the type cannot be replaced, because it is used by {users}"
        )
    plan.retyped |= columns
    previous = f"{new.name[1][:50]}_replaced"
    rename = f"ALTER TYPE {qualified(new.name)} RENAME TO {quote(previous)}"
    plan.add(Phase.CREATE_TYPES, execute(rename), execute(_create(new)))
    plan.add(Phase.DROP_TYPES, execute(f"DROP TYPE {qualified((new.name[0], previous))}"))
    if new.comment == old.comment and new.comment is not None:
        plan.add(Phase.COMMENTS, execute(f"COMMENT ON TYPE {qualified(new.name)} IS {literal(new.comment)}"))


def _has(table: Table, column: str, type_name: Name) -> bool:
    existing = table.columns.get(column)
    return existing is not None and existing.type.is_enum and existing.type.name == type_name
