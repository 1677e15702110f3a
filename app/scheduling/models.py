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
GRACE = timedelta(minutes=1)
"""A meeting may start this long ago: "now" takes a moment to arrive."""


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


class MoveStatus(StrEnum):
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


class Meeting(Base):
    """A time that a pairing meets.

    Whatever is told about a meeting stands in this row or changes together with it, and no row is updated
    without its version: so nobody can forget to raise it.
    """

    __tablename__ = "meeting"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="takes_time"),
        Index("ix_meeting_pairing_id_starts_at", "pairing_id", "starts_at"),
        Index(
            "ix_meeting_unsettled",
            "ends_at",
            postgresql_where=text("status = 'booked' AND outcome_from IS NULL"),
        ),
    )

    id: Mapped[UUID] = identity()
    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"))
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    starts_at: Mapped[datetime] = instant()
    ends_at: Mapped[datetime] = instant()
    zone: Mapped[str]
    title: Mapped[str | None] = mapped_column(default=None)
    agenda: Mapped[str | None] = mapped_column(default=None)
    version: Mapped[int] = mapped_column(default=1)
    """Rises with every change; the entity tag of optimistic concurrency (RFC 9110)."""
    sequence: Mapped[int] = mapped_column(default=0)
    """Rises when other calendars must be told anew: SEQUENCE of RFC 5545."""
    status: Mapped[str] = mapped_column(default=MeetingStatus.PROPOSED.value)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    decided_at: Mapped[datetime | None] = instant(default=None)
    decided_by_id: Mapped[UUID | None] = mapped_column(default=None)
    cancelled_at: Mapped[datetime | None] = instant(default=None)
    cancelled_by_id: Mapped[UUID | None] = mapped_column(default=None)
    cancel_reason: Mapped[str | None] = mapped_column(default=None)
    late: Mapped[bool] = mapped_column(default=False)
    """Cancelled later than the policy of the canceller's organisation allows for."""
    move_id: Mapped[UUID | None] = mapped_column(default=None)
    """The move that waits for a yes; there is one at a time."""
    instead_of_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("meeting.id", ondelete="SET NULL"), unique=True, default=None
    )
    successor_id: Mapped[UUID | None] = mapped_column(default=None)
    """The other end of `instead_of_id`: the version of the one that was replaced must rise as well."""
    outcome_from: Mapped[str | None] = mapped_column(default=None)
    """`attendance` or `person`; null while nothing is known of how it went."""
    held: Mapped[bool | None] = mapped_column(default=None)
    absent: Mapped[list[UUID] | None] = mapped_column(default=None)
    outcome_note: Mapped[str | None] = mapped_column(default=None)
    outcome_at: Mapped[datetime | None] = instant(default=None)
    outcome_by_id: Mapped[UUID | None] = mapped_column(default=None)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy declares it for instances

    def move(self, verb: str, by_id: UUID | None) -> None:
        """Follow the table, or say that this is not possible now."""
        after = MOVES.get((MeetingStatus(self.status), verb))
        if after is None:
            raise self.refusal(
                f"meeting_{self.status}", f"This meeting is {self.status}; it cannot {verb} now."
            )
        self.must_be(self.status)
        if after is MeetingStatus.CANCELLED:
            self.sequence += self.status == MeetingStatus.BOOKED
            self.cancelled_at, self.cancelled_by_id = clock.now(), by_id
        else:
            self.decided_at, self.decided_by_id = clock.now(), by_id
        self.status = after.value

    def must_be(self, *states: str) -> None:
        """409 outside of these states, and once it is over; names the meeting that took its place."""
        if self.status not in states:
            raise self.refusal(f"meeting_{self.status}", f"This meeting is {self.status}.")
        if self.over:
            raise self.refusal("meeting_over", "This meeting lies in the past.")

    def refusal(self, code: str, detail: str) -> Conflict:
        """Why something cannot be done with it, and what has taken its place."""
        if self.successor_id is None:
            return Conflict(code, detail)
        detail += " Another meeting has taken its place: `successor` names it."
        return Conflict(code, detail, members={"successor": str(self.successor_id)})

    def take_place(self, starts_at: datetime, ends_at: datetime, zone: str) -> None:
        """At another time than was agreed: other calendars must hear of it."""
        self.starts_at, self.ends_at, self.zone = starts_at, ends_at, zone
        self.sequence += 1

    def retitle(self, title: str | None) -> None:
        """Under another title; calendars that show a booked meeting must hear of it."""
        self.title = title
        self.sequence += self.status == MeetingStatus.BOOKED

    def went(self, held: bool, absent: list[UUID], source: str) -> None:
        """How it went, and from where this is known."""
        self.held, self.absent, self.outcome_from, self.outcome_at = held, absent, source, clock.now()

    @property
    def begun(self) -> bool:
        return self.starts_at <= clock.now()

    @property
    def over(self) -> bool:
        return self.ends_at <= clock.now()

    @property
    def missed(self) -> bool:
        """It was booked, and it did not take place."""
        return self.status == MeetingStatus.BOOKED and self.over and self.held is False

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


