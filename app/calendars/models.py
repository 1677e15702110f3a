"""What is stored of what other calendars were told, and of what they said."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, instant


class Answer(StrEnum):
    """What somebody's calendar says to a meeting."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"


class CalendarSettings(Base):
    """What one person wants of calendars; who has no row wants what a new row says."""

    __tablename__ = "calendar_settings"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    invitations: Mapped[bool] = mapped_column(default=True)


class CalendarFeed(Base):
    """The secret address at which one person's meetings can be read, as a digest."""

    __tablename__ = "calendar_feed"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)


class MeetingInvitation(Base):
    """That one person's calendar was told of a meeting."""

    __tablename__ = "meeting_invitation"
    __table_args__ = (CheckConstraint("asked <= sequence", name="asked_before"),)

    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int]
    """SEQUENCE of the newest that was sent."""
    asked: Mapped[int]
    """The first SEQUENCE whose answers count: a move asks anew, a new title does not."""


class MeetingReply(Base):
    """What one person's calendar said to a meeting."""

    __tablename__ = "meeting_reply"
    __table_args__ = (
        CheckConstraint("status IN ('accepted', 'declined', 'tentative')", name="known_status"),
    )

    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    status: Mapped[str]
    sequence: Mapped[int]
    at: Mapped[datetime] = instant()
    """When it was given, as far as that person's clock is right; never later than it came."""
    told_sequence: Mapped[int | None] = mapped_column(default=None)
    """For which SEQUENCE the others were told of a no."""
