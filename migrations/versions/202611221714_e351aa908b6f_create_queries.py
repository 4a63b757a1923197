"""create queries

Revision ID: e351aa908b6f
Revises:
Create Date: 2026-11-22 17:14:37.391576+00:00

The code deployed before this revision keeps running while it is applied, and again if the deployment is rolled back:
the schema after it must serve both. Expand first (add), then backfill, and contract (drop, rename, NOT NULL) in a
later deployment. Once merged, a revision is not edited any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "e351aa908b6f"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # lint-sql: ignore[prefer-identity, prefer-bigint-over-int] the stack was asked for with a SERIAL id
    op.create_table(
        "queries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("query_date", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    # SERIAL draws its ids from a sequence, which has privileges of its own.
    op.execute("GRANT SELECT, INSERT ON queries TO querier")
    op.execute("GRANT USAGE ON SEQUENCE queries_id_seq TO querier")


def downgrade() -> None:
    op.drop_table("queries")
