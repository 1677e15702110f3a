"""Meetings: agenda, several times to pick from, moves, reasons, successors, how they went, and policies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_29_2330"
down_revision = "2026_11_29_2320"
branch_labels = None
depends_on = None

# All may be null, so that no row is written and the table is locked for a moment only.
COLUMNS = (
    ("agenda", sa.Text()),
    ("decided_by_id", sa.Uuid()),
    ("cancelled_by_id", sa.Uuid()),
    ("cancel_reason", sa.Text()),
    ("move_id", sa.Uuid()),
    ("instead_of_id", sa.Uuid()),
    ("successor_id", sa.Uuid()),
    ("outcome_from", sa.Text()),
    ("held", sa.Boolean()),
    ("absent", postgresql.ARRAY(sa.Uuid())),
    ("outcome_note", sa.Text()),
    ("outcome_at", sa.DateTime(timezone=True)),
    ("outcome_by_id", sa.Uuid()),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("meeting", sa.Column(name, kind, nullable=True))
    op.add_column("meeting", sa.Column("late", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("meeting", "late", server_default=None)
    op.create_foreign_key(
        op.f("fk_meeting_instead_of_id"), "meeting", "meeting", ["instead_of_id"], ["id"], ondelete="SET NULL"
    )
    op.create_unique_constraint(op.f("uq_meeting_instead_of_id"), "meeting", ["instead_of_id"])
    op.create_index(
        "ix_meeting_unsettled",
        "meeting",
        ["ends_at"],
        postgresql_where=sa.text("status = 'booked' AND outcome_from IS NULL"),
    )
    _options()
    _moves()
    _policies()


def _options() -> None:
    op.create_table(
        "meeting_option",
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_meeting_option_meeting_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("meeting_id", "place", name=op.f("pk_meeting_option")),
    )


def _moves() -> None:
    def instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
        return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)

    op.create_table(
        "meeting_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=False),
        instant("from_starts_at"),
        instant("from_ends_at"),
        instant("to_starts_at"),
        instant("to_ends_at"),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        instant("created_at"),
        instant("decided_at", nullable=True),
        sa.Column("decided_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("to_starts_at < to_ends_at", name=op.f("ck_meeting_move_takes_time")),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_meeting_move_meeting_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by_id"],
            ["membership.id"],
            name=op.f("fk_meeting_move_proposed_by_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting_move")),
    )
    op.create_index("ix_meeting_move_meeting_id", "meeting_move", ["meeting_id"])
    op.create_index(
        "uq_meeting_move_open",
        "meeting_move",
        ["meeting_id"],
        unique=True,
        postgresql_where=sa.text("status = 'proposed'"),
    )


def _policies() -> None:
    op.create_table(
        "meeting_policy",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("late_cancel_hours", sa.Integer(), nullable=False),
        sa.Column("no_show_minutes", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "late_cancel_hours BETWEEN 0 AND 168", name=op.f("ck_meeting_policy_late_cancel_range")
        ),
        sa.CheckConstraint("no_show_minutes BETWEEN 5 AND 60", name=op.f("ck_meeting_policy_no_show_range")),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_meeting_policy_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_meeting_policy")),
    )


def downgrade() -> None:
    for table in ("meeting_policy", "meeting_move", "meeting_option"):
        op.drop_table(table)
    op.drop_index("ix_meeting_unsettled", table_name="meeting")
    op.drop_constraint(op.f("uq_meeting_instead_of_id"), "meeting", type_="unique")
    op.drop_constraint(op.f("fk_meeting_instead_of_id"), "meeting", type_="foreignkey")
    op.drop_column("meeting", "late")
    for name, _ in COLUMNS:
        op.drop_column("meeting", name)
