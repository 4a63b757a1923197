"""The safe forms for constraints of existing tables: added without a scan, and validated in a later revision."""

import copy
from collections.abc import Iterator

from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import CATALOG, Forms, NoSafeFormError, locks
from rds_alembic.autogenerate.safe_forms.indexes import build
from rds_alembic.autogenerate.safe_forms.names import shorten
from rds_alembic.autogenerate.safe_forms.operations import Call, Commented, Nothing, NotValid, execute
from rds_alembic.autogenerate.safe_forms.steps import Operations, Phase, Step

type Key = ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp

_NEW_ROWS = "The constraint holds for rows that are written from now on. The old code must meet it already."
_WHOLE_TABLE = "to read every row, without blocking reads or writes"
_LATER = "A later revision checks the existing rows."


def create_check(forms: Forms, operation: ops.CreateCheckConstraintOp) -> Iterator[Step]:
    """Yield the steps that add a CHECK constraint."""
    table = Table(operation.schema, operation.table_name)
    name = named(operation, table, ())
    yield Step(
        Phase.RESTRICT,
        str(table),
        f"add {name}, not valid",
        (NotValid(operation),),
        (drop_by_name(table, name, "check"),),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG), f"{_NEW_ROWS} {_LATER}"),
    )
    yield validate(forms, table, name)


def create_foreign_key(forms: Forms, operation: ops.CreateForeignKeyOp) -> Iterator[Step]:
    """Yield the steps that add a foreign key to an existing table."""
    table = Table(operation.kw.get("source_schema"), operation.source_table)
    referent = Table(operation.kw.get("referent_schema"), operation.referent_table)
    name = named(operation, table, operation.local_cols)
    if forms.database.is_partitioned(table) and forms.database.version < 18:  # noqa: PLR2004 - the first with NOT VALID
        raise NoSafeFormError(
            f"foreign key {name} must not be added to the partitioned table {table} before PostgreSQL 18 (got"
            f" {forms.database.version}): NOT VALID is not supported there. Add it to each partition as NOT VALID,"
            " validate it in the next revision, then generate this revision with -x plain: PostgreSQL takes over the"
            " foreign keys of the partitions without reading rows"
        )
    yield Step(
        Phase.FOREIGN_KEY,
        name,
        f"add {name}, not valid",
        (NotValid(operation),),
        (drop_by_name(table, name, "foreignkey"),),
        (locks(f"{table} and {referent}", "SHARE ROW EXCLUSIVE", CATALOG), f"{_NEW_ROWS} {_LATER}"),
    )
    yield validate(forms, table, name)


def validate(forms: Forms, table: Table, name: str) -> Step:
    """Return the step that checks the existing rows."""
    sql = f"ALTER TABLE {forms.database.identifier(table)} VALIDATE CONSTRAINT {forms.quote(name)}"
    return Step(
        Phase.VALIDATE,
        str(table),
        f"validate {name}",
        (execute(sql),),
        (Nothing("the downgrade of an earlier revision drops the constraint"),),
        (
            locks(table, "SHARE UPDATE EXCLUSIVE", _WHOLE_TABLE),
            "It fails if a row does not meet the constraint: search for such rows first.",
        ),
    )


def create_key(forms: Forms, operation: Key) -> Iterator[Step]:
    """Yield the steps that add a unique constraint or a primary key: build its index, then use the index."""
    table = Table(operation.schema, operation.table_name)
    is_primary = isinstance(operation, ops.CreatePrimaryKeyOp)
    name = named(operation, table, () if is_primary else operation.columns)
    if not forms.database.is_partitioned(table):
        yield build(table, unique_index(operation, table, name))
        yield _use_index(forms, operation, table, name)
        return
    for partition in forms.database.leaf_partitions(table):
        part = shorten(f"{name}_{partition.name}")
        yield build(partition, unique_index(operation, partition, part))
        yield _use_index(forms, operation, partition, part, subject=table)
    yield Step(
        Phase.PRIMARY_KEY if is_primary else Phase.USE_INDEX,
        str(table),
        f"add {name}",
        (operation,),
        (drop_by_name(table, name, "primary" if is_primary else "unique"),),
        (locks(table, "ACCESS EXCLUSIVE, and on its partitions", CATALOG),),
    )


