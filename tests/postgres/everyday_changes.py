"""The changes that developers make every week to a large table in use, as changes of its models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tests.postgres.generated import NAMES
from tests.postgres.scenarios import OLD, RENAMED
from tests.postgres.traffic import Code

BASE = (
    "CREATE TABLE depots (id integer CONSTRAINT pk_depots PRIMARY KEY, name text NOT NULL)",
    "CREATE TYPE parcel_state AS ENUM ('registered', 'delivered')",
    """
    CREATE TABLE parcels (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_parcels PRIMARY KEY,
        recipient text NOT NULL,
        address text NOT NULL,
        weight integer NOT NULL CONSTRAINT ck_parcels_weight CHECK (weight >= 0),
        depot_id integer NOT NULL,
        state parcel_state NOT NULL DEFAULT 'registered',
        remark text DEFAULT 'fragile',
        size integer NOT NULL DEFAULT 1
    )
    """,
    "CREATE INDEX ix_parcels_depot_id ON parcels (depot_id)",
    "GRANT SELECT, INSERT, UPDATE ON parcels TO querier",
    "GRANT SELECT ON depots TO querier",
)


class Models:
    """The models of the tables in `BASE`. `items` are the indexes and constraints of parcels."""

    def __init__(self) -> None:
        state = sa.Enum("registered", "delivered", name="parcel_state")
        self.columns: dict[str, sa.Column[Any]] = {}
        self.add(sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True))
        self.add(sa.Column("recipient", sa.Text, nullable=False))
        self.add(sa.Column("address", sa.Text, nullable=False))
        self.add(sa.Column("weight", sa.Integer, nullable=False))
        self.add(sa.Column("depot_id", sa.Integer, nullable=False))
        self.add(sa.Column("state", state, nullable=False, server_default="registered"))
        self.add(sa.Column("remark", sa.Text, server_default="fragile"))
        self.add(sa.Column("size", sa.Integer, nullable=False, server_default=sa.text("1")))
        self.items: list[Any] = [
            sa.Index("ix_parcels_depot_id", "depot_id"),
            sa.CheckConstraint("weight >= 0", name="weight"),
        ]
        self.metadata = sa.MetaData(naming_convention=NAMES)
        depots = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
        sa.Table("depots", self.metadata, depots, sa.Column("name", sa.Text, nullable=False))

    def add(self, column: sa.Column[Any]) -> None:
        self.columns[column.name] = column

    def build(self) -> sa.MetaData:
        """Return the metadata, with parcels."""
        sa.Table("parcels", self.metadata, *self.columns.values(), *self.items)
        return self.metadata


@dataclass(frozen=True)
class Everyday:
    """A change. After its deployment, `has` are lines of the schema, and `lost` are not; `code` is the next code.

    `arguments` are those of `alembic -x`. If `later` is true, a later deployment ends the change, and `columns` are
    then those of the written values. If `stays` is true, a downgrade does not reverse the change.
    """

    change: Callable[[Models], object]
    has: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    code: Code = OLD
    arguments: tuple[str, ...] = ()
    later: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    stays: bool = False


def _add_column(*arguments: Any, **options: Any) -> Callable[[Models], object]:
    return lambda models: models.add(sa.Column(*arguments, **options))


def _add_item(create: Callable[[], Any]) -> Callable[[Models], object]:
    return lambda models: models.items.append(create())


def _set(column: str, name: str, value: object) -> Callable[[Models], object]:
    return lambda models: setattr(models.columns[column], name, value)


def _rename(models: Models) -> None:
    del models.columns["recipient"]
    models.add(sa.Column("recipient_name", sa.Text, nullable=False))


def _change_index(models: Models) -> None:
    models.items[0] = sa.Index("ix_parcels_depot_id", "depot_id", "weight")


def _add_table(models: Models) -> None:
    sa.Table(
        "complaints",
        models.metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("parcel_id", sa.BigInteger, sa.ForeignKey("parcels.id"), index=True),
        sa.Column("depot_id", sa.Integer, sa.ForeignKey("depots.id")),
    )


EVERYDAY = {
    "add a column": Everyday(_add_column("city", sa.Text), ("column city text",)),
    "add a NOT NULL column with a default": Everyday(
        _add_column("insured", sa.Boolean, nullable=False, server_default=sa.false()),
        ("column insured boolean NOT NULL DEFAULT false",),
    ),
    "add a NOT NULL column with a default of its own for each row": Everyday(
        _add_column("token", sa.Uuid, nullable=False, server_default=sa.func.gen_random_uuid()),
        ("column token uuid NOT NULL DEFAULT gen_random_uuid()",),
    ),
    "drop a column": Everyday(
        lambda models: models.columns.pop("remark"), lost=("column remark text DEFAULT 'fragile'::text",)
    ),
    "rename a column": Everyday(
        _rename,
        ("column recipient_name text NOT NULL",),
        code=RENAMED,
        arguments=("rename=parcels.recipient:recipient_name",),
        later=True,
        columns={"recipient": "recipient_name", "address": "address", "weight": "weight"},
    ),
    "change to a type of another size": Everyday(
        _set("size", "type", sa.BigInteger()), ("column size bigint NOT NULL DEFAULT 1",)
    ),
    "change to a type of the same representation": Everyday(
        _set("remark", "type", sa.String()), ("column remark character varying DEFAULT 'fragile'::character varying",)
    ),
    "forbid NULL": Everyday(
        _set("remark", "nullable", False), ("column remark text NOT NULL DEFAULT 'fragile'::text",)
    ),
    "allow NULL": Everyday(_set("depot_id", "nullable", True), ("column depot_id integer",)),
    "add an index": Everyday(
        _add_item(lambda: sa.Index("ix_parcels_recipient", "recipient")), ("index ix_parcels_recipient",)
    ),
    "change an index": Everyday(_change_index, ("index ix_parcels_depot_id",)),
    "drop an index": Everyday(lambda models: models.items.pop(0), lost=("index ix_parcels_depot_id",)),
    "add a unique constraint": Everyday(
        _add_item(lambda: sa.UniqueConstraint("recipient", "id")),
        ("constraint uq_parcels_recipient_id UNIQUE (recipient, id)",),
    ),
    "add a foreign key": Everyday(
        _add_item(lambda: sa.ForeignKeyConstraint(["depot_id"], ["depots.id"])),
        ("constraint fk_parcels_depot_id_depots FOREIGN KEY (depot_id) REFERENCES depots(id)",),
    ),
    "add a check": Everyday(
        _add_item(lambda: sa.CheckConstraint("recipient <> ''", name="recipient")),
        ("constraint ck_parcels_recipient CHECK ((recipient <> ''::text))",),
    ),
    "drop a check": Everyday(
        lambda models: models.items.pop(1), lost=("constraint ck_parcels_weight CHECK ((weight >= 0))",)
    ),
    "add a value to an enum type": Everyday(
        _add_column(
            "state",
            sa.Enum("registered", "delivered", "returned", name="parcel_state"),
            nullable=False,
            server_default="registered",
        ),
        ("type parcel_state registered, delivered, returned",),
        stays=True,
    ),
    "add a table": Everyday(_add_table, ("table complaints ",)),
}
