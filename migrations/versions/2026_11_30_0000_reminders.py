"""Reminders: how each person wants them, each occasion once, and who was nudged."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_30_0000"
down_revision = "2026_11_29_2350"
branch_labels = None
depends_on = None


def _instant(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "reminder_preferences",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("lead_minutes", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_to", sa.Time(), nullable=True),
        sa.Column("agenda", sa.Boolean(), nullable=False),
        sa.Column("nudges", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(quiet_from IS NULL) = (quiet_to IS NULL)",
            name=op.f("ck_reminder_preferences_quiet_has_two_ends"),
        ),
        sa.CheckConstraint(
            "quiet_from <> quiet_to", name=op.f("ck_reminder_preferences_quiet_is_not_always")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_reminder_preferences_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_reminder_preferences")),
    )
    op.create_table(
        "reminder",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=True),
        sa.Column("pairing_id", sa.Uuid(), nullable=True),
        sa.Column("lead_minutes", sa.Integer(), nullable=False),
        _instant("starts_at"),
        _instant("due_at"),
        _instant("sent_at", nullable=True),
        sa.Column("mail_job_id", sa.BigInteger(), nullable=True),
        _instant("dropped_at", nullable=True),
        sa.Column("dropped_why", sa.Text(), nullable=True),
        *(
            sa.ForeignKeyConstraint(
                [f"{table}_id"],
                [f"{table}.id"],
                name=op.f(f"fk_reminder_{table}_id_{table}"),
                ondelete="CASCADE",
            )
            for table in ("account", "meeting", "pairing")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder")),
        sa.UniqueConstraint(
            *("account_id", "kind", "meeting_id", "pairing_id", "lead_minutes", "starts_at"),
            name="uq_reminder_occasion",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(
        "ix_reminder_pending",
        "reminder",
        ["due_at"],
        postgresql_where=sa.text("sent_at IS NULL AND dropped_at IS NULL"),
    )
    op.create_index("ix_reminder_meeting_id", "reminder", ["meeting_id"])
    op.create_index("ix_reminder_pairing_id", "reminder", ["pairing_id"])
    op.create_table(
        "nudge",
        sa.Column("pairing_id", sa.Uuid(), nullable=False),
        _instant("quiet_since"),
        sa.Column("stage", sa.Text(), nullable=False),
        _instant("told_at"),
        sa.ForeignKeyConstraint(
            ["pairing_id"], ["pairing.id"], name=op.f("fk_nudge_pairing_id_pairing"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pairing_id", "quiet_since", "stage", name=op.f("pk_nudge")),
    )


def downgrade() -> None:
    op.drop_table("nudge")
    op.drop_table("reminder")
    op.drop_table("reminder_preferences")
