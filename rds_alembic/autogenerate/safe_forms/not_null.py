"""The safe form for NOT NULL: a constraint that proves it, then NOT NULL, for which PostgreSQL reads no row then.

A NOT NULL constraint that is NOT VALID exists since PostgreSQL 18 only.
https://www.postgresql.org/docs/17/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL
"""

from collections.abc import Iterator

from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from rds_alembic.autogenerate.safe_forms.constraints import drop_by_name, dropped, validate
from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import CATALOG, Forms, locks
from rds_alembic.autogenerate.safe_forms.names import shorten
from rds_alembic.autogenerate.safe_forms.operations import Call
from rds_alembic.autogenerate.safe_forms.steps import Operations, Phase, Step

_NO_NULLS = (
    "The old code must not write NULL any more, and must not change a row in which the column is NULL: fill these rows"
    " first."
)


def not_null(
    forms: Forms, table: Table, column: str, *, phase: Phase = Phase.EXPAND, title: str | None = None
) -> Iterator[Step]:
    """Yield the steps that forbid NULL. `phase` and `title` are those of the constraint."""
    name = check_name(table, column)
    yield Step(
        phase,
        str(table),
        title or f"reject new NULLs in {table}.{column}",
        (add_check(forms, table, column, not_valid=True),),
        (drop_by_name(table, name, "check"),),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG), _NO_NULLS),
    )
    yield validate(forms, table, name)
    yield Step(
        Phase.FINISH,
        str(table),
        f"set {table}.{column} NOT NULL",
        set_not_null(table, column),
        (
            add_check(forms, table, column),
            ops.AlterColumnOp(table.name, column, schema=table.schema, modify_nullable=True),
        ),
        (locks(table, "ACCESS EXCLUSIVE", CATALOG),),
    )


def check_name(table: Table, column: str) -> conv:
    """Return the name of the constraint that proves NOT NULL."""
    return shorten(f"ck_{table.name}_{column}_not_null")


def add_check(forms: Forms, table: Table, column: str, *, not_valid: bool = False) -> Call:
    """Return the operation that adds the constraint."""
    return Call(
        "create_check_constraint",
        check_name(table, column),
        table.name,
        f"{forms.quote(column)} IS NOT NULL",
        schema=table.schema,
        postgresql_not_valid=not_valid or None,
    )


def set_not_null(table: Table, column: str) -> Operations:
    """Return the operations that set NOT NULL, and drop the constraint that proves it."""
    alter = ops.AlterColumnOp(table.name, column, schema=table.schema, modify_nullable=False)
    return (
        alter,
        dropped(drop_by_name(table, check_name(table, column), "check"), "NOT NULL replaces it"),
    )
