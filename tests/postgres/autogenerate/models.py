"""Random models: tables, columns of 40 types, defaults, constraints, indexes, enum types, domains and schemas.

The names come from small pools, so that two models have many objects in common that differ in one property.
"""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from tests.postgres.autogenerate.columns import FAMILIES, NASTY, UNORDERED, Kind

CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
TABLES = ("alpha", "beta", "Gamma delta", "epsilon")
SCHEMAS = {"beta": ("audit",), "epsilon": (None, "Other schema", "audit")}
LONG = "a_condition_whose_name_is_so_long_that_postgresql_cannot_keep_it"
LABELS = ("new", "it's 100%", "b:c", "d")
COMMENTS = st.sampled_from([None, None, "plain", NASTY])
KEYS = ("serial", "bigserial", "always", "by_default", "options", "integer", "uuid", "pair")
CHECKS = (
    ("low", "{0} IS NOT NULL"),
    ("low", "{0}\\:\\:text <> '100%'"),
    ("nasty", r"{0}\:\:text !~ '^(?\:a|b)$' OR '\\' = ':::'"),
    (LONG, "coalesce({0}\\:\\:text, '') <> 'x'"),
    (None, "{0} IS NOT NULL OR 'a%' <> ''"),
)


@dataclass
class Draft:
    """The description of a table."""

    name: str
    key: str
    columns: dict[str, tuple[Kind, Any, bool, Any]] = field(default_factory=dict)
    extras: list[tuple[str, Any]] = field(default_factory=list)
    comment: str | None = None
    unlogged: bool = False
    options: dict[str, int] | None = None


@st.composite
def models(draw: st.DrawFn) -> sa.MetaData:
    """Draw a model."""
    metadata = sa.MetaData(naming_convention=CONVENTION if draw(st.booleans()) else None)
    labels = draw(st.permutations(LABELS))[: draw(st.integers(1, 4))]
    names = draw(st.lists(st.sampled_from(TABLES), min_size=1, max_size=3, unique=True))
    drafts = {name: _draft(draw, name) for name in names}
    if len(names) == 1:  # other tables must not refer to an unlogged table
        drafts[names[0]].unlogged = draw(st.booleans())
    for draft in drafts.values():
        _build(draw, metadata, draft, labels)
    for draft in drafts.values():
        _refer(draw, metadata, draft, drafts)
    sa.Sequence("counter", start=draw(st.sampled_from([1, 5])), metadata=metadata)
    return metadata


def _draft(draw: st.DrawFn, name: str) -> Draft:
    draft = Draft(name, draw(st.sampled_from(KEYS)))
    for family in draw(st.lists(st.sampled_from(sorted(FAMILIES)), max_size=3, unique=True)):
        kind = draw(st.sampled_from(FAMILIES[family]))
        default = draw(st.sampled_from([None, *kind.defaults]))
        draft.columns[family] = (kind, default, draw(st.booleans()), draw(COMMENTS))
    draft.comment = draw(COMMENTS)
    draft.options = draw(st.sampled_from([None, None, {"fillfactor": 70}, {"fillfactor": 80}]))
    return draft


def _build(draw: st.DrawFn, metadata: sa.MetaData, draft: Draft, labels: list[str]) -> None:
    schema = draw(st.sampled_from(SCHEMAS.get(draft.name, (None,))))
    prefixes = ["UNLOGGED"] if draft.unlogged else []
    table = sa.Table(draft.name, metadata, *_key(draft.key), schema=schema, comment=draft.comment, prefixes=prefixes)
    if draft.options:
        table.dialect_options["postgresql"]["with"] = draft.options
    for name, (kind, default, nullable, comment) in draft.columns.items():
        column = sa.Column(name, kind.build(), nullable=nullable, server_default=default, comment=comment)
        table.append_column(column)
    _add_types(draw, table, labels)
    for name, (kind, *_rest) in draft.columns.items():
        _add_column_extras(draw, table, name, kind)
    if draw(st.integers(0, 5)) == 0:
        table.append_constraint(sa.UniqueConstraint("id", **draw(UNIQUES), name=f"again_{table.name}"))


def _key(key: str) -> list[sa.Column[Any]]:  # noqa: PLR0911 - a table of cases
    match key:
        case "serial":
            return [sa.Column("id", sa.Integer, primary_key=True)]
        case "bigserial":
            return [sa.Column("id", sa.BigInteger, primary_key=True)]
        case "always":
            return [sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)]
        case "by_default":
            return [sa.Column("id", sa.Integer, sa.Identity(), primary_key=True)]
        case "options":
            options = sa.Identity(start=10, increment=5, minvalue=2, maxvalue=999, cycle=True, cache=3)
            return [sa.Column("id", sa.Integer, options, primary_key=True)]
        case "integer":
            return [sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)]
        case "uuid":
            return [
                sa.Column("id", sa.Integer, unique=True, nullable=False),
                sa.Column("key", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")),
            ]
    return [
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, unique=True),
        sa.Column("part", sa.Text, primary_key=True),
    ]


