"""The revision that fills a column in batches, while other sessions write to the table."""

from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import Forms, locks
from rds_alembic.autogenerate.safe_forms.names import literal
from rds_alembic.autogenerate.safe_forms.operations import Autocommit, Nothing, execute
from rds_alembic.autogenerate.safe_forms.steps import Phase, Step

_PAGES = 50
"""The size of a batch in pages of 8 kB: a few thousand rows, which are written in about a tenth of a second."""
# A row that another session moves to a page that was read already is filled in the next pass.
_BLOCK = """
DO $$
DECLARE
    pages bigint;
    page bigint;
    first tid;
    after tid;
    filled bigint;
    filled_in_pass bigint;
BEGIN
    LOOP
        filled_in_pass := 0;
        page := 0;
        pages := pg_relation_size({name}) / current_setting('block_size')::bigint;
        WHILE page <= pages LOOP
            first := format('(%s,0)', page)::tid;
            after := format('(%s,0)', page + {size})::tid;
            UPDATE {table} SET {column} = {value}
            WHERE ctid >= first AND ctid < after AND {condition};
            GET DIAGNOSTICS filled = ROW_COUNT;
            COMMIT;
            filled_in_pass := filled_in_pass + filled;
            page := page + {size};
        END LOOP;
        EXIT WHEN filled_in_pass = 0;
    END LOOP;
END $$
"""


def backfill(forms: Forms, table: Table, column: str, value: str, *, only_if: str | None = None) -> Step:
    """Return the step that sets a column to an SQL expression in all rows where the column is NULL.

    `only_if` is a condition that is true if the expression is not NULL.
    """
    condition = f"{forms.quote(column)} IS NULL" + (f" AND {only_if}" if only_if else "")
    blocks = [
        execute(
            _BLOCK.format(
                name=literal(forms.database.identifier(part)),
                table=forms.database.identifier(part),
                column=forms.quote(column),
                value=value,
                condition=condition,
                size=_PAGES,
            )
        )
        for part in forms.parts(table)
    ]
    return Step(
        Phase.BACKFILL,
        f"{table}.{column}",
        f"fill {column} in {table}",
        (Autocommit(blocks),),
        (Nothing("the downgrade of an earlier revision drops the column"),),
        (
            locks(table, "ROW EXCLUSIVE, and the rows of a batch", "to write a batch"),
            "Each batch is a transaction. The revision can run twice: it skips the rows that are filled.",
        ),
    )
