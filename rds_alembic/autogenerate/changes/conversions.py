"""The conversion of a column's values to another type.

PostgreSQL itself decides whether it can convert without USING or with a cast: the statement runs on an empty table in a
savepoint. https://www.postgresql.org/docs/17/sql-altertable.html
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from rds_alembic.autogenerate.catalog import ColumnType
from rds_alembic.autogenerate.sql_text import quote

_NUMBERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision"}
_TEXTS = {"text", "character varying", "character", "citext", "name"}
_TIMESTAMP, _TIMESTAMPTZ = "timestamp without time zone", "timestamp with time zone"


@dataclass(frozen=True)
class Conversions:
    """Finds the conversions of a server."""

    connection: sa.Connection

    def using(self, column: str, old: ColumnType, new: ColumnType) -> str | None:
        """Return the USING expression, or an empty text if PostgreSQL converts without it. None: no conversion."""
        return next(
            (using for using in _candidates(quote(column), old, new) if self._works(column, using, old, new)), None
        )

    def _works(self, column: str, using: str, old: ColumnType, new: ColumnType) -> bool:
        if old.is_enum or new.is_enum:
            return True
        name = quote(column)
        savepoint = self.connection.begin_nested()
        try:
            self._execute(f"CREATE TEMPORARY TABLE autogenerate_conversion ({name} {old.text})")
            clause = f" USING {using}" if using else ""
            self._execute(f"ALTER TABLE pg_temp.autogenerate_conversion ALTER {name} TYPE {new.text}{clause}")
        except sa.exc.DBAPIError:
            return False
        finally:
            savepoint.rollback()
        return True

    def _execute(self, sql: str) -> None:
        self.connection.execute(sa.text(sql.replace(":", r"\:")))


def _candidates(name: str, old: ColumnType, new: ColumnType) -> Iterator[str]:
    """Yield the expressions that keep the meaning of the values, the best first."""
    before, after = _base(old), _base(new)
    target = new.text
    if old.is_array != new.is_array:
        yield from _array_candidates(name, old, new)
        return
    if old.is_enum or new.is_enum:
        yield from _enum_candidates(name, old, new)
        return
    special = _SPECIAL.get((before, after))
    if special:
        yield special.format(name)
    if before in _NUMBERS and after == "boolean":
        yield f"{name} <> 0"
    elif before == "boolean" and after in _NUMBERS:
        yield f"{name}::integer" if target == "integer" else f"{name}::integer::{target}"
    elif after in {"json", "jsonb"} and before not in {*_TEXTS, "json", "jsonb"}:
        yield f"to_{after}({name})"
    elif before in {"json", "jsonb"} and after not in {*_TEXTS, "json", "jsonb"}:
        yield f"({name} #>> '{{}}')::{target}"
    yield ""
    yield f"{name}::{target}"


_SPECIAL = {
    **{(text, "bytea"): "convert_to({}, 'UTF8')" for text in _TEXTS},
    **{("bytea", text): "convert_from({}, 'UTF8')" for text in _TEXTS},
    (_TIMESTAMP, _TIMESTAMPTZ): "{} AT TIME ZONE 'UTC'",
    (_TIMESTAMPTZ, _TIMESTAMP): "{} AT TIME ZONE 'UTC'",
    ("date", _TIMESTAMPTZ): "{}::timestamp AT TIME ZONE 'UTC'",
    (_TIMESTAMPTZ, "date"): "({} AT TIME ZONE 'UTC')::date",
}


def _enum_candidates(name: str, old: ColumnType, new: ColumnType) -> Iterator[str]:
    if old.is_enum and new.is_enum:
        array = "[]" if old.is_array else ""
        yield f"{name}::text{array}::{new.text}"
    elif old.is_enum and _base(new) in _TEXTS:
        yield ""
    elif new.is_enum and _base(old) in _TEXTS:
        yield f"{name}::{new.text}"


def _array_candidates(name: str, old: ColumnType, new: ColumnType) -> Iterator[str]:
    """Convert a value to an array of one value and back. A text in the form of an array is not recognized."""
    if new.is_array and new.text.removesuffix("[]") == old.text:
        yield f"CASE WHEN {name} IS NOT NULL THEN ARRAY[{name}] END"
    elif old.is_array and old.text.removesuffix("[]") == new.text:
        yield f"{name}[1]"


def _base(column_type: ColumnType) -> str:
    """Return the type without length and precision."""
    text = column_type.text.removesuffix("[]")
    head, _, rest = text.partition("(")
    return head + rest.partition(")")[2]
