"""What people's diaries hold, loaded with one query per kind, and what slots make of it."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.availability import queries as availability
from app.availability.hours import day_number, on_days, open_between
from app.availability.intervals import Span, intersection, subtraction, union
from app.availability.queries import Plan
from app.core import clock
from app.freebusy import queries as freebusy
from app.pairings.models import Pairing
from app.scheduling import queries, slots
from app.scheduling.queries import Held, Taken
from app.scheduling.slots import FOR_EVER, Diary, Terms

QUIET: Final = timedelta(hours=4)
"""As far as the quiet around one meeting and around its neighbour can reach."""
WEEK: Final = timedelta(days=8)
"""What is met in the rest of a week counts towards its limit."""

Why = Literal["meeting", "hold", "absence", "holiday", "elsewhere", "outside_hours"]


class Obstacle(NamedTuple):
    """Why someone cannot meet for some of a span of time."""

    account_id: UUID
    start: datetime
    end: datetime
    why: Why


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
    for booking in await queries.bookings(db, account_ids, near):
        if booking.meeting_id != besides:
            _add_booking(found[booking.account_id], booking)
    for held in await queries.held(db, account_ids, near, besides=[holder] if holder else []):
        _add_hold(found[held.account_id], held)
    for away in await availability.away(db, account_ids, start - QUIET, end + QUIET):
        person = found[away.account_id]
        person.absences.append(_span(away.start, away.end))
        person.paused = person.paused or (away.end is None and away.start <= clock.now())
    for account_id, day in await availability.days_off(db, account_ids, *days):
        found[account_id].holidays.add(day_number(day))
    # There may be thousands of these, and to look a UUID up costs more than all the rest.
    elsewhere = {account_id.int: person.elsewhere for account_id, person in found.items()}
    for account_id, first, last in await freebusy.busy(db, account_ids, start - QUIET, end + QUIET):
        elsewhere[account_id.int].append((math.floor(first.timestamp()), math.ceil(last.timestamp())))
    return found


def _add_booking(person: Known, booking: Taken) -> None:
    start, end = _span(booking.start, booking.end)
    person.bookings.append((start - booking.before * 60, end + booking.after * 60))
    person.taken.append((start, end))
    person.meetings.append(start)


def _add_hold(person: Known, held: Held) -> None:
    span = _span(held.start, held.end)
    person.holds.append(span)
    person.taken.append(span)


def _span(start: datetime, end: datetime | None) -> Span:
    """In whole seconds, none of it lost."""
    return math.floor(start.timestamp()), FOR_EVER if end is None else math.ceil(end.timestamp())


def instant(at: int) -> datetime:
    """From seconds since 1970."""
    return datetime.fromtimestamp(at, UTC)


# Obstacles


async def obstacles(
    db: AsyncSession,
    account_ids: Collection[UUID],
    spans: Sequence[tuple[datetime, datetime]],
    *,
    pairing_id: UUID | None = None,
    besides: UUID | None = None,
) -> list[Obstacle]:
    """What keeps these people from meeting in these spans, in the order of time.

    Bookings count with the quiet that they and the new meeting ask for. `pairing_id` says whose chosen
    schedules hold; the meeting `besides` does not count.
    """
    if not spans or not account_ids:
        return []
    start, end = min(first for first, _ in spans), max(last for _, last in spans)
    people = await known(db, account_ids, start, end, pairing_id=pairing_id, besides=besides)
    wanted = [_span(*span) for span in spans]
    found = [
        Obstacle(account_id, instant(first), instant(last), why)
        for account_id, person in people.items()
        for why, first, last in _in_the_way(person, wanted)
    ]
    return sorted(found, key=lambda one: (one.start, one.end, one.why, one.account_id))


def _in_the_way(person: Known, wanted: Sequence[Span]) -> list[tuple[Why, int, int]]:
    schedule = person.plan.schedule
    before, after = schedule.buffer_before_minutes * 60, schedule.buffer_after_minutes * 60
    hours, start, end = (
        schedule.wall_hours(),
        min(first for first, _ in wanted),
        max(last for _, last in wanted),
    )
    stretched: list[tuple[Why, list[Span]]] = [
        ("meeting", person.bookings), ("hold", person.holds), ("elsewhere", person.elsewhere),
    ]  # fmt: skip
    kinds: list[tuple[Why, list[Span]]] = [
        (why, union((first - after, last + before) for first, last in spans)) for why, spans in stretched
    ]
    off = on_days(hours.zone, person.holidays - hours.overrides.keys(), start, end)
    open_hours = open_between(hours, start, end)
    kinds += [
        ("absence", union(person.absences)),
        ("holiday", off),
        ("outside_hours", subtraction(subtraction([(start, end)], open_hours), off)),
    ]
    return [
        (why, first, last)
        for why, spans in kinds
        for span in wanted
        for first, last in intersection(spans, [span])
    ]


async def suits(
    db: AsyncSession,
    pairing: Pairing,
    starts_at: datetime,
    ends_at: datetime,
    *,
    holder: UUID | None = None,
    besides: UUID | None = None,
) -> bool:
    """Whether this very time would be offered as a slot that suits everyone, whatever grid it is shown on."""
    account_ids = {row.account_id for row in pairing.people().values()}
    people = await known(
        db, account_ids, starts_at, ends_at, pairing_id=pairing.id, holder=holder, besides=besides
    )
    start, end = _span(starts_at, ends_at)
    now = math.floor(clock.now().timestamp())
    return all(slots.starts(person.diary(), end - start, start, start + 1, now) for person in people.values())


async def needs_no_yes(
    db: AsyncSession,
    pairing: Pairing,
    asking_account_id: UUID,
    starts_at: datetime,
    ends_at: datetime,
    *,
    besides: UUID | None = None,
) -> bool:
    """Whether everybody else lets others book without being asked, and this is one of their slots.

    A meeting that is moved (`besides`) does not stand in its own way.
    """
    others = {row.account_id for row in pairing.people().values()} - {asking_account_id}
    plans = await availability.plans(db, others, pairing.id)
    if any(plan.assumed or plan.schedule.confirm for plan in plans.values()):
        return False
    return await suits(db, pairing, starts_at, ends_at, holder=asking_account_id, besides=besides)
