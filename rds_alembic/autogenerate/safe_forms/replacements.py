"""The safe forms for an index or a constraint that is replaced by another one of the same name.

An index is built under another name first, so that queries always have an index, and uniqueness is always enforced.
"""

import copy
from collections.abc import Iterator

from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms import constraints, indexes
from rds_alembic.autogenerate.safe_forms.constraints import drop_by_name, dropped
from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import CATALOG, Forms, locks
from rds_alembic.autogenerate.safe_forms.names import shorten
from rds_alembic.autogenerate.safe_forms.operations import Commented, NotValid
from rds_alembic.autogenerate.safe_forms.steps import Operations, Phase, Step

type Drop = ops.DropIndexOp | ops.DropConstraintOp
type Creation = ops.CreateIndexOp | ops.AddConstraintOp
type IndexCreation = ops.CreateIndexOp | ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp


def replace(forms: Forms, drop: Drop, creation: Creation) -> Iterator[Step]:
    """Yield the steps for a replacement."""
    if isinstance(drop, ops.DropIndexOp) and isinstance(creation, ops.CreateIndexOp):
        yield from indexes.change_index(forms, drop, creation)
    elif isinstance(creation, ops.CreateIndexOp | ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp):
        yield from _replace_index(forms, drop, creation)
    elif isinstance(drop, ops.DropConstraintOp):
        yield from _replace_constraint(forms, drop, creation)


def _replace_constraint(forms: Forms, drop: ops.DropConstraintOp, creation: ops.AddConstraintOp) -> Iterator[Step]:
    """Yield the steps for CHECK constraints and foreign keys: new rows always meet one of both."""
    table = Table(drop.schema, drop.table_name)
    name = str(drop.constraint_name)
    is_foreign_key = isinstance(creation, ops.CreateForeignKeyOp)
    type_ = "foreignkey" if is_foreign_key else "check"
    yield Step(
        Phase.FOREIGN_KEY if is_foreign_key else Phase.RESTRICT,
        name if is_foreign_key else str(table),
        f"replace {name}, not valid",
        (_dropped(drop), NotValid(creation)),
        (drop_by_name(table, name, type_), forms.inverses.inverse(drop)),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG), "The old code must meet the new constraint already."),
    )
    yield constraints.validate(forms, table, name)


def _replace_index(forms: Forms, drop: Drop, creation: IndexCreation) -> Iterator[Step]:
    """Yield the steps for a unique constraint, a primary key, or an index that becomes or was one of these."""
    table = Table(creation.schema, creation.table_name)
    name = str(drop.index_name if isinstance(drop, ops.DropIndexOp) else drop.constraint_name)
    temporary = shorten(f"{name}_new")
    if isinstance(creation, ops.CreateIndexOp):
        draft = copy.copy(creation)
        draft.index_name = temporary
    else:
        draft = constraints.unique_index(creation, table, temporary)
    yield indexes.build(table, draft)
    upgrade, downgrade = _use(forms, table, creation, draft, name)
    yield Step(
        Phase.PRIMARY_KEY if isinstance(creation, ops.CreatePrimaryKeyOp) else Phase.USE_INDEX,
        str(table),
        f"replace {name}",
        (_dropped(drop), *upgrade),
        (downgrade[0], forms.inverses.inverse(drop), *downgrade[1:]),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG),),
    )


def _use(
    forms: Forms, table: Table, creation: IndexCreation, draft: ops.CreateIndexOp, name: str
) -> tuple[Operations, Operations]:
    """Return the operations that give the index its name, and their inverse."""
    temporary = str(draft.index_name)
    if isinstance(creation, ops.CreateIndexOp):
        return (indexes.allowed_rename(forms, table, temporary, name),), (
            indexes.rename(forms, table, name, temporary),
        )
    add = constraints.using_index(forms, creation, table, name, index=temporary)
    return (add,), constraints.drop_key(forms, table, name, draft)


def _dropped(drop: Drop) -> Commented:
    if isinstance(drop, ops.DropIndexOp):
        return Commented("lint-sql: ignore[require-concurrent-index-deletion] its successor exists already", drop)
    return dropped(drop, "its successor is added in the same transaction")