class MeetingOption(Base):
    """One of several times that were proposed for a meeting, all of one length."""

    __tablename__ = "meeting_option"

    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = instant()


class MeetingMove(Base):
    """That a booked meeting should take place at another time, and what became of that."""

    __tablename__ = "meeting_move"
    __table_args__ = (
        CheckConstraint("to_starts_at < to_ends_at", name="takes_time"),
        Index("ix_meeting_move_meeting_id", "meeting_id"),
        Index(
            "uq_meeting_move_open", "meeting_id", unique=True, postgresql_where=text("status = 'proposed'")
        ),
    )

    id: Mapped[UUID] = identity()
    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id", ondelete="CASCADE"))
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    from_starts_at: Mapped[datetime] = instant()
    from_ends_at: Mapped[datetime] = instant()
    to_starts_at: Mapped[datetime] = instant()
    to_ends_at: Mapped[datetime] = instant()
    zone: Mapped[str]
    reason: Mapped[str | None] = mapped_column(default=None)
    status: Mapped[str] = mapped_column(default=MoveStatus.PROPOSED.value)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    decided_at: Mapped[datetime | None] = instant(default=None)
    decided_by_id: Mapped[UUID | None] = mapped_column(default=None)

    @property
    def missed(self) -> bool:
        """Its time has come before anyone agreed."""
        return self.to_starts_at < clock.now() - GRACE

    def decide(self, meeting: Meeting, status: MoveStatus, by_id: UUID | None) -> None:
        """What became of it; the meeting waits for it no more."""
        self.status, self.decided_at, self.decided_by_id = status.value, clock.now(), by_id
        meeting.move_id = None


class MeetingPolicy(Base):
    """What an organisation calls late, and what it calls absent."""

    __tablename__ = "meeting_policy"
    __table_args__ = (
        CheckConstraint("late_cancel_hours BETWEEN 0 AND 168", name="late_cancel_range"),
        CheckConstraint("no_show_minutes BETWEEN 5 AND 60", name="no_show_range"),
    )

    organisation_id: Mapped[UUID] = mapped_column(
        ForeignKey("organisation.id", ondelete="CASCADE"), primary_key=True
    )
    late_cancel_hours: Mapped[int] = mapped_column(default=24)
    no_show_minutes: Mapped[int] = mapped_column(default=10)

    def makes_late(self, starts_at: datetime) -> bool:
        """Whether whoever cancels now what begins then is late."""
        return clock.now() > starts_at - timedelta(hours=self.late_cancel_hours)

    @property
    def patience(self) -> timedelta:
        """How long after the start somebody may still come."""
        return timedelta(minutes=self.no_show_minutes)


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
