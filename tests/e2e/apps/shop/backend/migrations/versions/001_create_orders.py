import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade() -> None:
    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.Text))
    op.execute("COMMENT ON TABLE orders IS '\u2ffc'")
    op.execute("GRANT SELECT ON orders TO shop")


def downgrade() -> None:
    op.drop_table("orders")
