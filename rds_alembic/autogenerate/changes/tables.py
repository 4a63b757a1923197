"""Tables: created, dropped, and their columns changed."""

from collections.abc import Iterable, Mapping

from alembic.operations import ops

from rds_alembic.autogenerate.catalog import Constraint, Name, Table
from rds_alembic.autogenerate.changes.columns import plan_columns, reject_views
from rds_alembic.autogenerate.changes.plan import Phase, Plan
from rds_alembic.autogenerate.operations import (
    create_constraint,
    create_index,
    create_table,
    drop_constraint,
    drop_table,
    execute,
    is_plain,
)
from rds_alembic.autogenerate.sql_text import literal, qualified, quote


def plan(plan: Plan) -> None:
    """Create and drop tables in the order of their foreign keys, and change the tables that stay."""
    created = {name: table for name, table in plan.new.tables.items() if name not in plan.old.tables}
    dropped = {name: table for name, table in plan.old.tables.items() if name not in plan.new.tables}
    finished: set[Name] = set()
    for table in _in_order(created):
        _create(plan, table, finished)
        finished.add(table.name)
    for table in reversed(_in_order(dropped)):
        _drop(plan, table, dropped, finished)
        finished.add(table.name)
    for old, new in plan.kept_tables():
        plan_columns(plan, old, new)
        _change_properties(plan, old, new)


def _in_order(tables: Mapping[Name, Table]) -> list[Table]:
    """Return the tables, each after the tables that it refers to and inherits from. A cycle is broken anywhere."""
    ordered: dict[Name, Table] = {}
    started: set[Name] = set()

    def visit(name: Name) -> None:
        if name in started or name not in tables:
            return
        started.add(name)
        for constraint in tables[name].constraints.values():
            if constraint.referred is not None:
                visit(constraint.referred)
        for parent in tables[name].properties["INHERITS"]:
            visit((name[0], parent))
        ordered[name] = tables[name]

    for name in tables:
        visit(name)
    return list(ordered.values())


def _create(plan: Plan, table: Table, finished: set[Name]) -> None:
    inline = [
        item
        for item in table.constraints.values()
        if is_plain(item) and item.valid and _fits(plan, table, item, finished)
    ]
    plan.add(Phase.CREATE_TABLES, create_table(table, plan.new, inline))
    for constraint in table.constraints.values():
        if constraint not in inline:
            phase = Phase.CREATE_FOREIGN_KEYS if constraint.kind == "f" else Phase.CREATE_KEYS
            plan.add(phase, create_constraint(table.name, constraint))
        plan.add(Phase.COMMENTS, *constraint_comment(table.name, constraint))
    for index in table.indexes.values():
        plan.add(Phase.CREATE_INDEXES, create_index(table.name, index))
        plan.add(Phase.COMMENTS, *index_comment(table.name, index.name, index.comment))


def _fits(plan: Plan, table: Table, constraint: Constraint, finished: set[Name]) -> bool:
    """Return True if a constraint can be a part of CREATE TABLE: the key that it refers to exists by then."""
    if constraint.kind != "f":
        return True
    referred = plan.new.tables.get(constraint.referred or (None, ""))
    if referred is None or constraint.key not in referred.constraints:
        return False
    return referred.name == table.name or referred.name in finished


def _drop(plan: Plan, table: Table, dropped: Iterable[Name], finished: set[Name]) -> None:
    """Drop a table. A foreign key of a table that is dropped later goes first."""
    for other in dropped:
        if other in finished or other == table.name:
            continue
        for constraint in plan.old.tables[other].constraints.values():
            if constraint.referred == table.name:
                plan.add(Phase.DROP_FOREIGN_KEYS, drop_constraint(other, constraint))
    for column in table.columns.values():
        reject_views(table.name, column, "is dropped")
    plan.add(Phase.DROP_TABLES, drop_table(table, plan.old))


def _change_properties(plan: Plan, old: Table, new: Table) -> None:
    table = qualified(new.name)
    if old.comment != new.comment:
        schema, name = new.name
        comment: ops.MigrateOperation
        if new.comment is None:
            comment = ops.DropTableCommentOp(name, schema=schema, existing_comment=old.comment)
        else:
            comment = ops.CreateTableCommentOp(name, new.comment, schema=schema, existing_comment=old.comment)
        plan.add(Phase.COMMENTS, comment)
    removed = [option.split("=")[0] for option in old.options if option.split("=")[0] not in dict(_split(new.options))]
    if removed:
        plan.add(Phase.ALTER_COLUMNS, execute(f"ALTER TABLE {table} RESET ({', '.join(removed)})"))
    if set(new.options) - set(old.options):
        plan.add(Phase.ALTER_COLUMNS, execute(f"ALTER TABLE {table} SET ({', '.join(new.options)})"))
    for name, value in new.properties.items():
        before = old.properties[name]
        if before == value:
            continue
        if name == "UNLOGGED":
            plan.add(Phase.ALTER_COLUMNS, execute(f"ALTER TABLE {table} SET {'UNLOGGED' if value else 'LOGGED'}"))
        else:
            plan.notes.append(
                f"{name} of table {table} is {before}, and {value} in the metadata: write this change by hand"
            )


def _split(options: Iterable[str]) -> Iterable[tuple[str, str]]:
    return ((option.split("=")[0], option) for option in options)


def constraint_comment(table: Name, constraint: Constraint) -> list[ops.MigrateOperation]:
    """Return the operation that comments a constraint, if it has a comment."""
    if constraint.comment is None:
        return []
    return [
        execute(
            f"COMMENT ON CONSTRAINT {quote(constraint.name)} ON {qualified(table)} IS {literal(constraint.comment)}"
        )
    ]


def index_comment(table: Name, index: str, comment: str | None) -> list[ops.MigrateOperation]:
    """Return the operation that comments an index, if it has a comment."""
    if comment is None:
        return []
    return [execute(f"COMMENT ON INDEX {qualified((table[0], index))} IS {literal(comment)}")]
