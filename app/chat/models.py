"""What is stored of conversations: messages are facts of a stream, read marks are one cursor per person."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import Uuid

from app.core import clock
from app.core.db import Base, identity, instant
from app.core.errors import Conflict
from app.core.streams import Address, StreamKind
from app.pairings.models import Pairing
from app.scheduling.models import Meeting


class ConversationKind(StrEnum):
    """What a conversation belongs to."""

    PAIRING = "pairing"
    MEETING = "meeting"


class Conversation(Base):
    """Where a pairing, or one of its meetings, talks. Its id is the id of its stream."""

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("meeting_id"),
        Index(
            "uq_conversation_of_pairing",
            "pairing_id",
            unique=True,
            postgresql_where=text("meeting_id IS NULL"),
        ),
    )

    id: Mapped[UUID] = identity()
    kind: Mapped[str]
    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"), index=True)
    meeting_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("meeting.id", ondelete="CASCADE"), default=None
    )
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    pairing: Mapped[Pairing] = relationship(lazy="raise", viewonly=True, init=False)
    meeting: Mapped[Meeting | None] = relationship(lazy="raise", viewonly=True, init=False)

    @property
    def stream(self) -> Address:
        """Where what happens in it is numbered."""
        return Address(StreamKind.CONVERSATION, self.id)


SAID_ONCE = "uq_message_author_account_id_client_id"


class Message(Base):
    """Something that someone said. `seq` is the place of its posting in the conversation's stream."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("author_account_id", "client_id", name=SAID_ONCE),
        Index("ix_message_conversation_id_seq", "conversation_id", "seq", unique=True),
    )

    id: Mapped[UUID] = identity()
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger)
    author_account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    client_id: Mapped[UUID]
    """Chosen by the sender's device: the same message sent again is the same message."""
    text: Mapped[str]
    mentions: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default_factory=list)
    posted_at: Mapped[datetime] = instant(default_factory=clock.now)
    edited_at: Mapped[datetime | None] = instant(default=None)
    deleted_at: Mapped[datetime | None] = instant(default=None)

    @property
    def stream(self) -> Address:
        """Where what happens to it is numbered."""
        return Address(StreamKind.CONVERSATION, self.conversation_id)

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    def edit(self, text: str, mentions: list[UUID]) -> None:
        """Say it differently."""
        self.must_stand()
        self.text, self.mentions, self.edited_at = text, mentions, clock.now()

    def delete(self) -> None:
        """Leave a tombstone: that something was said here, not what."""
        if not self.deleted:
            self.text, self.mentions, self.deleted_at = "", [], clock.now()

    def must_stand(self) -> None:
        """Nothing can be done with what was deleted."""
        if self.deleted:
            raise Conflict("message_deleted", "This message was deleted.")


class ReadMark(Base):
    """How far one person has read a conversation."""

    __tablename__ = "read_mark"

    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = instant(default_factory=clock.now)
