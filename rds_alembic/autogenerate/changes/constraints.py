"""Constraints and indexes of a table that stays, and those that depend on a column that changes."""

from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import ops

from rds_alembic.autogenerate.catalog import Constraint, Index, Name, Table
from rds_alembic.autogenerate.changes.plan import Phase, Plan
from rds_alembic.autogenerate.changes.tables import constraint_comment, index_comment
from rds_alembic.autogenerate.operations import (
    create_constraint,
    create_index,
    drop_constraint,
    drop_index,
    execute,
)
from rds_alembic.autogenerate.sql_text import literal, qualified, quote

_CREATION = {
    "p": Phase.CREATE_KEYS,
    "u": Phase.CREATE_KEYS,
    "x": Phase.CREATE_KEYS,
    "c": Phase.CREATE_CHECKS,
    "f": Phase.CREATE_FOREIGN_KEYS,
}


def plan(plan: Plan) -> None:
    """Drop what is gone, changed or in the way, and create what is new, changed or was in the way."""
    dropped_keys: set[tuple[Name, str]] = set()
    for old, new in plan.kept_tables():
        dropped_keys |= _plan_indexes(plan, old, new)
        dropped_keys |= _plan_constraints(plan, old, new)
    for old, new in plan.kept_tables():
        _plan_foreign_keys(plan, old, new, dropped_keys)


def _plan_indexes(plan: Plan, old: Table, new: Table) -> set[tuple[Name, str]]:
    dropped = set()
    for name, index in old.indexes.items():
        after = new.indexes.get(name)
        if after is not None and not _index_differs(index, after) and not _is_in_the_way(plan, new.name, index):
            plan.add(Phase.COMMENTS, *_comment_change(new.name, index, after))
            continue
        dropped.add((new.name, name))
        plan.add(Phase.DROP_INDEXES, drop_index(new.name, index))
    for name, index in new.indexes.items():
        if name not in old.indexes or (new.name, name) in dropped:
            plan.add(Phase.CREATE_INDEXES, create_index(new.name, index))
            plan.add(Phase.COMMENTS, *index_comment(new.name, index.name, index.comment))
    return dropped


def _index_differs(old: Index, new: Index) -> bool:
    return replace(old, comment=None) != replace(new, comment=None)


def _plan_constraints(plan: Plan, old: Table, new: Table) -> set[tuple[Name, str]]:
    dropped = set()
    for constraint in _without_foreign_keys(old):
        after = new.constraints.get(constraint.name)
        if after is not None and _is_same(constraint, after) and not _is_in_the_way(plan, new.name, constraint):
            plan.add(Phase.COMMENTS, *_kept_constraint(new.name, constraint, after))
            continue
        dropped.add((new.name, constraint.name))
        plan.add(Phase.DROP_CONSTRAINTS, drop_constraint(new.name, constraint))
    for constraint in _without_foreign_keys(new):
        if constraint.name not in old.constraints or (new.name, constraint.name) in dropped:
            plan.add(_CREATION[constraint.kind], create_constraint(new.name, constraint))
            plan.add(Phase.COMMENTS, *constraint_comment(new.name, constraint))
    return dropped


def _plan_foreign_keys(plan: Plan, old: Table, new: Table, dropped_keys: set[tuple[Name, str]]) -> None:
    unchanged = set()
    for constraint in _foreign_keys(old):
        after = new.constraints.get(constraint.name)
        key = (constraint.referred or (None, ""), constraint.key or "")
        if (
            after is not None
            and _is_same(constraint, after)
            and key not in dropped_keys
            and not _is_in_the_way(plan, new.name, constraint)
        ):
            unchanged.add(constraint.name)
            plan.add(Phase.COMMENTS, *_kept_constraint(new.name, constraint, after))
        else:
            plan.add(Phase.DROP_FOREIGN_KEYS, drop_constraint(new.name, constraint))
    for constraint in _foreign_keys(new):
        if constraint.name not in unchanged:
            plan.add(Phase.CREATE_FOREIGN_KEYS, create_constraint(new.name, constraint))
            plan.add(Phase.COMMENTS, *constraint_comment(new.name, constraint))


def _without_foreign_keys(table: Table) -> Iterator[Constraint]:
    return (constraint for constraint in table.constraints.values() if constraint.kind != "f")


def _foreign_keys(table: Table) -> Iterator[Constraint]:
    return (constraint for constraint in table.constraints.values() if constraint.kind == "f")


def _is_same(old: Constraint, new: Constraint) -> bool:
    """Return True if the constraint only needs to be validated or commented, if anything."""
    same = replace(old, comment=None, valid=True) == replace(new, comment=None, valid=True)
    return same and (new.valid or not old.valid)


def _kept_constraint(table: Name, old: Constraint, new: Constraint) -> list[ops.MigrateOperation]:
    operations: list[ops.MigrateOperation] = []
    name = quote(new.name)
    if new.valid and not old.valid:
        operations.append(execute(f"ALTER TABLE {qualified(table)} VALIDATE CONSTRAINT {name}"))
    if old.comment != new.comment:
        comment = literal(new.comment)
        operations.append(execute(f"COMMENT ON CONSTRAINT {name} ON {qualified(table)} IS {comment}"))
    return operations


def _comment_change(table: Name, old: Index, new: Index) -> list[ops.MigrateOperation]:
    if old.comment == new.comment:
        return []
    name = qualified((table[0], new.name))
    return [execute(f"COMMENT ON INDEX {name} IS {literal(new.comment)}")]


def _is_in_the_way(plan: Plan, table: Name, item: Constraint | Index) -> bool:
    """Return True if PostgreSQL cannot keep the object while a column that it reads changes."""
    columns = {(table, column) for column in item.columns}
    if isinstance(item, Constraint) and item.referred is not None:
        columns |= {(item.referred, column) for column in item.referred_columns}
    has_expressions = item.has_expressions if isinstance(item, Index) else item.kind in "cxf"
    return bool(columns & plan.replaced) or (has_expressions and bool(columns & plan.retyped))