def unique_index(operation: Key, table: Table, name: str) -> ops.CreateIndexOp:
    """Return the creation of the index of a key."""
    keywords = {key: value for key, value in operation.kw.items() if key.startswith("postgresql_")}
    return ops.CreateIndexOp(
        conv(name), table.name, list(operation.columns), schema=table.schema, unique=True, **keywords
    )


def using_index(forms: Forms, operation: Key, table: Table, name: str, *, index: str) -> Call:
    """Return the statement that makes an index a key. It renames the index to the name of the key."""
    kind = "PRIMARY KEY" if isinstance(operation, ops.CreatePrimaryKeyOp) else "UNIQUE"
    deferrable = " DEFERRABLE" if operation.kw.get("deferrable") else ""
    initially = f" INITIALLY {operation.kw['initially']}" if operation.kw.get("initially") else ""
    return execute(
        f"ALTER TABLE {forms.database.identifier(table)} ADD CONSTRAINT {forms.quote(name)} {kind}"
        f" USING INDEX {forms.quote(index)}{deferrable}{initially}"
    )


def drop_key(forms: Forms, table: Table, name: str, index: ops.CreateIndexOp) -> Operations:
    """Return the operations that drop a key, and build the index again that it was made from."""
    drop = f"ALTER TABLE {forms.database.identifier(table)} DROP CONSTRAINT IF EXISTS {forms.quote(name)}"
    return execute(drop), *build(table, index).upgrade


def _use_index(forms: Forms, operation: Key, table: Table, name: str, *, subject: Table | None = None) -> Step:
    return Step(
        Phase.PRIMARY_KEY if isinstance(operation, ops.CreatePrimaryKeyOp) else Phase.USE_INDEX,
        str(subject or table),
        f"add {name} with its index",
        (using_index(forms, operation, table, name, index=name),),
        drop_key(forms, table, name, unique_index(operation, table, name)),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG),),
    )


def drop_constraint(forms: Forms, operation: ops.DropConstraintOp) -> Iterator[Step]:
    """Yield the step that drops a constraint."""
    table = Table(operation.schema, operation.table_name)
    name = str(operation.constraint_name)
    is_foreign_key = operation.constraint_type == "foreignkey"
    yield Step(
        Phase.DROP_CONSTRAINT if is_foreign_key else Phase.EXPAND,
        name if is_foreign_key else str(table),
        f"drop {name}",
        (dropped(operation, "the tables of the models do not have the constraint"),),
        (forms.inverses.inverse(operation),),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG),),
    )


def rename_constraint(
    forms: Forms, table: Table, drop: ops.DropConstraintOp, creation: ops.AddConstraintOp
) -> Iterator[Step]:
    """Yield the step that renames a key and its index."""
    old, new = str(drop.constraint_name), str(getattr(creation, "constraint_name", ""))
    rename = f"ALTER TABLE {forms.database.identifier(table)} RENAME CONSTRAINT"
    yield Step(
        Phase.EXPAND,
        str(table),
        f"rename {old} to {new}",
        (execute(f"{rename} {forms.quote(old)} TO {forms.quote(new)}"),),
        (execute(f"{rename} {forms.quote(new)} TO {forms.quote(old)}"),),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG),),
    )


def dropped(operation: ops.MigrateOperation, reason: str) -> Commented:
    """Return a drop of a constraint with the comment that the lint requires."""
    return Commented(f"lint-sql: ignore[ban-drop-constraint] {reason}", operation)


def drop_by_name(table: Table, name: str, type_: str) -> Call:
    """Return the call that drops a constraint, which may be gone already."""
    return Call("drop_constraint", conv(name), table.name, schema=table.schema, type_=type_)


def named(operation: ops.AddConstraintOp, table: Table, columns: object) -> str:
    """Return the name of a constraint. An unnamed constraint gets the name that PostgreSQL would choose."""
    constraint = copy.copy(operation)
    name = getattr(constraint, "constraint_name", None)
    if name is None:
        suffix = {"foreignkey": "fkey", "unique": "key", "primary": "pkey", "check": "check"}[operation.constraint_type]
        name = shorten("_".join([table.name, *columns, suffix]))  # type: ignore[misc] # columns are names
        operation.constraint_name = name  # type: ignore[attr-defined] # each kind of constraint has it
    return str(name)