UNIQUES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"deferrable": True},
        {"deferrable": True, "initially": "DEFERRED"},
        {"postgresql_include": ["id"]},
        {"postgresql_nulls_not_distinct": True},
    ]
)
INDEXES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"unique": True},
        {"postgresql_using": "hash"},
        {"postgresql_include": ["id"]},
        {"postgresql_where": sa.text("id > 5 AND 'a%' <> '\\:b'")},
        {"postgresql_with": {"fillfactor": 50}},
        {"unique": True, "postgresql_nulls_not_distinct": True},
    ]
)


def _add_types(draw: st.DrawFn, table: sa.Table, labels: list[str]) -> None:
    """Add columns of enum types, domains and constrained types."""
    enum = sa.Enum(*labels, name="state", schema=draw(st.sampled_from([None, None, "audit"])))
    domain = postgresql.DOMAIN("share", sa.Integer, check=f"VALUE > {draw(st.integers(0, 1))}", not_null=False)
    column: sa.Column[Any] | None = None
    match draw(st.integers(0, 8)):
        case 0:
            column = sa.Column("state", enum, server_default=draw(st.sampled_from([None, *labels])))
        case 1:
            column = sa.Column("states", sa.ARRAY(enum))
        case 2:
            column = sa.Column("ok", sa.Boolean(create_constraint=True, name="ok"))
        case 3 if not table.metadata.tables.keys() - {table.key}:
            column = sa.Column("share", domain, server_default=draw(st.sampled_from([None, "5"])))
    if column is not None:
        table.append_column(column)
    if column is not None and column.name == "state" and draw(st.booleans()):
        condition = column == labels[0]
        table.append_constraint(sa.CheckConstraint(column != labels[-1], name="not_last"))
        sa.Index(f"by_state_{table.name}", table.c.id, postgresql_where=condition)


def _add_column_extras(draw: st.DrawFn, table: sa.Table, name: str, kind: Kind) -> None:
    column = table.c[name]
    if draw(st.integers(0, 2)) == 0:
        label, condition = draw(st.sampled_from(CHECKS))
        if label in {"low", "nasty"} or (label == LONG) == bool(table.metadata.naming_convention.get("ck")):
            table.append_constraint(sa.CheckConstraint(condition.format(name), name=label and f"{label}_{name}"))
    if kind.expression and draw(st.integers(0, 3)) == 0:
        expression = sa.Computed(kind.expression.format(name), persisted=True)
        table.append_column(sa.Column(f"computed_{name}", sa.Text if name == "txt" else sa.Numeric, expression))
        if draw(st.booleans()):
            sa.Index(f"on_computed_{table.name}", table.c[f"computed_{name}"])
    if name == "range" and draw(st.booleans()):
        where = draw(st.sampled_from([None, sa.text("id > 1"), sa.text("'%' <> '\\:a'")]))
        options: dict[str, Any] = draw(st.sampled_from([{}, {"deferrable": True}]))
        table.append_constraint(
            postgresql.ExcludeConstraint((column, "&&"), name=f"overlap_{table.name}", where=where, **options)
        )
    if name in UNORDERED:
        return
    choice = draw(st.integers(0, 5))
    if choice == 0:
        table.append_constraint(sa.UniqueConstraint(name, **draw(UNIQUES)))
    elif choice == 1:
        _add_index(draw, table, column)


def _add_index(draw: st.DrawFn, table: sa.Table, column: sa.Column[Any]) -> None:
    options = draw(INDEXES)
    is_hash = options.get("postgresql_using") == "hash"
    choice = draw(st.integers(0, 4))
    if choice == 1 and column.name == "txt" and isinstance(column.type, sa.Text) and not is_hash:
        options = options | {"postgresql_ops": {"txt": "text_pattern_ops"}}
    if choice == 2 and isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum):
        sa.Index(f"by_{column.name}_{table.name}", sa.func.lower(column), **options)
    elif choice == 3 and not is_hash:
        sa.Index(f"by_{column.name}_{table.name}", column.desc().nulls_last(), table.c.id, **options)
    elif choice == 4:
        sa.Index(f"by_{column.name}_{table.name}", sa.text("(id % 7)"), **options)
    elif column.name not in {"bits", "cash", "list", "docs", "words"} or not is_hash:
        sa.Index(f"by_{column.name}_{table.name}", column, **options)


ACTIONS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"ondelete": "CASCADE"},
        {"ondelete": "SET NULL", "onupdate": "CASCADE"},
        {"deferrable": True, "initially": "DEFERRED"},
        {"use_alter": True},
    ]
)


def _refer(draw: st.DrawFn, metadata: sa.MetaData, draft: Draft, drafts: dict[str, Draft]) -> None:
    """Add a foreign key to any table, the same included."""
    target = draw(st.sampled_from([None, *drafts]))
    if target is None:
        return
    by_name = {table.name: table for table in metadata.tables.values()}
    table, referred = by_name[draft.name], by_name[target]
    key = sa.ForeignKey(
        referred.c.id, **draw(ACTIONS), name=None if metadata.naming_convention.get("fk") else "to_other"
    )
    table.append_column(sa.Column("other_id", draw(st.sampled_from([sa.Integer, sa.BigInteger])), key))
