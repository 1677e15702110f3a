"""Streams, chat, and nodes that ask questions.

Mentorships that are active or ended, and meetings that are booked, get their conversation and its stream.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_22_0330"
down_revision = "2026_11_22_0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _nodes()
    op.add_column(
        "account", sa.Column("show_presence", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.alter_column("account", "show_presence", server_default=None)
    op.create_index(
        "ix_sign_in_session_open",
        "sign_in_session",
        ["expires_at"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column(
        "account", sa.Column("show_presence_version", sa.Integer(), nullable=False, server_default="0")
    )
    op.alter_column("account", "show_presence_version", server_default=None)
    _streams()
    _chat()
    op.execute(
        """
        INSERT INTO conversation (id, kind, pairing_id, created_at)
        SELECT gen_random_uuid(), 'pairing', id, now() FROM pairing WHERE status IN ('active', 'ended')
        """
    )
    op.execute(
        """
        INSERT INTO conversation (id, kind, pairing_id, meeting_id, created_at)
        SELECT gen_random_uuid(), 'meeting', pairing_id, id, now() FROM meeting WHERE status = 'booked'
        """
    )
    op.execute(
        """
        INSERT INTO stream (id, kind, epoch, seq, floor, roster_version)
        SELECT id, 'conversation', left(md5(random()::text), 8), 0, 0, 1 FROM conversation
        """
    )
    op.execute(
        """
        INSERT INTO stream (id, kind, epoch, seq, floor, roster_version)
        SELECT id, 'conversation', substr(md5(gen_random_uuid()::text), 1, 8), 0, 0, 1 FROM conversation
        """
    )


def _nodes() -> None:
    op.rename_table("call_command", "node_command")
    op.add_column(
        "node_command",
        sa.Column("repeat_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.alter_column("node_command", "repeat_at", server_default=None)
    op.drop_index("ix_call_command_open", table_name="node_command")
    op.create_index(
        "ix_node_command_open",
        "node_command",
        ["node", "repeat_at"],
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.execute("ALTER INDEX pk_call_command RENAME TO pk_node_command")
    op.add_column("node", sa.Column("public_key", sa.Text(), nullable=False, server_default=""))
    op.alter_column("node", "public_key", server_default=None)


def _streams() -> None:
    op.create_table(
        "stream",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("roster_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream")),
    )
    op.create_table(
        "stream_event",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("by_account_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("relayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["stream.id"], name=op.f("fk_stream_event_stream_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("stream_id", "seq", name=op.f("pk_stream_event")),
    )
    op.create_index(
        "ix_stream_event_waiting",
        "stream_event",
        ["created_at"],
        postgresql_where=sa.text("relayed_at IS NULL"),
    )
    op.create_index("ix_stream_event_created_at", "stream_event", ["created_at"])


def _chat() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pairing_id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["pairing_id"], ["pairing.id"], name=op.f("fk_conversation_pairing_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_conversation_meeting_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
        sa.UniqueConstraint("meeting_id", name=op.f("uq_conversation_meeting_id")),
    )
    op.create_index(op.f("ix_conversation_pairing_id"), "conversation", ["pairing_id"])
    op.create_index(
        "uq_conversation_of_pairing",
        "conversation",
        ["pairing_id"],
        unique=True,
        postgresql_where=sa.text("meeting_id IS NULL"),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("author_account_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("mentions", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_message_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_account_id"],
            ["account.id"],
            name=op.f("fk_message_author_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["membership.id"], name=op.f("fk_message_author_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "author_account_id", "client_id", name=op.f("uq_message_author_account_id_client_id")
        ),
    )
    op.create_index("ix_message_conversation_id_seq", "message", ["conversation_id", "seq"], unique=True)
    op.create_table(
        "read_mark",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_read_mark_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_read_mark_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "account_id", name=op.f("pk_read_mark")),
    )


def downgrade() -> None:
    for table in ("read_mark", "message", "conversation", "stream_event", "stream"):
        op.drop_table(table)
    op.drop_index("ix_sign_in_session_open", table_name="sign_in_session")
    op.drop_column("account", "show_presence_version")
    op.drop_column("account", "show_presence")
    op.drop_column("node", "public_key")
    op.execute("ALTER INDEX pk_node_command RENAME TO pk_call_command")
    op.drop_index("ix_node_command_open", table_name="node_command")
    op.create_index(
        "ix_call_command_open",
        "node_command",
        ["created_at"],
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.drop_column("node_command", "repeat_at")
    op.rename_table("node_command", "call_command")
