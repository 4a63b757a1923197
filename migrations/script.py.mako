"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create Date: ${create_date}

The code deployed before this revision keeps running while it is applied, and again if the deployment is rolled back:
the schema after it must serve both. Expand first (add), then backfill, and contract (drop, rename, NOT NULL) in a
later deployment. Once merged, a revision is not edited any more.
"""

% if imports:
${imports}
% endif
import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
