"""The state that all safe forms share, and the errors for changes without a safe form."""

from dataclasses import dataclass

import sqlalchemy as sa

from rds_alembic.autogenerate.safe_forms.database import Database, Table
from rds_alembic.autogenerate.safe_forms.inverses import Inverses
from rds_alembic.autogenerate.safe_forms.names import literal, quote
from rds_alembic.autogenerate.safe_forms.options import Options

GUIDE = "docs/writing-migrations.md"


class NoSafeFormError(Exception):
    """A change that has no safe form. The message names the change, and the way to make it."""


@dataclass(frozen=True)
class Forms:
    """The database at head, the tables of the models, and the options of the user.

    `new_tables` are created by the same revision: no other session uses them. `inverses` are the
    operations of downgrade().
    """

    database: Database
    dialect: sa.Dialect
    options: Options
    new_tables: frozenset[Table]
    tables: dict[Table, sa.Table]
    inverses: Inverses

    def parts(self, table: Table) -> list[Table]:
        """Return the partitions of a table, or the table itself if it has rows."""
        return self.database.leaf_partitions(table) if self.database.is_partitioned(table) else [table]

    def quote(self, name: str) -> str:
        """Return an SQL identifier."""
        return quote(name)

    def type_sql(self, type_: sa.types.TypeEngine[object]) -> str:
        """Return the SQL of a type."""
        return type_.compile(self.dialect)

    def default_sql(self, column: sa.Column[object]) -> str | None:
        """Return the SQL of the default of a column. An identity and a generated column have no such default."""
        default = column.server_default
        if not isinstance(default, sa.DefaultClause):
            return None
        if isinstance(default.arg, str):
            return literal(default.arg)
        if isinstance(default.arg, sa.TextClause):
            return default.arg.text.replace(r"\:", ":")
        compiled = default.arg.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True})
        return str(compiled)


def locks(table: Table | str, mode: str, until: str) -> str:
    """Return the sentence about the lock of a revision."""
    return f"Lock on {table}: {mode}, {until}."


CATALOG = "to change the catalog"
