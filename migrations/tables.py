"""The tables at head. `alembic revision --autogenerate` compares the database with them."""

import sqlalchemy as sa

# The naming convention makes the names of constraints predictable for later revisions.
# https://alembic.sqlalchemy.org/en/latest/naming.html
metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

queries = sa.Table(
    "queries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("query_date", sa.Date),
)
