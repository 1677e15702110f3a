"""What is stored of calendars that are kept elsewhere, and of the times they take."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, identity, instant


class ImportedCalendar(Base):
    """A calendar of one person, somewhere else: how to reach it, and how reading it went.

    Its row is also its place in the queue: a worker takes it when `next_try_at` has come and nobody has it.
    """

    __tablename__ = "imported_calendar"
    __table_args__ = (
        Index("ix_imported_calendar_account_id", "account_id"),
        Index("ix_imported_calendar_next_try_at", "next_try_at"),
    )

    id: Mapped[UUID] = identity()
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    host: Mapped[str]
    """All that is ever shown of its address."""
    access: Mapped[bytes] = mapped_column(default=b"")
    """Address, user name and password, sealed."""
    memory: Mapped[bytes | None] = mapped_column(default=None)
    """What tells next time whether anything has changed, sealed: a change tag may name a person."""
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    next_try_at: Mapped[datetime] = instant(default_factory=clock.now)
    taken_until: Mapped[datetime | None] = instant(default=None)
    """A worker is reading it. A lease: when that worker dies, the next one may after this."""
    fetched_at: Mapped[datetime | None] = instant(default=None)
    """When its server last gave an answer that could be read, if only that nothing has changed."""
    expanded_at: Mapped[datetime | None] = instant(default=None)
    """When the busy times were last worked out."""
    expanded_zone: Mapped[str | None] = mapped_column(default=None)
    """The person's zone at that time, in which whole days and times without a zone were read."""
    failures: Mapped[int] = mapped_column(default=0)
    """In a row, up to now."""
    problem_code: Mapped[str | None] = mapped_column(default=None)
    problem: Mapped[str | None] = mapped_column(default=None)
    busy_times: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    """Events in it that could not be read."""


class BusyTime(Base):
    """A time that one calendar takes from its owner. Those of one calendar do not touch each other."""

    __tablename__ = "busy_time"
    __table_args__ = (
        # Whom and when in one: what is asked are some people's next weeks.
        Index("ix_busy_time_account_id_during", "account_id", "during", postgresql_using="gist"),
        CheckConstraint(
            "NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)", name="half_open"
        ),
    )

    calendar_id: Mapped[UUID] = mapped_column(
        ForeignKey("imported_calendar.id", ondelete="CASCADE"), primary_key=True
    )
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
