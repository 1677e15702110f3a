"""What is stored of series of meetings, and which states may follow which."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, identity, instant
from app.core.errors import Conflict
from app.series.recurrence import Recurrence
from app.series.rules import parse


class SeriesStatus(StrEnum):
    PROPOSED = "proposed"
    ACTIVE = "active"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    ENDED = "ended"


MOVES: dict[tuple[SeriesStatus, str], SeriesStatus] = {
    (SeriesStatus.PROPOSED, "accept"): SeriesStatus.ACTIVE,
    (SeriesStatus.PROPOSED, "decline"): SeriesStatus.DECLINED,
    (SeriesStatus.PROPOSED, "cancel"): SeriesStatus.CANCELLED,
    (SeriesStatus.ACTIVE, "cancel"): SeriesStatus.CANCELLED,
    (SeriesStatus.ACTIVE, "end"): SeriesStatus.ENDED,
}


class Series(Base):
    """A rule by which a pairing meets. Its times are times on the wall in `zone`, whatever the clocks do."""

    __tablename__ = "series"
    __table_args__ = (
        CheckConstraint("duration_minutes > 0", name="takes_time"),
        Index("ix_series_pairing_id", "pairing_id"),
        Index("ix_series_continues_id", "continues_id"),
        Index("ix_series_active", "made_until", postgresql_where=text("status = 'active'")),
    )

    id: Mapped[UUID] = identity()
    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"))
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    dtstart: Mapped[datetime] = mapped_column(DateTime())
    zone: Mapped[str]
    rule: Mapped[str]
    duration_minutes: Mapped[int]
    title: Mapped[str | None] = mapped_column(default=None)
    exdates: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime()), default_factory=list)
    rdates: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime()), default_factory=list)
    stops_before: Mapped[datetime | None] = mapped_column(DateTime(), default=None)
    """The first occurrence that takes place no more: cancelled, or in the series that continues this one."""
    continues_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("series.id", ondelete="SET NULL"), default=None
    )
    continues_from: Mapped[datetime | None] = mapped_column(DateTime(), default=None)
    """The occurrence of the other one from which on this one takes its place."""
    made_until: Mapped[datetime | None] = instant(default=None)
    """Up to when its meetings are made."""
    status: Mapped[str] = mapped_column(default=SeriesStatus.PROPOSED.value)
    reason: Mapped[str | None] = mapped_column(default=None)
    """Why it was cancelled, in the words of whoever did it."""
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    decided_at: Mapped[datetime | None] = instant(default=None)
    ended_at: Mapped[datetime | None] = instant(default=None)

    def move(self, verb: str) -> None:
        """Follow the table, or say that this is not possible now."""
        after = MOVES.get((SeriesStatus(self.status), verb))
        if after is None:
            raise Conflict(f"series_{self.status}", f"This series is {self.status}; it cannot {verb} now.")
        self.status = after.value
        self.version += 1
        if after in (SeriesStatus.CANCELLED, SeriesStatus.ENDED):
            self.ended_at = clock.now()
        else:
            self.decided_at = clock.now()

    def recurrence(self) -> Recurrence:
        """What its rule means."""
        return Recurrence(
            parse(self.rule), self.dtstart, ZoneInfo(self.zone), tuple(self.exdates), tuple(self.rdates)
        )

    def takes_place(self, recurrence_id: datetime) -> bool:
        """Whether an occurrence lies before the one at which the series stops."""
        return self.stops_before is None or recurrence_id < self.stops_before


class SeriesOccurrence(Base):
    """One time of a series, and what became of it: its meeting, another one nearby, or none."""

    __tablename__ = "series_occurrence"
    __table_args__ = (
        UniqueConstraint("series_id", "recurrence_id"),
        Index("ix_series_occurrence_meeting_id", "meeting_id"),
    )

    id: Mapped[UUID] = identity()
    series_id: Mapped[UUID] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"))
    recurrence_id: Mapped[datetime] = mapped_column(DateTime())
    """The time on the wall that the rule says, as RECURRENCE-ID of RFC 5545."""
    starts_at: Mapped[datetime] = instant()
    """When that is; its meeting may have been moved since."""
    meeting_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("meeting.id", ondelete="SET NULL"), default=None
    )
    skipped: Mapped[str | None] = mapped_column(default=None)
    """Why it does not take place at its time; its meeting, if any, is another time that was proposed."""
