"""How well people were connected in calls."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_22_1800"
down_revision = "2026_11_22_1720"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attendance_quality",
        sa.Column("attendance_id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("mean_score", sa.Float(), nullable=False),
        sa.Column("worst_score", sa.Float(), nullable=False),
        sa.Column("loss_up", sa.Float(), nullable=True),
        sa.Column("loss_down", sa.Float(), nullable=True),
        sa.Column("jitter", sa.Float(), nullable=True),
        sa.Column("round_trip", sa.Float(), nullable=True),
        sa.Column("bitrate_up", sa.Float(), nullable=False),
        sa.Column("bitrate_down", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["call.id"], name=op.f("fk_attendance_quality_call_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["membership_id"],
            ["membership.id"],
            name=op.f("fk_attendance_quality_membership_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attendance_id", name=op.f("pk_attendance_quality")),
    )
    op.create_index("ix_attendance_quality_call_id", "attendance_quality", ["call_id"])


def downgrade() -> None:
    op.drop_table("attendance_quality")
