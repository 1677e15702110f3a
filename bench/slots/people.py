"""Who is measured: people with hours, two years of meetings, and calendars full of recurring events."""

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from dateutil.rrule import WEEKLY, rrule
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.freebusy.queries import Busy
from tests.world import ALL_ROLES, Person, World

HISTORY: Final = timedelta(days=730)
CALENDARS: Final = 20
EVENTS: Final = 3
"""Weekly events in each calendar; 60 a week fill every free hour of most weeks."""
ZONES: Final = ("Europe/London", "America/Toronto", "Australia/Brisbane", "Asia/Kathmandu")
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(slots=True)
class Recurring:
    """A weekly event of somebody's calendar."""

    start: datetime
    minutes: int

    def between(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """When it takes place."""
        length = timedelta(minutes=self.minutes)
        rule = rrule(WEEKLY, dtstart=self.start)
        return [(at, at + length) for at in rule.between(start - length, end)]


@dataclass(slots=True)
class Busyness:
    """What somebody's calendars hold, as rows of a table that an import has filled."""

    person: Person
    zone: str
    calendars: list[list[Recurring]] = field(default_factory=list)


async def furnish(world: World, many: int, calendars: int = CALENDARS) -> tuple[Any, list[Busyness]]:
    """A pair or a circle of so many, with everything that they have."""
    chance = random.Random(20261129)
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    people = []
    for number in range(many):
        person = await world.member(place, f"Person {number}", capacity=9)
        zone = ZONES[number % len(ZONES)]
        await _hours(person, zone)
        calendar = [[_event(chance) for _ in range(EVENTS)] for _ in range(calendars)]
        people.append(Busyness(person, zone, calendar))
    left, *rest = [one.person for one in people]
    if many == 2:
        pairing = await world.pair(left, rest[0])
    else:
        pairing = await world.circle(coordinator, [left], rest)
    await _history(world, pairing["id"], left)
    await _import(world, people)
    return pairing, people


async def _hours(person: Person, zone: str) -> None:
    rows = [{"weekday": day, "start": "06:00", "end": "23:00"} for day in WEEKDAYS]
    body = {
        "name": "Hours", "zone": zone, "hours": rows, "lengths": [45], "step_minutes": 15,
        "buffer_before_minutes": 5, "buffer_after_minutes": 10, "most_per_day": 4, "most_per_week": 20,
    }  # fmt: skip
    await person.ok("POST", "/v1/schedules", body)


def _event(chance: random.Random) -> Recurring:
    monday = (clock.now() - HISTORY).replace(hour=0, minute=0, second=0, microsecond=0)
    return Recurring(
        monday + timedelta(days=chance.randrange(7), minutes=15 * chance.randrange(96)),
        chance.choice((15, 30, 30, 60)),
    )


async def _history(world: World, pairing: str, by: Person) -> None:
    """A meeting of theirs every second day, for two years back and four weeks ahead."""
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    await world.run(
        "INSERT INTO meeting (id, pairing_id, proposed_by_id, starts_at, ends_at, zone, version, sequence, "
        "status, created_at) SELECT gen_random_uuid(), :pairing, :by, at, at + interval '45 minutes', 'UTC', "
        "1, 0, 'booked', at FROM generate_series(CAST(:first AS timestamptz), :last, '2 days') at",
        pairing=pairing,
        by=by.membership_id,
        first=now - HISTORY,
        last=now + timedelta(days=28),
    )
    await world.run(
        "INSERT INTO booking SELECT DISTINCT meeting.id, account_id, tstzrange(starts_at, ends_at), 5, 10 "
        "FROM meeting JOIN participant USING (pairing_id) JOIN membership ON membership.id = membership_id "
        "WHERE pairing_id = :pairing",
        pairing=pairing,
    )


async def _import(world: World, people: list[Busyness]) -> None:
    """Write what the calendars hold, expanded, from two years back to two years ahead."""
    await world.run(
        "CREATE TABLE IF NOT EXISTS bench_busy (account_id uuid, starts_at timestamptz, ends_at timestamptz)"
    )
    await world.run("CREATE INDEX IF NOT EXISTS bench_busy_when ON bench_busy (account_id, ends_at)")
    start, end = clock.now() - HISTORY, clock.now() + HISTORY
    for one in people:
        rows = [
            {"account": one.person.account_id, "start": first, "end": last}
            for calendar in one.calendars
            for event in calendar
            for first, last in event.between(start, end)
        ]
        async with world.database.transaction() as db:
            await db.execute(text("INSERT INTO bench_busy VALUES (:account, :start, :end)"), rows)
    await world.run("ANALYZE")


_IMPORTED: Final = text(
    "SELECT account_id, starts_at, ends_at FROM bench_busy WHERE account_id = ANY(:ids) "
    "AND ends_at > :start AND starts_at < :end"
)


async def imported(
    db: AsyncSession, account_ids: Collection[UUID], start: datetime, end: datetime
) -> list[Busy]:
    """In the place of `freebusy.queries.busy`: one query of rows like those that an import writes."""
    rows = await db.execute(_IMPORTED, {"ids": list(account_ids), "start": start, "end": end})
    return [Busy(*row) for row in rows]


def months_ahead() -> tuple[datetime, datetime]:
    """The four weeks that are asked for."""
    start = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return start.astimezone(UTC), start.astimezone(UTC) + timedelta(days=28)
