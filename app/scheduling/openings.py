"""What people's diaries hold, loaded with one query per kind, and what slots make of it."""

import math
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.availability import queries as availability
from app.availability.hours import on_days, open_between
from app.availability.intervals import Span, intersection, subtraction, union
from app.core import clock
from app.core.locks import lock
from app.pairings.models import Pairing
from app.scheduling import slots
from app.scheduling.known import Known, known, span

Why = Literal["meeting", "hold", "absence", "holiday", "elsewhere", "outside_hours"]


class Obstacle(NamedTuple):
    """Why someone cannot meet for some of a span of time."""

    account_id: UUID
    start: datetime
    end: datetime
    why: Why


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
    wanted = [span(first, last) for first, last in spans]
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
    start, end = span(starts_at, ends_at)
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

    A meeting that is moved (`besides`) does not stand in its own way. Everybody's diary stays locked, so that
    what is answered still holds when the time is taken.
    """
    everyone = {row.account_id for row in pairing.people().values()}
    others = everyone - {asking_account_id}
    plans = await availability.plans(db, others, pairing.id)
    if any(plan.assumed or plan.schedule.confirm for plan in plans.values()):
        return False
    await lock(db, "booking", *everyone)
    return await suits(db, pairing, starts_at, ends_at, holder=asking_account_id, besides=besides)
