"""The operations that are SQL statements, or that concern no table."""

import re
from collections.abc import Iterable, Iterator, Sequence

from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms.columns import expand
from rds_alembic.autogenerate.safe_forms.constraints import drop_by_name, validate
from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import CATALOG, Forms, NoSafeFormError, locks
from rds_alembic.autogenerate.safe_forms.indexes import concurrently
from rds_alembic.autogenerate.safe_forms.operations import Commented, Nothing, execute
from rds_alembic.autogenerate.safe_forms.statements import AddedConstraint, action, added_constraint, texts
from rds_alembic.autogenerate.safe_forms.steps import Operations, Phase, Step

_DROPS = re.compile(r"(DROP|COMMENT)\b", re.IGNORECASE)
_DROPPED_KIND = re.compile(r"DROP (DOMAIN|SCHEMA|SEQUENCE|TYPE)\b", re.IGNORECASE)
_ADDS_VALUE = re.compile(r"ALTER TYPE .+ ADD VALUE\b", re.IGNORECASE | re.DOTALL)
_REWRITES = re.compile(r"SET (LOGGED|UNLOGGED|TABLESPACE)\b|ALTER COLUMN .+ TYPE ", re.IGNORECASE)
_KEY = re.compile(r"(UNIQUE|PRIMARY KEY)( NULLS NOT DISTINCT)? (\(.+?\))( INCLUDE \(.+?\))?( .+)?", re.DOTALL)
_TITLE = "change types"
_NEW_VALUE = (
    "No table is locked. Later revisions can use the value, this one cannot. Deploy code that can read the value before"
    " code that writes it."
)


def statements(forms: Forms, table: Table, operations: Iterable[ops.MigrateOperation]) -> Iterator[Step]:
    """Yield the step of the statements that change a table, other than by constraints."""
    upgrade = [item for item in operations if isinstance(item, ops.ExecuteSQLOp) and added_constraint(item) is None]
    for operation in upgrade:
        if _REWRITES.match(action(operation)):
            raise NoSafeFormError(
                f"table {table} must not be rewritten while other sessions use it (got {next(texts(operation))}):"
                " generate this change alone with -x plain, for a table that is small or not in use"
            )
    downgrade = forms.inverses.statements(table)
    if upgrade or downgrade:
        text = locks(table, "ACCESS EXCLUSIVE", CATALOG)
        yield Step(Phase.EXPAND, str(table), f"change {table}", tuple(upgrade), tuple(downgrade), (text,))


def create_constraint(forms: Forms, table: Table, operation: ops.MigrateOperation) -> Iterator[Step]:
    """Yield the steps for a constraint that Alembic has no operation for, or for another change of the catalog."""
    constraint = added_constraint(operation)
    if constraint is None and not isinstance(operation, ops.AddConstraintOp):
        yield expand(forms, table, operation)
    elif constraint is None or constraint.definition.startswith("EXCLUDE"):
        raise NoSafeFormError(_exclusion(table, operation))
    elif match := _KEY.fullmatch(constraint.definition):
        yield from _create_key(forms, constraint, match)
    elif "NOT VALID" in constraint.definition or "NOT ENFORCED" in constraint.definition:
        yield expand(forms, table, operation)
    else:
        yield from _not_valid(forms, constraint)


