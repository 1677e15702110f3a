"""How media travel is kept with each call, because a direct call may be promoted to a forwarded one."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_22_1720"
down_revision = "2026_11_22_0330"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("call", sa.Column("topology", sa.String(), nullable=False, server_default="direct"))
    op.alter_column("call", "topology", server_default=None)


def downgrade() -> None:
    op.drop_column("call", "topology")
