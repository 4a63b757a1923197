"""The facts that safe forms need about the database at head. It is only read."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from rds_alembic.autogenerate.safe_forms.names import quote

_STRING = re.compile(r"'(?:[^']|'')*'")
_CALL = re.compile(r'("[^"]+"|\w+)\s*\(')

_PARTITIONED = "SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(:name)"
_LEAVES = """
SELECT nspname, relname FROM pg_partition_tree(to_regclass(:name)) JOIN pg_class ON pg_class.oid = relid
JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE isleaf ORDER BY relid
"""
_VOLATILE = "SELECT count(*) FROM pg_proc WHERE provolatile = 'v' AND proname = ANY(:names)"
# The default of the column itself, and its NOT NULL constraint since PostgreSQL 18, do not count.
_DEPENDENTS = """
SELECT pg_describe_object(classid, objid, objsubid)
FROM pg_attribute JOIN pg_depend ON refclassid = 'pg_class'::regclass AND refobjid = attrelid AND refobjsubid = attnum
WHERE attrelid = to_regclass(:name) AND attname = :column
  AND NOT EXISTS (SELECT FROM pg_attrdef WHERE classid = 'pg_attrdef'::regclass AND pg_attrdef.oid = objid
                  AND adrelid = attrelid AND adnum = attnum)
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE classid = 'pg_constraint'::regclass AND pg_constraint.oid = objid
                  AND contype = 'n')
UNION ALL
SELECT 'privileges on the column' FROM pg_attribute
WHERE attrelid = to_regclass(:name) AND attname = :column AND attacl IS NOT NULL
UNION ALL
SELECT 'generated values' FROM pg_attribute
WHERE attrelid = to_regclass(:name) AND attname = :column AND attgenerated <> ''
ORDER BY 1
"""
_DEFAULT = """
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
WHERE adrelid = to_regclass(:name) AND attname = :column AND attgenerated = ''
"""
_TRIGGER = "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(:name) AND tgname = :trigger"


@dataclass(frozen=True)
class Table:
    """The name of a table. The schema is None if the search path has it."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Database:
    """Reads the catalog."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @cached_property
    def version(self) -> int:
        """The major version of the server."""
        return int(self._connection.execute(sa.text("SHOW server_version_num")).scalar_one()) // 10000

    def identifier(self, table: Table) -> str:
        """Return the name of a table for SQL."""
        return ".".join(quote(part) for part in (table.schema, table.name) if part)

    def is_partitioned(self, table: Table) -> bool:
        """Tell whether rows of the table are in partitions."""
        return any(row[0] for row in self._rows(_PARTITIONED, name=self.identifier(table)))

    def leaf_partitions(self, table: Table) -> list[Table]:
        """Return the partitions that have rows, with the schema if that of the parent is named."""
        rows = self._rows(_LEAVES, name=self.identifier(table))
        return [Table(row[0] if table.schema else None, row[1]) for row in rows]

    def is_volatile(self, expression: str) -> bool:
        """Tell whether an expression may have another value for each row.

        A function counts as volatile if any function of its name is. PostgreSQL rewrites the table for such a default.
        """
        names = [name.strip('"') for name in _CALL.findall(_STRING.sub("", expression))]
        return bool(self._rows(_VOLATILE, names=[*names, *map(str.lower, names)])[0][0])

    def dependents(self, table: Table, column: str) -> list[str]:
        """Return descriptions of the objects that depend on a column: indexes, constraints, views and others."""
        return [str(row[0]) for row in self._rows(_DEPENDENTS, name=self.identifier(table), column=column)]

    def default(self, table: Table, column: str) -> str | None:
        """Return the SQL of the default of a column."""
        rows = self._rows(_DEFAULT, name=self.identifier(table), column=column)
        return str(rows[0][0]) if rows else None

    def has_trigger(self, table: Table, trigger: str) -> bool:
        """Tell whether a table has a trigger."""
        return bool(self._rows(_TRIGGER, name=self.identifier(table), trigger=trigger)[0][0])

    def _rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._connection.execute(sa.text(sql), parameters)]