def _create_key(forms: Forms, constraint: AddedConstraint, match: re.Match[str]) -> Iterator[Step]:
    """Yield the steps for a key with INCLUDE or NULLS NOT DISTINCT."""
    kind, distinct, columns, include, options = (part or "" for part in match.groups())
    table, name = forms.database.identifier(constraint.table), forms.quote(constraint.name)
    index = forms.database.identifier(Table(constraint.table.schema, constraint.name))
    drop = execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
    create = execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {columns}{include}{distinct}")
    build = concurrently(drop, create)
    text = "to build the index, without blocking reads or writes"
    yield Step(
        Phase.BUILD_INDEX,
        constraint.name,
        f"build {constraint.name} concurrently",
        (build,),
        (concurrently(drop),),
        (locks(constraint.table, "SHARE UPDATE EXCLUSIVE", text),),
    )
    yield Step(
        Phase.PRIMARY_KEY if kind == "PRIMARY KEY" else Phase.USE_INDEX,
        str(constraint.table),
        f"add {constraint.name} with its index",
        (execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {name}{options}"),),
        (execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"), build),
        (locks(constraint.table, "ACCESS EXCLUSIVE", CATALOG),),
    )


def _not_valid(forms: Forms, constraint: AddedConstraint) -> Iterator[Step]:
    """Yield the steps for a CHECK constraint or a foreign key with options that Alembic does not have."""
    table, name = constraint.table, forms.quote(constraint.name)
    add = f"ALTER TABLE {forms.database.identifier(table)} ADD CONSTRAINT {name} {constraint.definition} NOT VALID"
    is_foreign_key = constraint.definition.startswith("FOREIGN KEY")
    yield Step(
        Phase.FOREIGN_KEY if is_foreign_key else Phase.RESTRICT,
        constraint.name if is_foreign_key else str(table),
        f"add {constraint.name}, not valid",
        (execute(add),),
        (drop_by_name(table, constraint.name, "foreignkey" if is_foreign_key else "check"),),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG),),
    )
    yield validate(forms, table, constraint.name)


def _exclusion(table: Table, operation: ops.MigrateOperation) -> str:
    name = getattr(operation, "constraint_name", None) or next(texts(operation), "")
    return (
        f"EXCLUDE constraint must not be added to the existing table {table} (got {name}): PostgreSQL would build its"
        " index under a lock that blocks all other sessions. Generate this change alone with -x plain, for a table that"
        " is small or not in use, or create a new table with it"
    )


def with_others(forms: Forms, operations: Sequence[ops.MigrateOperation], steps: list[Step]) -> list[Step]:
    """Add the operations that concern no table: types and schemas before all other steps, drops after them.

    A new value of an enum type can be used after its transaction is committed, and has a revision of its own.
    """
    early, late = _divide(operations)
    restored, _ = _divide(forms.inverses.without_table())
    result = list(steps)
    late = tuple(_allowed(operation) for operation in late)
    if late:
        result.append(Step(Phase.LAST, "types", _TITLE, late, restored))
    downgrade = tuple(item for item in forms.inverses.unused(restored if late else ()) if _has_content(item))
    if early or downgrade:
        result.insert(0, _types(early, downgrade, result))
    return result


def _divide(operations: Sequence[ops.MigrateOperation]) -> tuple[Operations, Operations]:
    """Return the operations that create, and those that drop or comment."""
    changing = [item for item in operations if _has_content(item)]
    late = tuple(item for item in changing if all(map(_DROPS.match, texts(item))))
    return tuple(item for item in changing if item not in late), late


def _allowed(operation: ops.MigrateOperation) -> ops.MigrateOperation:
    """Return a drop with the comment that the lint requires."""
    match = _DROPPED_KIND.match(next(texts(operation), ""))
    if match is None:
        return operation
    return Commented(f"lint-sql: ignore[ban-drop-{match[1].lower()}] no table uses it any more", operation)


def _has_content(operation: ops.MigrateOperation) -> bool:
    return not isinstance(operation, ops.OpContainer) or any(texts(operation))


def _types(early: Operations, downgrade: Operations, steps: list[Step]) -> Step:
    """Return the step of the types, which shares the revision of the first other step if that needs no scan."""
    if any(_ADDS_VALUE.match(text) for operation in early for text in texts(operation)):
        nothing = Nothing("PostgreSQL cannot remove a value from an enum type")
        return Step(Phase.TYPES, "types", "add values to types", early, downgrade or (nothing,), (_NEW_VALUE,))
    first = min(steps, key=lambda step: step.phase, default=None)
    if first is None or (early and first.phase > Phase.EXPAND):
        return Step(Phase.TYPES, "types", _TITLE, early, downgrade)
    return Step(first.phase, first.subject, _TITLE, early, downgrade)
