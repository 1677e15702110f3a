"""What is stored of meetings, of the time they take from people, and of the calls they become."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, identity, instant
from app.core.errors import Conflict
from signalling.contracts.tickets import Topology

JOIN_BEFORE = timedelta(minutes=15)
JOIN_AFTER = timedelta(minutes=60)


class MeetingStatus(StrEnum):
    PROPOSED = "proposed"
    BOOKED = "booked"
    DECLINED = "declined"
    CANCELLED = "cancelled"


MOVES: dict[tuple[MeetingStatus, str], MeetingStatus] = {
    (MeetingStatus.PROPOSED, "accept"): MeetingStatus.BOOKED,
    (MeetingStatus.PROPOSED, "decline"): MeetingStatus.DECLINED,
    (MeetingStatus.PROPOSED, "cancel"): MeetingStatus.CANCELLED,
    (MeetingStatus.BOOKED, "cancel"): MeetingStatus.CANCELLED,
}


class Meeting(Base):
    """A time that a pairing meets."""

    __tablename__ = "meeting"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="takes_time"),
        Index("ix_meeting_pairing_id_starts_at", "pairing_id", "starts_at"),
    )

    id: Mapped[UUID] = identity()
    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"))
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    starts_at: Mapped[datetime] = instant()
    ends_at: Mapped[datetime] = instant()
    zone: Mapped[str]
    title: Mapped[str | None] = mapped_column(default=None)
    version: Mapped[int] = mapped_column(default=1)
    """Rises with every change; the entity tag of optimistic concurrency (RFC 9110)."""
    sequence: Mapped[int] = mapped_column(default=0)
    """Rises when other calendars must be told anew: SEQUENCE of RFC 5545."""
    status: Mapped[str] = mapped_column(default=MeetingStatus.PROPOSED.value)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    decided_at: Mapped[datetime | None] = instant(default=None)
    cancelled_at: Mapped[datetime | None] = instant(default=None)

    def move(self, verb: str) -> None:
        """Follow the table, or say that this is not possible now."""
        after = MOVES.get((MeetingStatus(self.status), verb))
        if after is None:
            raise Conflict(f"meeting_{self.status}", f"This meeting is {self.status}; it cannot {verb} now.")
        if self.over:
            raise Conflict("meeting_over", "This meeting lies in the past.")
        self.status = after.value
        if after is MeetingStatus.CANCELLED:
            self.cancelled_at = clock.now()
        else:
            self.decided_at = clock.now()

    @property
    def over(self) -> bool:
        return self.ends_at <= clock.now()

    @property
    def join_opens_at(self) -> datetime:
        return self.starts_at - JOIN_BEFORE

    @property
    def join_closes_at(self) -> datetime:
        return self.ends_at + JOIN_AFTER

    @property
    def joinable(self) -> bool:
        """Booked, and now is the time."""
        return (
            self.status == MeetingStatus.BOOKED and self.join_opens_at <= clock.now() <= self.join_closes_at
        )


class Booking(Base):
    """The time that a booked meeting takes from one person. The constraint is the last word: nobody twice."""

    __tablename__ = "booking"
    __table_args__ = (
        ExcludeConstraint(
            ("account_id", "="), ("during", "&&"), name="ex_booking_nobody_twice", using="gist"
        ),
        CheckConstraint(
            "NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)", name="half_open"
        ),
    )

    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    before_minutes: Mapped[int] = mapped_column(default=0)
    after_minutes: Mapped[int] = mapped_column(default=0)
    """The quiet around it that this person asked for when it was booked; it stacks with the neighbour's."""


class Hold(Base):
    """A time that somebody is about to book: nobody else gets it for a few minutes. One per person."""

    __tablename__ = "hold"

    id: Mapped[UUID] = identity()
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), unique=True)
    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"), index=True)
    starts_at: Mapped[datetime] = instant()
    ends_at: Mapped[datetime] = instant()
    expires_at: Mapped[datetime] = instant()


class HeldTime(Base):
    """The time that a hold keeps free in one person's diary. Whoever holds anew removes what has expired."""

    __tablename__ = "held_time"
    __table_args__ = (
        ExcludeConstraint(("account_id", "="), ("during", "&&"), name="ex_held_time_once", using="gist"),
    )

    hold_id: Mapped[UUID] = mapped_column(ForeignKey("hold.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)


class Call(Base):
    """Where a meeting's call is held. The epoch rises each time it moves to another node."""

    __tablename__ = "call"

    id: Mapped[UUID] = identity()
    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id", ondelete="CASCADE"), unique=True)
    node: Mapped[str]
    epoch: Mapped[int] = mapped_column(default=1)
    topology: Mapped[Topology] = mapped_column(String, default="direct")
    """Once `forwarded`, a call stays so."""


class Attendance(Base):
    """One stay of one person in a call. While they are in it this is a lease: `seen_at` is renewed."""

    __tablename__ = "attendance"
    __table_args__ = (
        Index("ix_attendance_call_id", "call_id"),
        Index("ix_attendance_open", "seen_at", postgresql_where=text("left_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[UUID] = mapped_column(ForeignKey("call.id", ondelete="CASCADE"))
    membership_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    joined_at: Mapped[datetime] = instant()
    seen_at: Mapped[datetime] = instant()
    left_at: Mapped[datetime | None] = instant(default=None)
    reason: Mapped[str | None] = mapped_column(default=None)


class AttendanceQuality(Base):
    """How somebody was connected during one stay, until `at`. It may come before the stay itself.

    Scores from 1 to 5, losses as parts (0 to 1), times in milliseconds, bit rates in kbit/s.
    """

    __tablename__ = "attendance_quality"
    __table_args__ = (Index("ix_attendance_quality_call_id", "call_id"),)

    attendance_id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[UUID] = mapped_column(ForeignKey("call.id", ondelete="CASCADE"))
    membership_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    at: Mapped[datetime] = instant()
    seconds: Mapped[float]
    mean_score: Mapped[float]
    worst_score: Mapped[float]
    loss_up: Mapped[float | None]
    loss_down: Mapped[float | None]
    jitter: Mapped[float | None]
    round_trip: Mapped[float | None]
    bitrate_up: Mapped[float]
    bitrate_down: Mapped[float]
