"""Meetings again and again: rules, and what became of each of their times."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_29_2340"
down_revision = "2026_11_29_2330"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_series()
    op.create_table(
        "series_occurrence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("recurrence_id", sa.DateTime(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=True),
        sa.Column("skipped", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_series_occurrence_series_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_series_occurrence_meeting_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_occurrence")),
        sa.UniqueConstraint(
            "series_id", "recurrence_id", name=op.f("uq_series_occurrence_series_id_recurrence_id")
        ),
    )
    op.create_index("ix_series_occurrence_meeting_id", "series_occurrence", ["meeting_id"])


def _create_series() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pairing_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=False),
        sa.Column("dtstart", sa.DateTime(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("exdates", postgresql.ARRAY(sa.DateTime()), nullable=False),
        sa.Column("rdates", postgresql.ARRAY(sa.DateTime()), nullable=False),
        sa.Column("stops_before", sa.DateTime(), nullable=True),
        sa.Column("continues_id", sa.Uuid(), nullable=True),
        sa.Column("continues_from", sa.DateTime(), nullable=True),
        sa.Column("made_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("duration_minutes > 0", name=op.f("ck_series_takes_time")),
        sa.ForeignKeyConstraint(
            ["pairing_id"], ["pairing.id"], name=op.f("fk_series_pairing_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by_id"], ["membership.id"], name=op.f("fk_series_proposed_by_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["continues_id"], ["series.id"], name=op.f("fk_series_continues_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    op.create_index("ix_series_pairing_id", "series", ["pairing_id"])
    op.create_index("ix_series_continues_id", "series", ["continues_id"])
    op.create_index(
        "ix_series_active", "series", ["made_until"], postgresql_where=sa.text("status = 'active'")
    )


def downgrade() -> None:
    op.drop_table("series_occurrence")
    op.drop_table("series")
