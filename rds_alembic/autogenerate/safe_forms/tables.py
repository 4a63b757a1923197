"""The safe forms for new tables and for tables that are dropped."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import cast

import sqlalchemy as sa
from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms.constraints import create_foreign_key, drop_by_name, dropped, named
from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.foreign_keys import addition, foreign_keys, referent, without
from rds_alembic.autogenerate.safe_forms.forms import CATALOG, Forms, locks
from rds_alembic.autogenerate.safe_forms.operations import Commented
from rds_alembic.autogenerate.safe_forms.statements import added_constraint
from rds_alembic.autogenerate.safe_forms.steps import Phase, Step


def create_tables(
    forms: Forms,
    creations: Sequence[ops.CreateTableOp],
    others: Sequence[ops.MigrateOperation],
    changed: frozenset[Table],
) -> Iterator[Step]:
    """Yield the steps that create tables. `others` are their indexes and constraints.

    A foreign key locks the table that it refers to. Locks on two tables in use may end in a deadlock. Therefore foreign
    keys to existing tables have revisions of their own, unless they all refer to one table. `changed` are the existing
    tables that get columns or keys: the foreign keys to them come after these.
    """
    inside = {id(creation): _keys_to_existing_tables(forms, creation) for creation in creations}
    added = [item for item in others if isinstance(item, ops.CreateForeignKeyOp)]
    added = [item for item in added if _referent_of(item) not in forms.new_tables]
    referents = {referent(key) for keys in inside.values() for key in keys} | {_referent_of(item) for item in added}
    inline = referents if len(referents) == 1 and not referents & changed else set[Table]()
    for creation in creations:
        later = [key for key in inside[id(creation)] if referent(key) not in inline]
        yield _creation(forms, without(creation, later) if later else creation, inline)
        for key in later:
            yield from create_foreign_key(forms, addition(creation, key))
    for operation in others:
        if operation in added and not inline:
            yield from create_foreign_key(forms, operation)
        else:
            yield _completion(forms, operation)


def _keys_to_existing_tables(forms: Forms, creation: ops.CreateTableOp) -> list[sa.ForeignKeyConstraint]:
    own = Table(creation.schema, creation.table_name)
    return [key for key in foreign_keys(creation) if referent(key) not in forms.new_tables | {own}]


def _creation(forms: Forms, creation: ops.CreateTableOp, inline: set[Table]) -> Step:
    texts = [locks(table, "SHARE ROW EXCLUSIVE", "to add a foreign key to it") for table in inline]
    title = f"create {Table(creation.schema, creation.table_name)}"
    return Step(Phase.NEW_TABLES, "tables", title, (creation,), (forms.inverses.inverse(creation),), tuple(texts))


def _completion(forms: Forms, operation: ops.MigrateOperation) -> Step:
    """Return the step for an index or a constraint of a new table, which is dropped with the table."""
    is_statement = isinstance(operation, ops.ExecuteSQLOp) and added_constraint(operation) is None
    inverse = () if is_statement else (forms.inverses.inverse(operation),)
    return Step(Phase.NEW_TABLES, "tables", "create tables", (operation,), inverse)


def _referent_of(operation: ops.CreateForeignKeyOp) -> Table:
    return Table(operation.kw.get("referent_schema"), operation.referent_table)


def drop_tables(forms: Forms, operations: Iterable[ops.DropTableOp], explicit: Collection[str]) -> Iterator[Step]:
    """Yield the steps that drop tables, with their indexes and constraints. Other steps drop `explicit` foreign keys.

    Foreign keys to several tables are dropped first, one after another, because dropping a foreign key locks the table
    that it refers to. So are foreign keys to tables that are dropped, too.
    """
    drops = list(operations)
    dropped_tables = {Table(operation.schema, operation.table_name) for operation in drops}
    for operation in drops:
        table = Table(operation.schema, operation.table_name)
        creation = cast("ops.CreateTableOp", forms.inverses.inverse(operation))
        keys = [key for key in foreign_keys(creation) if referent(key) != table]
        added = [item for item in forms.inverses.foreign_keys(table) if str(item.constraint_name) not in explicit]
        referents = {referent(key) for key in keys} | {_referent_of(item) for item in added}
        if len(referents) > 1 or referents & dropped_tables:
            yield from (_drop_foreign_key(table, addition(creation, key)) for key in keys)
            yield from (_drop_foreign_key(table, item) for item in forms.inverses.use(added))
            creation = without(creation, keys)
        yield _drop(forms, operation, creation)


def _drop(forms: Forms, operation: ops.DropTableOp, creation: ops.CreateTableOp) -> Step:
    table = Table(operation.schema, operation.table_name)
    question = (
        f"Which deployment stopped using {table}? Write it below. If it is this deployment, move this revision to the\n"
        "next one: the old code runs while the revision is applied, and again after a rollback.\n"
        f"lint-sql: ignore[ban-drop-table] no code uses {table} since: (name the deployment)"
    )
    return Step(
        Phase.DROP_TABLE,
        str(table),
        f"drop {table}",
        (Commented(question, operation),),
        (creation, *forms.inverses.restoring(table)),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG), "The rows are lost: downgrade() restores an empty table."),
    )


def _drop_foreign_key(table: Table, operation: ops.CreateForeignKeyOp) -> Step:
    name = named(operation, table, operation.local_cols)
    drop = drop_by_name(table, name, "foreignkey")
    return Step(
        Phase.DROP_CONSTRAINT,
        f"{table} {name}",
        f"drop {name}",
        (dropped(drop, "its table is dropped by a later revision"),),
        (operation,),
        (locks(f"{table} and {_referent_of(operation)}", "ACCESS EXCLUSIVE", CATALOG),),
    )
