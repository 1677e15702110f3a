"""Calendars that people keep elsewhere, and the times they take."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_29_2320"
down_revision = "2026_11_29_2315"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported_calendar",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("access", sa.LargeBinary(), nullable=False),
        sa.Column("memory", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expanded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expanded_zone", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("busy_times", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_imported_calendar_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imported_calendar")),
    )
    op.create_index("ix_imported_calendar_account_id", "imported_calendar", ["account_id"])
    op.create_index("ix_imported_calendar_next_try_at", "imported_calendar", ["next_try_at"])
    op.create_table(
        "busy_time",
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)",
            name=op.f("ck_busy_time_half_open"),
        ),
        sa.ForeignKeyConstraint(
            ["calendar_id"],
            ["imported_calendar.id"],
            name=op.f("fk_busy_time_calendar_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_busy_time_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "during", name=op.f("pk_busy_time")),
    )
    op.create_index(
        "ix_busy_time_account_id_during", "busy_time", ["account_id", "during"], postgresql_using="gist"
    )


def downgrade() -> None:
    op.drop_table("busy_time")
    op.drop_table("imported_calendar")
