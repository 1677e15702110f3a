"""What is stored of reminders: how each person wants them, each occasion once, and who was nudged."""

from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, identity, instant
from app.notifications.due import Quiet


class Channel(StrEnum):
    """How somebody is reminded."""

    MAIL = "mail"
    PAGE = "page"


class Kind(StrEnum):
    """What a reminder is about."""

    MEETING = "meeting"
    AGENDA = "agenda"
    NUDGE = "nudge"
    COORDINATORS = "coordinators"


class Stage(StrEnum):
    """Who is told that a mentorship has been quiet."""

    PEOPLE = "people"
    COORDINATORS = "coordinators"


class ReminderPreferences(Base):
    """How one person wants to be reminded. Its defaults hold for whoever has no row."""

    __tablename__ = "reminder_preferences"
    __table_args__ = (
        CheckConstraint("(quiet_from IS NULL) = (quiet_to IS NULL)", name="quiet_has_two_ends"),
        CheckConstraint("quiet_from <> quiet_to", name="quiet_is_not_always"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    channels: Mapped[list[str]] = mapped_column(default_factory=lambda: [each.value for each in Channel])
    lead_minutes: Mapped[list[int]] = mapped_column(ARRAY(Integer), default_factory=lambda: [60, 10])
    quiet_from: Mapped[time | None] = mapped_column(default_factory=lambda: time(22))
    quiet_to: Mapped[time | None] = mapped_column(default_factory=lambda: time(7))
    agenda: Mapped[bool] = mapped_column(default=True)
    nudges: Mapped[bool] = mapped_column(default=True)

    @property
    def quiet(self) -> Quiet | None:
        """The hours in which this person is left alone."""
        if self.quiet_from is None or self.quiet_to is None:
            return None
        return Quiet(self.quiet_from, self.quiet_to)


class Reminder(Base):
    """One occasion to remind one person, however often plans change: sent once, dropped, or still to come."""

    __tablename__ = "reminder"
    __table_args__ = (
        UniqueConstraint(
            "account_id",
            "kind",
            "meeting_id",
            "pairing_id",
            "lead_minutes",
            "starts_at",
            name="uq_reminder_occasion",
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "ix_reminder_pending",
            "due_at",
            postgresql_where=text("sent_at IS NULL AND dropped_at IS NULL"),
        ),
        Index("ix_reminder_meeting_id", "meeting_id"),
        Index("ix_reminder_pairing_id", "pairing_id"),
    )

    id: Mapped[UUID] = identity()
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    kind: Mapped[str]
    meeting_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("meeting.id", ondelete="CASCADE"), default=None
    )
    pairing_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("pairing.id", ondelete="CASCADE"), default=None
    )
    lead_minutes: Mapped[int] = mapped_column(default=0)
    starts_at: Mapped[datetime] = instant()
    """When the meeting is to begin; of an agenda its day, as midnight in UTC whatever the zone; of a nudge
    since when it has been quiet."""
    due_at: Mapped[datetime] = instant()
    sent_at: Mapped[datetime | None] = instant(default=None)
    mail_job_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """The job that carries its mail, while there may be one."""
    dropped_at: Mapped[datetime | None] = instant(default=None)
    dropped_why: Mapped[str | None] = mapped_column(default=None)

    def drop(self, why: str) -> None:
        """It is not to be sent, unless the same occasion comes back."""
        self.dropped_at, self.dropped_why = clock.now(), why


class Nudge(Base):
    """That a stage of people was told of one quiet spell of a mentorship: never twice."""

    __tablename__ = "nudge"

    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"), primary_key=True)
    quiet_since: Mapped[datetime] = instant(primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    told_at: Mapped[datetime] = instant(default_factory=clock.now)
