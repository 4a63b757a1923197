"""The changes of tables that autogenerate writes, by the rows of the table in docs/writing-migrations.md."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tests.postgres.autogenerate.columns import NASTY, Point

type Model = Callable[[sa.MetaData], None]


@dataclass(frozen=True)
class Change:
    """A change from one model to another, as an example of a row of the table."""

    row: str
    name: str
    before: Model
    after: Model


def table(*items: Any, name: str = "t", **options: Any) -> Model:
    """Return a model of one table with a key and other columns and constraints."""

    def build(metadata: sa.MetaData) -> None:
        columns = [item() if callable(item) else item for item in items]
        key = [] if any(getattr(item, "primary_key", False) is True for item in columns) else [serial()]
        sa.Table(name, metadata, *key, *columns, **options)

    return build


def column(name: str, *arguments: Any, **options: Any) -> Callable[[], sa.Column[Any]]:
    """Return a function that creates a column."""
    return lambda: sa.Column(name, *(item() if callable(item) else item for item in arguments), **options)


def serial() -> sa.Column[Any]:
    """Return a key that is SERIAL."""
    return sa.Column("id", sa.Integer, primary_key=True)


def key(*arguments: Any, type_: Any = sa.Integer, **options: Any) -> Callable[[], sa.Column[Any]]:
    """Return a function that creates a key."""
    return lambda: sa.Column("id", type_, *(item() for item in arguments), primary_key=True, **options)


def index(*expressions: str, **options: Any) -> Model:
    """Return a model with an index."""

    def build(metadata: sa.MetaData) -> None:
        built = sa.Table("t", metadata, serial(), sa.Column("a", sa.Text), sa.Column("n", sa.Integer))
        sa.Index("ix_t", *(built.c.get(item, sa.text(item)) for item in expressions or ("a",)), **options)

    return build


def both(*models: Model) -> Model:
    """Return a model with the tables of several."""

    def build(metadata: sa.MetaData) -> None:
        for model in models:
            model(metadata)

    return build


def referring(name: str, target: str, **options: Any) -> Model:
    """Return a model of a table with a foreign key."""
    return table(column("other", sa.Integer, lambda: sa.ForeignKey(f"{target}.id", **options)), name=name)


def enum(*labels: str, default: str | None = None) -> Model:
    """Return a model with a column of an enum type."""
    return table(column("state", lambda: sa.Enum(*labels, name="state"), server_default=default))


def retyped(old: Any, new: Any) -> tuple[Model, Model]:
    """Return the models for a change of a column's type."""
    return table(column("c", old)), table(column("c", new))


def share(minimum: int) -> Callable[[], postgresql.DOMAIN]:
    """Return a function that creates a domain."""
    return lambda: postgresql.DOMAIN("share", sa.Integer, check=f"VALUE > {minimum}")


def computed(expression: str) -> sa.Computed:
    """Return a computed value."""
    return sa.Computed(expression, persisted=True)


def computed_number(expression: str) -> Callable[[], sa.Column[Any]]:
    """Return a function that creates a computed column."""
    return column("n", sa.Integer, lambda: computed(expression))


PLAIN = table(column("a", sa.Text))
WITH_NUMBER = table(column("a", sa.Text), column("n", sa.Integer))
CONDITION = r"a <> '100%' AND a !~ '^(?\:x|\\y)$' AND a <> ':::z'"

TABLES = "a table, a schema of tables, foreign keys in a circle"
COLUMNS = "a column, its nullability, default and comment"
IDENTITY = "identity, `SERIAL`, and from one to the other"
COMPUTED = "a computed column, its expression"
TYPES = "the type or collation of a column, with `USING` where PostgreSQL needs it"
PROJECT_TYPES = "a type that the project defines: the revision has the type of the database"
KEYS = "primary key, unique constraint, foreign key, `EXCLUDE`, with all options"
CHECKS = "a `CHECK` constraint, its condition, and those of `Boolean` and `Enum`"
INDEXES = "an index: columns, expressions, `WHERE`, `USING`, `INCLUDE`, operator classes, storage parameters"
ENUMS = "an enum type: values added, removed or moved"
DOMAINS = "a domain, a sequence of the metadata"
PROPERTIES = "comment, storage parameters, `UNLOGGED` of a table"

