"""What is stored of when people can meet: their hours, their absences, and their organisations' holidays."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.availability.hours import Hours, day_number
from app.availability.intervals import Span, union
from app.core import clock
from app.core.db import Base, identity, instant

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NINE_TO_FIVE = [[day, 540, 1020] for day in range(5)]
LENGTHS = (15, 30, 45, 60, 90)


class Schedule(Base):
    """Named hours of one person, on the wall of a zone, and what they ask of meetings in them."""

    __tablename__ = "schedule"
    __table_args__ = (
        Index("ix_schedule_account_id", "account_id"),
        Index(
            "uq_schedule_default", "account_id", unique=True, postgresql_where=text("is_default"),
        ),
    )  # fmt: skip

    id: Mapped[UUID] = identity()
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    name: Mapped[str]
    zone: Mapped[str]
    is_default: Mapped[bool] = mapped_column(default=False)
    hours: Mapped[list[Any]] = mapped_column(JSONB, default_factory=lambda: list(NINE_TO_FIVE))
    """`[weekday, start, end]` each: Monday is 0, times are minutes past midnight."""
    overrides: Mapped[dict[str, Any]] = mapped_column(JSONB, default_factory=dict)
    """`[start, end]` by ISO date, instead of the weekday's; none of them is a day off."""
    buffer_before_minutes: Mapped[int] = mapped_column(default=0)
    buffer_after_minutes: Mapped[int] = mapped_column(default=0)
    minimum_notice_minutes: Mapped[int] = mapped_column(default=0)
    horizon_days: Mapped[int] = mapped_column(default=365)
    most_per_day: Mapped[int | None] = mapped_column(default=None)
    most_per_week: Mapped[int | None] = mapped_column(default=None)
    lengths: Mapped[list[int]] = mapped_column(ARRAY(Integer), default_factory=lambda: list(LENGTHS))
    step_minutes: Mapped[int] = mapped_column(default=15)
    confirm: Mapped[bool] = mapped_column(default=True)
    """Bookings by others wait for this person's yes."""
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    updated_at: Mapped[datetime] = instant(default_factory=clock.now)

    def wall_hours(self) -> Hours:
        """The hours as slots are calculated from them."""
        week: list[list[Span]] = [[] for _ in WEEKDAYS]
        for day, start, end in self.hours:
            week[day].append((start * 60, end * 60))
        return Hours(
            zone=self.zone,
            week=tuple(tuple(union(day)) for day in week),
            overrides=_by_day(self.overrides),
        )


def _by_day(overrides: Mapping[str, Sequence[Sequence[int]]]) -> dict[int, tuple[Span, ...]]:
    return {
        day_number(date.fromisoformat(day)): tuple(union((start * 60, end * 60) for start, end in spans))
        for day, spans in overrides.items()
    }


class PairingSchedule(Base):
    """Which of their schedules somebody keeps for one mentorship; without it, their default."""

    __tablename__ = "pairing_schedule"
    __table_args__ = (Index("ix_pairing_schedule_schedule_id", "schedule_id"),)

    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedule.id", ondelete="CASCADE"))


class Absence(Base):
    """Someone cannot meet; without an end it is a pause until further notice."""

    __tablename__ = "absence"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="takes_time"),
        Index("ix_absence_account_id_ends_at", "account_id", "ends_at"),
    )

    id: Mapped[UUID] = identity()
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    starts_at: Mapped[datetime] = instant()
    ends_at: Mapped[datetime | None] = instant(default=None)
    note: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = instant(default_factory=clock.now)


class Holiday(Base):
    """A day off of an organisation's people, whichever zone they are in."""

    __tablename__ = "holiday"

    organisation_id: Mapped[UUID] = mapped_column(
        ForeignKey("organisation.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str]
