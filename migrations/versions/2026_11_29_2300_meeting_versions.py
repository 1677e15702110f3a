"""Versions of meetings, for clients and for other calendars; the quiet around what is booked."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_2300"
down_revision = "2026_11_22_2100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("meeting", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("meeting", sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("booking", sa.Column("before_minutes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("booking", sa.Column("after_minutes", sa.Integer(), nullable=False, server_default="0"))
    for table, column in (
        ("meeting", "version"),
        ("meeting", "sequence"),
        ("booking", "before_minutes"),
        ("booking", "after_minutes"),
    ):
        op.alter_column(table, column, server_default=None)


def downgrade() -> None:
    op.drop_column("booking", "after_minutes")
    op.drop_column("booking", "before_minutes")
    op.drop_column("meeting", "sequence")
    op.drop_column("meeting", "version")
