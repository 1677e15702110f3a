"""What other calendars are told, what they answer, and the secret addresses of feeds."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_2350"
down_revision = "2026_11_29_2340"
branch_labels = None
depends_on = None


def _of(of: str, table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{of}_id")
    return sa.ForeignKeyConstraint([f"{of}_id"], [f"{of}.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "calendar_settings",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("invitations", sa.Boolean(), nullable=False),
        _of("account", "calendar_settings"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_calendar_settings")),
    )
    op.create_table(
        "calendar_feed",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _of("account", "calendar_feed"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("digest", name=op.f("uq_calendar_feed_digest")),
    )
    op.create_table(
        "meeting_invitation",
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.CheckConstraint("asked <= sequence", name=op.f("ck_meeting_invitation_asked_before")),
        _of("account", "meeting_invitation"),
        _of("meeting", "meeting_invitation"),
        sa.PrimaryKeyConstraint("meeting_id", "account_id", name=op.f("pk_meeting_invitation")),
    )
    op.create_table(
        "meeting_reply",
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_sequence", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "status IN ('accepted', 'declined', 'tentative')", name=op.f("ck_meeting_reply_known_status")
        ),
        _of("account", "meeting_reply"),
        _of("meeting", "meeting_reply"),
        sa.PrimaryKeyConstraint("meeting_id", "account_id", name=op.f("pk_meeting_reply")),
    )


def downgrade() -> None:
    for table in ("meeting_reply", "meeting_invitation", "calendar_feed", "calendar_settings"):
        op.drop_table(table)
