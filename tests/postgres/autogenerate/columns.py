"""The column types of the random models, in families: PostgreSQL converts the types of a family into each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

NASTY = "100% 'a' \\ :b %(c)s {d}\n\"é\" \\:e ::f"


class Point(UserDefinedType[Any]):
    """A type without the operator `=`."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "point"


class Xml(UserDefinedType[Any]):
    """A type without the operator `=`."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "xml"


class Money(sa.TypeDecorator[Any]):
    """A type of a project, in the database a number."""

    impl = sa.Numeric(12, 2)
    cache_ok = True


class Label(sa.TypeDecorator[Any]):
    """A type of a project, in the database a text."""

    impl = sa.String(40)
    cache_ok = True


@dataclass(frozen=True)
class Kind:
    """A column type, with its SQL default values. `expression`: immutable, over the column `{0}`."""

    build: Callable[[], Any]
    defaults: tuple[Any, ...] = ()
    expression: str | None = None


TEXTS = ("", "a", NASTY, sa.text("upper('x%')"), sa.text(r"'a\:b ' || '\:c'"))
NUMBERS = ("0", "1", sa.text("1 + 1"))
FAMILIES: dict[str, tuple[Kind, ...]] = {
    "num": (
        Kind(sa.SmallInteger, NUMBERS, "{0} * 2"),
        Kind(sa.Integer, NUMBERS, "{0} * 2"),
        Kind(sa.BigInteger, NUMBERS, "{0} % 2"),
        Kind(sa.Numeric, NUMBERS, "{0} * 2"),
        Kind(lambda: sa.Numeric(10, 2), NUMBERS, "{0} + 1"),
        Kind(lambda: sa.Float(24), NUMBERS, "{0} * 2"),
        Kind(sa.Float, NUMBERS, "{0} * 2"),
        Kind(sa.REAL, NUMBERS),
        Kind(Money, NUMBERS),
        Kind(sa.Boolean, (sa.true(), sa.false(), "true")),
    ),
    "txt": (
        Kind(sa.Text, TEXTS, "{0} || '%'"),
        Kind(sa.String, TEXTS, "{0} || '\\:x'"),
        Kind(lambda: sa.String(20), ("a", "b%"), "{0} || '%'"),
        Kind(lambda: sa.String(60), ("a", NASTY), "lower({0})"),
        Kind(lambda: sa.CHAR(5), ("a",)),
        Kind(lambda: sa.Text(collation="C"), TEXTS, "upper({0})"),
        Kind(lambda: sa.String(20, collation="C"), ("a",)),
        Kind(Label, ("a",)),
        Kind(postgresql.UUID, (sa.text("gen_random_uuid()"),)),
        Kind(lambda: sa.Enum("x", "y%", "it's", name="flat", native_enum=False, create_constraint=True), ("x",)),
        Kind(lambda: sa.Enum("x", "y", name="flat", native_enum=False, create_constraint=True, length=30), ("y",)),
        Kind(sa.LargeBinary),
    ),
    "day": (
        Kind(sa.Date, (sa.func.current_date(), "2020-01-01")),
        Kind(sa.DateTime, (sa.text("now()"), sa.func.now())),
        Kind(lambda: sa.DateTime(timezone=True), (sa.func.now(), sa.text("'2020-01-01 00:00+00'"))),
        Kind(lambda: postgresql.TIMESTAMP(precision=3), (sa.func.now(),)),
        Kind(lambda: postgresql.TIMESTAMP(timezone=True, precision=0)),
    ),
    "clock": (
        Kind(sa.Time, ("12:00",)),
        Kind(lambda: postgresql.TIME(precision=2), ("12:00",)),
        Kind(lambda: sa.Time(timezone=True)),
    ),
    "span": (
        Kind(sa.Interval, ("1 day",)),
        Kind(lambda: postgresql.INTERVAL(precision=3)),
        Kind(lambda: postgresql.INTERVAL(fields="DAY TO HOUR")),
    ),
    "doc": (
        Kind(sa.JSON, ("{}", '{"a:b": "100%"}')),
        Kind(postgresql.JSONB, ("{}", "[]", sa.text("'{\"a\"\\: 1}'"))),
    ),
    "docs": (Kind(lambda: sa.ARRAY(sa.JSON), (sa.text("'{}'"),)),),
    "list": (
        Kind(lambda: sa.ARRAY(sa.Integer), ("{}", "{1,2}")),
        Kind(lambda: sa.ARRAY(sa.Text), ("{}", '{"a%"}')),
        Kind(lambda: postgresql.ARRAY(sa.String(10)), ("{}",)),
        Kind(lambda: sa.ARRAY(sa.BigInteger, dimensions=2)),
    ),
    "range": (Kind(postgresql.TSTZRANGE), Kind(postgresql.TSTZRANGE, ("empty",))),
    "numbers": (Kind(postgresql.INT4RANGE, ("[1,2)",)), Kind(postgresql.INT4RANGE)),
    "spot": (Kind(Point, (sa.text("'(0,0)'"), sa.text("point(1, 2)"))), Kind(Point)),
    "xml": (Kind(Xml, ("<a/>",)),),
    "net": (Kind(postgresql.INET, ("10.0.0.0/8",)), Kind(postgresql.CIDR, ("10.0.0.0/8",))),
    "mac": (Kind(postgresql.MACADDR), Kind(postgresql.MACADDR8)),
    "bits": (Kind(lambda: postgresql.BIT(3), (sa.text("B'101'"),)), Kind(lambda: postgresql.BIT(8, varying=True))),
    "words": (Kind(postgresql.TSVECTOR, (sa.text("to_tsvector('simple'\\:\\:regconfig, 'a')"),)),),
    "cash": (Kind(postgresql.MONEY, ("1",)),),
    "hstore": (Kind(postgresql.OID, ("1",)),),
}


UNORDERED = {"doc", "docs", "spot", "xml"}
"""The families with types that have no operator class for a btree."""
