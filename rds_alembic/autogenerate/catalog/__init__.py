"""The objects of a database that a `MetaData` describes, as PostgreSQL's catalog has them.

Two objects are equal if `metadata.create_all()` cannot make the difference. Fields that do not count are not compared.
"""

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Catalog",
    "Column",
    "ColumnType",
    "Constraint",
    "Domain",
    "EnumType",
    "Identity",
    "Index",
    "Name",
    "SequenceOptions",
    "Serial",
    "Table",
]

type Name = tuple[str | None, str]
"""The schema and the name of an object. The schema None is the default schema of the connection."""


@dataclass(frozen=True)
class ColumnType:
    """The type of a column.

    `text` is PostgreSQL's spelling, with length and precision. `name` and `kind` (pg_type.typtype) are those of the
    type or, for an array, of its elements.
    """

    text: str
    collation: str | None = None
    name: Name = field(compare=False, default=(None, ""))
    kind: str = field(compare=False, default="b")
    is_array: bool = field(compare=False, default=False)
    dimensions: int = field(compare=False, default=0)

    @property
    def is_enum(self) -> bool:
        """Return True for an enum type and for an array of one."""
        return self.kind == "e"


@dataclass(frozen=True)
class SequenceOptions:
    """The options of a sequence, as in pg_sequence."""

    type: str
    start: int
    increment: int
    minimum: int
    maximum: int
    cache: int
    cycle: bool


@dataclass(frozen=True)
class Identity:
    """The identity of a column. `always`: GENERATED ALWAYS, otherwise BY DEFAULT."""

    always: bool
    options: SequenceOptions


@dataclass(frozen=True)
class Serial:
    """The sequence that a column owns and takes its default from."""

    options: SequenceOptions
    sequence: Name = field(compare=False, default=(None, ""))


@dataclass(frozen=True)
class Column:
    """A column. `generated` is pg_attribute.attgenerated; then `default` is the expression.

    `text` is the SQL of the default or of the expression for a revision.
    """

    name: str
    type: ColumnType
    nullable: bool
    default: str | None
    generated: str
    identity: Identity | None
    serial: Serial | None
    comment: str | None
    text: str | None = field(compare=False, default=None)
    sources: tuple[str, ...] = field(compare=False, default=())
    """The columns that the expression reads."""
    views: tuple[str, ...] = field(compare=False, default=())
    """The views that read the column, for messages."""


@dataclass(frozen=True)
class Constraint:
    """A constraint. `kind` is pg_constraint.contype: c, f, p, u or x.

    `text` is the condition of a CHECK for a revision. `key` is the index or constraint that a foreign key refers to.
    """

    name: str
    kind: str
    definition: str
    valid: bool
    comment: str | None
    text: str = field(compare=False)
    columns: tuple[str, ...] = field(compare=False)
    include: tuple[str, ...] = field(compare=False)
    referred: Name | None = field(compare=False)
    referred_columns: tuple[str, ...] = field(compare=False)
    key: str | None = field(compare=False)
    actions: dict[str, Any] = field(compare=False)
    """The arguments `onupdate`, `ondelete` and `match` of a foreign key; `deferrable` and `initially` of any kind."""


@dataclass(frozen=True)
class Index:
    """An index that is not the index of a constraint. `elements` and `where` are the SQL for a revision."""

    name: str
    definition: str
    valid: bool
    comment: str | None
    unique: bool = field(compare=False)
    elements: tuple[str, ...] = field(compare=False)
    """A column name or, in parentheses or with options, an expression."""
    where: str | None = field(compare=False)
    options: dict[str, Any] = field(compare=False)
    """The arguments of op.create_index()."""
    columns: tuple[str, ...] = field(compare=False)
    has_expressions: bool = field(compare=False)


@dataclass(frozen=True)
class Table:
    """A table. `properties` are the properties that `create_all()` can set, by their names in messages."""

    name: Name
    columns: dict[str, Column]
    constraints: dict[str, Constraint]
    indexes: dict[str, Index]
    comment: str | None
    options: tuple[str, ...]
    properties: dict[str, Any]
    owner: str = field(compare=False, default="")
    is_member: bool = field(compare=False, default=False)
    """True for a partition, an inheritance child and an object of an extension."""


@dataclass(frozen=True)
class EnumType:
    """An enum type. `used_by` has the tables with a column of the type, and ("", "") for any other object."""

    name: Name
    labels: tuple[str, ...]
    comment: str | None
    owner: str = field(compare=False, default="")
    used_by: frozenset[Name] = field(compare=False, default=frozenset())


@dataclass(frozen=True)
class Domain:
    """A domain. `checks` has the definitions of its constraints by name."""

    name: Name
    type: ColumnType
    nullable: bool
    default: str | None
    checks: dict[str, str]
    owner: str = field(compare=False, default="")
    used_by: frozenset[Name] = field(compare=False, default=frozenset())


@dataclass(frozen=True)
class Catalog:
    """The objects of some schemas. `schemas` has the schemas that exist, except the default schema."""

    schemas: frozenset[str]
    tables: dict[Name, Table]
    enums: dict[Name, EnumType]
    domains: dict[Name, Domain]
    sequences: dict[Name, SequenceOptions]
    other_relations: dict[Name, str] = field(default_factory=dict, compare=False)
    """The kinds of the relations that are not compared, and of functions, by name."""
