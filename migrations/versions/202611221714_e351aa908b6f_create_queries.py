"""create queries

Revision ID: e351aa908b6f
Revises:
Create Date: 2026-11-22 17:14:37.391576+00:00

The old code runs while this revision is applied, and again after a rollback: it must work with the new schema. Expand
(add) first, then backfill. Contract (drop, rename, NOT NULL) in a later deployment. Do not edit a merged revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "e351aa908b6f"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # lint-sql: ignore[prefer-identity, prefer-bigint-over-int] the stack requires a SERIAL id
    op.create_table(
        "queries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("query_date", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    # A SERIAL column takes its ids from a sequence, which has its own privileges.
    op.execute("GRANT SELECT, INSERT ON queries TO querier")
    op.execute("GRANT USAGE ON SEQUENCE queries_id_seq TO querier")


def downgrade() -> None:
    op.drop_table("queries")