CHANGES = (
    Change(TABLES, "a new table", PLAIN, both(PLAIN, referring("u", "t"))),
    Change(TABLES, "a table less", both(PLAIN, referring("u", "t")), PLAIN),
    Change(TABLES, "a new schema", PLAIN, both(PLAIN, table(name="log", schema="audit"))),
    Change(TABLES, "a child", PLAIN, both(table(name="x"), table(name="u", postgresql_inherits="x"), PLAIN)),
    Change(TABLES, "foreign keys in a circle", PLAIN, both(referring("x", "y"), referring("y", "x"))),
    Change(TABLES, "a circle with use_alter", PLAIN, both(referring("x", "y", use_alter=True), referring("y", "x"))),
    Change(TABLES, "the tables of a circle less", both(referring("x", "y"), referring("y", "x"), PLAIN), PLAIN),
    Change(COLUMNS, "a new column", PLAIN, WITH_NUMBER),
    Change(COLUMNS, "a column less", WITH_NUMBER, PLAIN),
    Change(COLUMNS, "not null", PLAIN, table(column("a", sa.Text, nullable=False))),
    Change(COLUMNS, "a default", PLAIN, table(column("a", sa.Text, server_default=NASTY, comment=NASTY))),
    Change(COLUMNS, "json", table(column("a", sa.JSON)), table(column("a", sa.JSON, server_default='{"a:b": "%"}'))),
    Change(COLUMNS, "point", table(column("a", Point)), table(column("a", Point, server_default="(0,0)"))),
    Change(IDENTITY, "serial to identity", table(), table(key(lambda: sa.Identity(always=True)))),
    Change(IDENTITY, "identity to serial", table(key(sa.Identity)), table()),
    Change(IDENTITY, "always", table(key(sa.Identity)), table(key(lambda: sa.Identity(always=True)))),
    Change(IDENTITY, "options", table(key(sa.Identity)), table(key(lambda: sa.Identity(start=100, increment=10)))),
    Change(IDENTITY, "bounds", table(key(sa.Identity)), table(key(lambda: sa.Identity(minvalue=50, maxvalue=99)))),
    Change(IDENTITY, "dropped", table(key(sa.Identity)), table(key(autoincrement=False))),
    Change(IDENTITY, "serial to bigserial", table(), table(key(type_=sa.BigInteger))),
    Change(
        COMPUTED, "a new one", PLAIN, table(column("a", sa.Text), column("c", sa.Text, lambda: computed("a || '%'")))
    ),
    Change(COMPUTED, "from a plain column", WITH_NUMBER, table(column("a", sa.Text), computed_number("length(a)"))),
    Change(
        COMPUTED,
        "another expression",
        table(column("a", sa.Text), computed_number("length(a)")),
        table(column("a", sa.Text), computed_number("length(a) + 1"), lambda: sa.Index("on_n", "n")),
    ),
    Change(COMPUTED, "to a plain column", table(column("a", sa.Text), computed_number("length(a)")), WITH_NUMBER),
    Change(TYPES, "text to integer", *retyped(sa.Text, sa.Integer)),
    Change(TYPES, "integer to boolean", *retyped(sa.Integer, sa.Boolean)),
    Change(TYPES, "text to bytea", *retyped(sa.Text, sa.LargeBinary)),
    Change(TYPES, "text to array", *retyped(sa.Text, lambda: sa.ARRAY(sa.Text))),
    Change(TYPES, "collation", *retyped(sa.Text, lambda: sa.Text(collation="C"))),
    Change(TYPES, "precision", *retyped(sa.DateTime, lambda: postgresql.TIMESTAMP(timezone=True, precision=3))),
    Change(
        TYPES,
        "with all that depends on the column",
        table(
            column("c", sa.Integer, server_default="1"),
            lambda: sa.CheckConstraint("c > 0", name="ck"),
            lambda: sa.Index("ix", "c"),
        ),
        table(
            column("c", sa.Text, server_default="1"),
            lambda: sa.CheckConstraint("c > '0'", name="ck"),
            lambda: sa.Index("ix", "c", postgresql_where=sa.text("c <> ''")),
        ),
    ),
    Change(PROJECT_TYPES, "UserDefinedType", PLAIN, table(column("a", sa.Text), column("p", Point))),
    Change(KEYS, "primary key", WITH_NUMBER, table(column("n", sa.Integer, primary_key=True, autoincrement=False))),
    Change(
        KEYS, "unique", PLAIN, table(column("a", sa.Text), lambda: sa.UniqueConstraint("a", name="uq", deferrable=True))
    ),
    Change(
        KEYS,
        "nulls not distinct, include",
        table(column("a", sa.Text), lambda: sa.UniqueConstraint("a", name="uq")),
        table(
            column("a", sa.Text),
            lambda: sa.UniqueConstraint("a", name="uq", postgresql_nulls_not_distinct=True, postgresql_include=["id"]),
        ),
    ),
    Change(KEYS, "on delete", referring("t", "t"), referring("t", "t", ondelete="CASCADE", initially="DEFERRED")),
    Change(
        KEYS,
        "exclude",
        table(column("r", postgresql.INT4RANGE)),
        table(
            column("r", postgresql.INT4RANGE),
            lambda: postgresql.ExcludeConstraint(("r", "&&"), name="ex", where="id > 1"),
        ),
    ),
    Change(CHECKS, "a new one", PLAIN, table(column("a", sa.Text), lambda: sa.CheckConstraint(CONDITION, name="ck"))),
    Change(
        CHECKS,
        "another condition",
        table(column("a", sa.Text), lambda: sa.CheckConstraint("a <> 'x'", name="ck")),
        table(column("a", sa.Text), lambda: sa.CheckConstraint(CONDITION, name="ck")),
    ),
    Change(CHECKS, "without a name", PLAIN, table(column("a", sa.Text), lambda: sa.CheckConstraint("a > ''"))),
    Change(
        CHECKS,
        "of a type",
        PLAIN,
        table(column("a", sa.Text), column("e", lambda: sa.Enum("x", "y%", native_enum=False, create_constraint=True))),
    ),
    Change(INDEXES, "an expression", PLAIN, index("lower(a || '%\\:x')", postgresql_where=sa.text("a <> '%'"))),
    Change(INDEXES, "where", index(), index(postgresql_where=sa.text(CONDITION))),
    Change(INDEXES, "using", index(), index(postgresql_using="hash")),
    Change(INDEXES, "include of a key column", index(), index(postgresql_include=["a", "n"])),
    Change(INDEXES, "include", index(), index(postgresql_include=["n"])),
    Change(INDEXES, "operator class", index(), index(postgresql_ops={"a": "text_pattern_ops"})),
    Change(INDEXES, "unique, nulls not distinct", index(), index(unique=True, postgresql_nulls_not_distinct=True)),
    Change(INDEXES, "fillfactor", index(), index(postgresql_with={"fillfactor": 50})),
    Change(ENUMS, "a new type", PLAIN, enum("a%", "b:c", "it's")),
    Change(ENUMS, "no longer used", enum("a"), table()),
    Change(ENUMS, "a new value that is the new default", enum("a", "b", default="a"), enum("a", "c", "b", default="c")),
    Change(
        ENUMS,
        "text of the metadata that names the schema of a type",
        PLAIN,
        table(
            column(
                "state",
                lambda: sa.Enum("a", name="state", schema="audit"),
                server_default=sa.text("'a'::audit.state"),
            ),
            column("level", lambda: sa.Enum("b", name="level"), server_default=sa.text("'b'::public.level")),
            lambda: sa.CheckConstraint("state <> 'a'::\"audit\".state OR state::text = 'audit.state'", name="ck"),
        ),
    ),
    Change(
        ENUMS,
        "a new value in the default of an array",
        table(column("state", lambda: sa.ARRAY(sa.Enum("a", name="My State")))),
        table(column("state", lambda: sa.ARRAY(sa.Enum("a", "it's", name="My State")), server_default="{it's}")),
    ),
    Change(ENUMS, "a value less", enum("a", "b", "c", default="a"), enum("c", "a", default="a")),
    Change(DOMAINS, "a new domain", PLAIN, table(column("a", sa.Text), column("s", share(0)))),
    Change(DOMAINS, "its check", table(column("s", share(0))), table(column("s", share(5)))),
    Change(PROPERTIES, "comment", PLAIN, table(column("a", sa.Text), comment=NASTY)),
    Change(PROPERTIES, "fillfactor", PLAIN, table(column("a", sa.Text), postgresql_with={"fillfactor": 70})),
    Change(PROPERTIES, "unlogged", PLAIN, table(column("a", sa.Text), prefixes=["UNLOGGED"])),
)
