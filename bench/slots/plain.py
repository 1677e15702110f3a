"""The peer: what a straightforward implementation does. It expands with python-dateutil and loops.

For every quarter of an hour it asks of each person whether they are there, and goes through all they have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dateutil import tz

from bench.slots.people import Recurring

QUARTER = timedelta(minutes=15)


@dataclass(slots=True)
class Plain:
    """One person's time: hours of every day, meetings with their quiet, calendars."""

    zone: str
    bookings: Sequence[tuple[datetime, datetime]]
    calendars: Sequence[Sequence[Recurring]]
    most_per_day: int = 4
    before: timedelta = timedelta(minutes=5)
    after: timedelta = timedelta(minutes=10)


def slots(
    people: Sequence[Plain], start: datetime, end: datetime, minutes: int, least: int
) -> list[datetime]:
    """Every quarter of an hour at which a meeting suits so many."""
    length = timedelta(minutes=minutes)
    busy = [_busy(person, start, end + length) for person in people]
    found = []
    at = start
    while at < end:
        suits = sum(
            _suits(person, taken, at, at + length) for person, taken in zip(people, busy, strict=True)
        )
        if suits >= least:
            found.append(at)
        at += QUARTER
    return found


def _busy(person: Plain, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    margin = timedelta(hours=4)
    rows = [
        one
        for calendar in person.calendars
        for event in calendar
        for one in event.between(start - margin, end + margin)
    ]
    return rows + [(first - person.before, last + person.after) for first, last in person.bookings]


def _suits(person: Plain, busy: Sequence[tuple[datetime, datetime]], at: datetime, until: datetime) -> bool:
    zone = tz.gettz(person.zone)
    wall, last = at.astimezone(zone), until.astimezone(zone)
    if not (
        wall.hour >= 6
        and (last.hour < 23 or (last.hour, last.minute) == (23, 0))
        and wall.date() == last.date()
    ):
        return False
    padded = at - person.before, until + person.after
    if any(first < padded[1] and end > padded[0] for first, end in busy):
        return False
    today = sum(first.astimezone(zone).date() == wall.date() for first, _ in person.bookings)
    return today < person.most_per_day
