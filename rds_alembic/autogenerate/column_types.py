"""The SQLAlchemy types of columns, for revisions: types of SQLAlchemy, or a class that the revision defines.

A revision must not depend on types of the project, which change after it. Therefore it has the type of the database.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine, UserDefinedType

from rds_alembic.autogenerate.catalog import ColumnType, EnumType, Name
from rds_alembic.autogenerate.sql_text import quote

_PLAIN: dict[str, Callable[[], TypeEngine[Any]]] = {
    "smallint": sa.SmallInteger,
    "integer": sa.Integer,
    "bigint": sa.BigInteger,
    "boolean": sa.Boolean,
    "text": sa.Text,
    "character varying": sa.String,
    "real": sa.REAL,
    "double precision": sa.Double,
    "numeric": sa.Numeric,
    "date": sa.Date,
    "time without time zone": sa.Time,
    "time with time zone": lambda: sa.Time(timezone=True),
    "timestamp without time zone": sa.DateTime,
    "timestamp with time zone": lambda: sa.DateTime(timezone=True),
    "interval": sa.Interval,
    "bytea": sa.LargeBinary,
    "uuid": sa.Uuid,
    "json": sa.JSON,
    "jsonb": postgresql.JSONB,
    "inet": postgresql.INET,
    "cidr": postgresql.CIDR,
    "macaddr": postgresql.MACADDR,
    "macaddr8": postgresql.MACADDR8,
    "money": postgresql.MONEY,
    "oid": postgresql.OID,
    "regclass": postgresql.REGCLASS,
    "regconfig": postgresql.REGCONFIG,
    "tsvector": postgresql.TSVECTOR,
    "tsquery": postgresql.TSQUERY,
    "bit(1)": postgresql.BIT,
    "bit varying": lambda: postgresql.BIT(varying=True),
    "int4range": postgresql.INT4RANGE,
    "int8range": postgresql.INT8RANGE,
    "numrange": postgresql.NUMRANGE,
    "daterange": postgresql.DATERANGE,
    "tsrange": postgresql.TSRANGE,
    "tstzrange": postgresql.TSTZRANGE,
    "int4multirange": postgresql.INT4MULTIRANGE,
    "int8multirange": postgresql.INT8MULTIRANGE,
    "nummultirange": postgresql.NUMMULTIRANGE,
    "datemultirange": postgresql.DATEMULTIRANGE,
    "tsmultirange": postgresql.TSMULTIRANGE,
    "tstzmultirange": postgresql.TSTZMULTIRANGE,
}
_WITH_NUMBERS: dict[str, Callable[..., TypeEngine[Any]]] = {
    r"character varying\((\d+)\)": sa.String,
    r"character\((\d+)\)": sa.CHAR,
    r"numeric\((\d+),(-?\d+)\)": sa.Numeric,
    r"bit\((\d+)\)": postgresql.BIT,
    r"bit varying\((\d+)\)": lambda length: postgresql.BIT(length, varying=True),
    r"time\((\d)\) without time zone": lambda precision: postgresql.TIME(precision=precision),
    r"time\((\d)\) with time zone": lambda precision: postgresql.TIME(timezone=True, precision=precision),
    r"timestamp\((\d)\) without time zone": lambda precision: postgresql.TIMESTAMP(precision=precision),
    r"timestamp\((\d)\) with time zone": lambda precision: postgresql.TIMESTAMP(timezone=True, precision=precision),
    r"interval\((\d)\)": lambda precision: postgresql.INTERVAL(precision=precision),
    r"interval ([a-z ]+)": lambda fields: postgresql.INTERVAL(fields=fields.upper()),
}
_COLLATABLE = (sa.String, sa.Text)


class RawType(UserDefinedType[Any]):
    """A type that SQLAlchemy has no class for. The revision defines a class of its own."""

    cache_ok = True

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def get_col_spec(self, **_options: Any) -> str:
        """Return the name of the type, for DDL."""
        return self.sql

    @property
    def class_name(self) -> str:
        """Return the name of the class in the revision."""
        words = re.findall(r"[A-Za-z0-9]+", self.sql.replace("[]", " Array"))
        is_simple = re.fullmatch(r"([a-z][a-z0-9_]*|[A-Z]+)(\(\d+(,\d+)?\))?(\[\])?", self.sql) is not None
        digest = "" if is_simple else f"{zlib.crc32(self.sql.encode()):08x}"
        return "Type" * (not words or not words[0][0].isalpha()) + "".join(map(str.capitalize, words)) + digest

    @property
    def definition(self) -> str:
        """Return the class, for the imports of the revision."""
        return (
            "from sqlalchemy.types import UserDefinedType\n\n\n"
            f"class {self.class_name}(UserDefinedType):\n"
            "    cache_ok = True\n\n"
            "    def get_col_spec(self, **options):\n"
            f"        return {self.sql!r}\n"
        )


def sqlalchemy_type(column_type: ColumnType, enums: Mapping[Name, EnumType]) -> TypeEngine[Any]:
    """Return the type for a revision. `enums` has the enum types by name."""
    if column_type.is_array:
        item = _item_type(column_type, enums)
        if item is not None and column_type.collation is None:
            return postgresql.ARRAY(item, dimensions=column_type.dimensions if column_type.dimensions > 1 else None)
        return RawType(_with_collation(column_type))
    plain = _item_type(column_type, enums)
    if plain is None or (column_type.collation is not None and not isinstance(plain, _COLLATABLE)):
        return RawType(_with_collation(column_type))
    if column_type.collation is not None and isinstance(plain, sa.String):
        plain.collation = column_type.collation
    return plain


def _item_type(column_type: ColumnType, enums: Mapping[Name, EnumType]) -> TypeEngine[Any] | None:
    if column_type.is_enum and column_type.name in enums:
        schema, name = column_type.name
        return postgresql.ENUM(*enums[column_type.name].labels, name=name, schema=schema, create_type=False)
    text = column_type.text.removesuffix("[]") if column_type.is_array else column_type.text
    if text in _PLAIN:
        return _PLAIN[text]()
    for pattern, build in _WITH_NUMBERS.items():
        match = re.fullmatch(pattern, text)
        if match is not None:
            return build(*(int(group) if group.lstrip("-").isdigit() else group for group in match.groups()))
    return None


def _with_collation(column_type: ColumnType) -> str:
    if column_type.collation is None:
        return column_type.text
    return f"{column_type.text} COLLATE {'.'.join(quote(part) for part in column_type.collation.split('.'))}"


def render_type(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Render a type of `sqlalchemy_type()`, as Alembic's option `render_item`. Leave other items to Alembic."""
    if kind != "type":
        return False
    if isinstance(item, RawType):
        context.imports.add(item.definition)
        return f"{item.class_name}()"
    if type(item).__module__.startswith("sqlalchemy.dialects.postgresql"):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return f"postgresql.{_arguments(item, context)}"
    return f"{context.opts['sqlalchemy_module_prefix'] or ''}{item!r}"


def _arguments(item: TypeEngine[Any], context: AutogenContext) -> str:
    if isinstance(item, postgresql.ENUM):
        schema = f", schema={item.schema!r}" if item.schema else ""
        return f"ENUM({', '.join(map(repr, item.enums))}, name={item.name!r}{schema}, create_type=False)"
    if isinstance(item, postgresql.ARRAY):
        dimensions = f", dimensions={item.dimensions}" if item.dimensions else ""
        return f"ARRAY({render_type('type', item.item_type, context)}{dimensions})"
    if isinstance(item, postgresql.INTERVAL) and item.fields:
        return f"INTERVAL(fields={item.fields!r})"
    if isinstance(item, postgresql.JSONB):
        return "JSONB()"
    return repr(item)
