"""The tables of a catalog as tables of SQLAlchemy, for `include_object` of the user."""

import sqlalchemy as sa

from rds_alembic.autogenerate.catalog import Catalog, Table
from rds_alembic.autogenerate.column_types import sqlalchemy_type


def as_sqlalchemy(table: Table, catalog: Catalog) -> sa.Table:
    """Return a table for the user's filters, with its columns, indexes and constraints."""
    schema, name = table.name
    columns = [
        sa.Column(
            column.name, sqlalchemy_type(column.type, catalog.enums), nullable=column.nullable, comment=column.comment
        )
        for column in table.columns.values()
    ]
    result = sa.Table(name, sa.MetaData(), *columns, schema=schema, comment=table.comment)
    for index in table.indexes.values():
        sa.Index(index.name, *(result.c[column] for column in index.columns), unique=index.unique)
    for constraint in table.constraints.values():
        if constraint.kind == "u":
            result.append_constraint(sa.UniqueConstraint(*constraint.columns, name=constraint.name))
        elif constraint.kind == "c":
            result.append_constraint(sa.CheckConstraint(sa.text(constraint.text), name=constraint.name))
        elif constraint.kind == "f" and constraint.referred is not None:
            target = ".".join(part for part in constraint.referred if part)
            referred = [f"{target}.{column}" for column in constraint.referred_columns]
            result.append_constraint(sa.ForeignKeyConstraint(constraint.columns, referred, name=constraint.name))
    return result
