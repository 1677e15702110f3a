"""What is known of people's time, loaded with one query for each kind of thing."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.availability import queries as availability
from app.availability.hours import day_number
from app.availability.intervals import Span
from app.availability.queries import Plan
from app.core import clock
from app.freebusy import queries as freebusy
from app.scheduling import diaries
from app.scheduling.diaries import Held, Taken
from app.scheduling.slots import FOR_EVER, Diary, Terms

QUIET: Final = timedelta(hours=4)
"""As far as the quiet around one meeting and around its neighbour can reach."""
WEEK: Final = timedelta(days=8)
"""What is met in the rest of a week counts towards its limit."""


@dataclass(slots=True)
class Known:
    """What is known of one person's time."""

    plan: Plan
    holidays: set[int] = field(default_factory=set)
    absences: list[Span] = field(default_factory=list)
    bookings: list[Span] = field(default_factory=list)
    """With the quiet that each asks for; `taken` is without."""
    holds: list[Span] = field(default_factory=list)
    elsewhere: list[Span] = field(default_factory=list)
    taken: list[Span] = field(default_factory=list)
    meetings: list[int] = field(default_factory=list)
    paused: bool = False

    def diary(self) -> Diary:
        """As slots are calculated from it."""
        schedule = self.plan.schedule
        return Diary(
            hours=schedule.wall_hours(),
            terms=Terms(
                before=schedule.buffer_before_minutes * 60,
                after=schedule.buffer_after_minutes * 60,
                notice=schedule.minimum_notice_minutes * 60,
                horizon=schedule.horizon_days * 86_400,
                most_per_day=schedule.most_per_day,
                most_per_week=schedule.most_per_week,
            ),
            holidays=frozenset(self.holidays),
            absences=self.absences,
            busy=[*self.bookings, *self.holds, *self.elsewhere],
            meetings=self.meetings,
        )


async def known(
    db: AsyncSession,
    account_ids: Collection[UUID],
    start: datetime,
    end: datetime,
    *,
    pairing_id: UUID | None = None,
    holder: UUID | None = None,
    besides: UUID | None = None,
) -> dict[UUID, Known]:
    """What is known of these people's time between two instants.

    What `holder` holds, and the meeting `besides`, do not count.
    """
    plans = await availability.plans(db, account_ids, pairing_id)
    found = {account_id: Known(plan) for account_id, plan in plans.items()}
    schedules = [plan.schedule for plan in plans.values()]
    limited = any(row.most_per_day is not None or row.most_per_week is not None for row in schedules)
    margin = WEEK if limited else QUIET
    near = Range(start - margin, end + margin, bounds="[)")
    days = (start - timedelta(days=2)).date(), (end + timedelta(days=2)).date()
    for booking in await diaries.bookings(db, account_ids, near):
        if booking.meeting_id != besides:
            _add_booking(found[booking.account_id], booking)
    for held in await diaries.held(db, account_ids, near, besides=[holder] if holder else []):
        _add_hold(found[held.account_id], held)
    for away in await availability.away(db, account_ids, start - QUIET, end + QUIET):
        person = found[away.account_id]
        person.absences.append(span(away.start, away.end))
        person.paused = person.paused or (away.end is None and away.start <= clock.now())
    for account_id, day in await availability.days_off(db, account_ids, *days):
        found[account_id].holidays.add(day_number(day))
    # There may be thousands of these, and to look a UUID up costs more than all the rest.
    elsewhere = {account_id.int: person.elsewhere for account_id, person in found.items()}
    for account_id, first, last in await freebusy.busy(db, account_ids, start - QUIET, end + QUIET):
        elsewhere[account_id.int].append((math.floor(first.timestamp()), math.ceil(last.timestamp())))
    return found


def _add_booking(person: Known, booking: Taken) -> None:
    start, end = span(booking.start, booking.end)
    person.bookings.append((start - booking.before * 60, end + booking.after * 60))
    person.taken.append((start, end))
    person.meetings.append(start)


def _add_hold(person: Known, held: Held) -> None:
    held_span = span(held.start, held.end)
    person.holds.append(held_span)
    person.taken.append(held_span)


def span(start: datetime, end: datetime | None) -> Span:
    """In whole seconds, none of it lost."""
    return math.floor(start.timestamp()), FOR_EVER if end is None else math.ceil(end.timestamp())
