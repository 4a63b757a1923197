"""The safe forms for indexes of existing tables: built and dropped concurrently."""

import copy
from collections.abc import Iterator
from typing import cast

from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import Forms, locks
from rds_alembic.autogenerate.safe_forms.names import shorten
from rds_alembic.autogenerate.safe_forms.operations import Autocommit, Call, Commented, execute
from rds_alembic.autogenerate.safe_forms.steps import Phase, Step

_BUILD = "to build the index, without blocking reads or writes"
_AGAIN = (
    "The revision can run twice: it first drops the invalid index that a failed build leaves. No session waits behind"
    " the build, so that it may wait longer for older transactions than other statements."
)
_DUPLICATES = "The build fails if rows are duplicates: search for them first."


def create_index(forms: Forms, operation: ops.CreateIndexOp) -> Iterator[Step]:
    """Yield the steps that build an index."""
    table = Table(operation.schema, operation.table_name)
    if forms.database.is_partitioned(table):
        yield from _create_on_partitions(forms, table, operation)
    else:
        yield build(table, operation)


def build(table: Table, operation: ops.CreateIndexOp) -> Step:
    """Return the step that builds an index concurrently."""
    name = str(operation.index_name)
    drop = _drop(operation.index_name, table)
    return Step(
        Phase.BUILD_INDEX,
        name,
        f"build {name} concurrently",
        (concurrently(drop, _concurrent(operation)),),
        (concurrently(drop),),
        (
            locks(table, "SHARE UPDATE EXCLUSIVE", _BUILD),
            f"{_AGAIN} {_DUPLICATES}" if operation.unique else _AGAIN,
        ),
    )


def drop_index(forms: Forms, operation: ops.DropIndexOp) -> Iterator[Step]:
    """Yield the step that drops an index."""
    table = Table(operation.schema, str(operation.table_name))
    name = str(operation.index_name)
    create = cast("ops.CreateIndexOp", forms.inverses.inverse(operation))
    drop = _drop(operation.index_name, table)
    if forms.database.is_partitioned(table):
        # An index of a partitioned table cannot be dropped concurrently.
        suppressed = Commented("lint-sql: ignore[require-concurrent-index-deletion] a partitioned index", operation)
        text = locks(table, "ACCESS EXCLUSIVE, and on its partitions", "to change the catalog")
        yield Step(Phase.DROP_INDEX, name, f"drop {name}", (suppressed,), (create,), (text,))
        return
    yield Step(
        Phase.DROP_INDEX,
        name,
        f"drop {name} concurrently",
        (concurrently(drop),),
        (concurrently(drop, _concurrent(create)),),
        (locks(table, "SHARE UPDATE EXCLUSIVE", "while older transactions use the index"),),
    )


def change_index(forms: Forms, old: ops.DropIndexOp, new: ops.CreateIndexOp) -> Iterator[Step]:
    """Yield the steps that replace an index by another index of the same name. One of them always exists."""
    table = Table(new.schema, new.table_name)
    if forms.database.is_partitioned(table):
        yield from drop_index(forms, old)
        yield from create_index(forms, new)
        return
    name, temporary, former = str(new.index_name), shorten(f"{new.index_name}_new"), shorten(f"{new.index_name}_old")
    draft = copy.copy(new)
    draft.index_name = temporary
    yield build(table, draft)
    yield Step(
        Phase.USE_INDEX,
        str(table),
        f"rename {name} and its successor",
        (allowed_rename(forms, table, name, former), allowed_rename(forms, table, temporary, name)),
        (rename(forms, table, name, temporary), rename(forms, table, former, name)),
        (locks("the indexes", "SHARE UPDATE EXCLUSIVE", "to change the catalog"),),
    )
    before = copy.copy(cast("ops.CreateIndexOp", forms.inverses.inverse(old)))
    before.index_name = former
    yield Step(
        Phase.DROP_INDEX,
        former,
        f"drop the former {name} concurrently",
        (concurrently(_drop(former, table)),),
        (concurrently(_drop(former, table), _concurrent(before)),),
        (locks(table, "SHARE UPDATE EXCLUSIVE", "while older transactions use the index"),),
    )


def concurrently(*operations: ops.MigrateOperation) -> Autocommit:
    """Return the block in which indexes are built and dropped."""
    return Autocommit([execute("SET lock_timeout = '10min'"), *operations, execute("RESET lock_timeout")])


def _concurrent(operation: ops.CreateIndexOp) -> ops.CreateIndexOp:
    result = copy.copy(operation)
    result.kw = {**operation.kw, "postgresql_concurrently": True}
    return result


def _drop(name: str | None, table: Table) -> Call:
    keywords = {"table_name": table.name, "schema": table.schema}
    return Call("drop_index", conv(str(name)), **keywords, postgresql_concurrently=True, if_exists=True)


def allowed_rename(forms: Forms, table: Table, old: str, new: str) -> Commented:
    """Return the statement that renames an index, with the comment that the lint requires."""
    return Commented("lint-sql: ignore[renaming-object] no code names an index", rename(forms, table, old, new))


def rename(forms: Forms, table: Table, old: str, new: str) -> Call:
    """Return the statement that renames an index."""
    qualified = forms.database.identifier(Table(table.schema, old))
    return execute(f"ALTER INDEX {qualified} RENAME TO {forms.quote(new)}")


def _create_on_partitions(forms: Forms, table: Table, operation: ops.CreateIndexOp) -> Iterator[Step]:
    """Yield the steps for a partitioned table: CREATE INDEX CONCURRENTLY works for its partitions only."""
    for partition in forms.database.leaf_partitions(table):
        part = copy.copy(operation)
        part.table_name, part.schema = partition.name, partition.schema
        part.index_name = shorten(f"{operation.index_name}_{partition.name}")
        yield build(partition, part)
    yield Step(
        Phase.USE_INDEX,
        str(table),
        f"attach the indexes of the partitions to {operation.index_name}",
        (operation,),
        (forms.inverses.inverse(operation),),
        (
            locks(table, "SHARE, and on its partitions", "to change the catalog"),
            "A partition that the revisions before this one do not know gets its index here, and writes to it wait.",
        ),
    )
