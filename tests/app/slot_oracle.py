"""An oracle for slots: it walks through every minute and asks the clock on the wall, without `slots.py`.

Slow and plain on purpose. All that it is told is in minutes: instants since 1970, times past midnight.
"""

import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = 1440
BEFORE, AROUND = 9 * DAY, 18 * DAY
"""How far before a transition its neighbourhood begins, and how long that is."""
TRANSITIONS: Final = {
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00", "2007-11-04T06:00"),
    "Europe/London": ("2027-03-28T01:00", "2026-10-25T01:00"),
    "Australia/Lord_Howe": ("2027-04-03T15:00", "2026-10-03T15:30"),
    "Asia/Kathmandu": ("1985-12-31T18:30", "2026-11-01T06:00"),
    "Pacific/Apia": ("2011-12-30T10:00", "2011-09-24T14:00", "2021-04-03T14:00"),
    "Africa/Casablanca": ("2027-02-07T02:00", "2027-03-14T02:00", "2018-10-28T02:00"),
}
"""Instants in UTC at which, or near which, the clocks of a zone are changed."""


@dataclass(frozen=True, slots=True)
class Who:
    """One person, in minutes."""

    zone: str
    week: tuple[tuple[tuple[int, int], ...], ...]
    overrides: dict[date, tuple[tuple[int, int], ...]]
    holidays: frozenset[date]
    absences: tuple[tuple[int, int], ...]
    bookings: tuple[tuple[int, int, int, int], ...]
    """Start, end, and the quiet before and after that each asks for."""
    elsewhere: tuple[tuple[int, int], ...]
    before: int
    after: int
    notice: int
    horizon: int
    per_day: int | None
    per_week: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """A question."""

    around: int
    """Where the neighbourhood of its transition begins."""
    people: tuple[Who, ...]
    viewer: str
    start: int
    end: int
    now: int
    length: int
    step: int


@cache
def _wall(zone: str, around: int) -> "tuple[array[int], array[int]]":
    """What the wall shows in each minute of a neighbourhood: the day's ordinal, minutes past midnight."""
    clock = ZoneInfo(zone)
    days, minutes = array("l"), array("l")
    for minute in range(around, around + AROUND):
        shown = datetime.fromtimestamp(minute * 60, UTC).astimezone(clock)
        days.append(shown.toordinal())
        minutes.append(shown.hour * 60 + shown.minute)
    return days, minutes


def _there(who: Who, case: Case, first: int, last: int) -> bytearray:
    """For each minute between these places of the neighbourhood: 1 when the person is there."""
    days, minutes = _wall(who.zone, case.around)
    dials: dict[int, bytearray] = {}
    for ordinal in set(days[first:last]):
        day = date.fromordinal(ordinal)
        if day in who.overrides:
            today = who.overrides[day]
        elif day in who.holidays:
            today = ()
        else:
            today = who.week[day.weekday()]
        dial = bytearray(DAY)
        for opens, closes in today:
            dial[opens:closes] = b"\1" * (closes - opens)
        dials[ordinal] = dial
    there = bytearray(
        dials[day][minute] for day, minute in zip(days[first:last], minutes[first:last], strict=True)
    )
    for leaves, returns in who.absences:
        left = min(max(leaves - case.around - first, 0), len(there))
        back = min(max(returns - case.around - first, left), len(there))
        there[left:back] = bytes(back - left)
    return there


def _taken(who: Who, case: Case) -> bytearray:
    """For each minute of the neighbourhood: 1 when something is in the way, its own quiet included."""
    taken = bytearray(AROUND)
    for start, end, before, after in (*who.bookings, *((*one, 0, 0) for one in who.elsewhere)):
        for minute in range(start - before, end + after):
            if 0 <= minute - case.around < AROUND:
                taken[minute - case.around] = 1
    return taken


def starts(case: Case, who: Who) -> set[int]:
    """Every minute at which the meeting may start for one person."""
    first, last = case.start - case.around, case.end - case.around
    there = _there(who, case, first, last + case.length)
    taken = _taken(who, case)
    days, _ = _wall(who.zone, case.around)
    booked = [date.fromordinal(days[start - case.around]) for start, *_ in who.bookings]
    found = set()
    for place in range(first, last):
        start = case.around + place
        if not case.now + who.notice <= start <= case.now + who.horizon:
            continue
        if there.find(0, place - first, place - first + case.length) >= 0:
            continue
        if taken.find(1, place - who.before, place + case.length + who.after) >= 0:
            continue
        today = date.fromordinal(days[place])
        if who.per_day is not None and booked.count(today) >= who.per_day:
            continue
        week = today.isocalendar()[:2]
        if (
            who.per_week is not None
            and sum(each.isocalendar()[:2] == week for each in booked) >= who.per_week
        ):
            continue
        found.add(start)
    return found


def on_the_grid(case: Case) -> set[int]:
    """The minutes of the window at which the viewer's clock shows a multiple of the step."""
    _, minutes = _wall(case.viewer, case.around)
    return {
        minute for minute in range(case.start, case.end) if minutes[minute - case.around] % case.step == 0
    }


def answer(case: Case) -> dict[int, int]:
    """Each start on the grid that suits anybody, and how many it suits."""
    grid = on_the_grid(case)
    each = [starts(case, who) & grid for who in case.people]
    return {start: sum(start in one for one in each) for start in sorted(set().union(*each))}


def _intervals(chance: random.Random, fine: int) -> tuple[tuple[int, int], ...]:
    """Some stretches of a day, in order and apart."""
    shape = chance.random()
    if shape < 0.1:
        return ((0, DAY),)
    if shape < 0.2:
        return ()
    marks = sorted(chance.sample(range(0, DAY + 1, fine), 2 * chance.randint(1, 3)))
    return tuple(zip(marks[::2], marks[1::2], strict=True))


def _who(chance: random.Random, zone: str, around: int) -> Who:
    fine = chance.choice((5, 15, 15, 30, 60))
    middle = datetime.fromtimestamp((around + BEFORE) * 60, UTC).date().toordinal()

    def near() -> date:
        return date.fromordinal(middle + chance.randint(-2, 3))

    def stretch(most: int) -> tuple[int, int]:
        start = around + BEFORE + chance.randint(-3 * DAY, 3 * DAY)
        return start, start + chance.randint(1, most)

    def booking() -> tuple[int, int, int, int]:
        return (*stretch(120), chance.choice((0, 0, 10, 30)), chance.choice((0, 0, 15, 45)))

    return Who(
        zone=zone,
        week=tuple(_intervals(chance, fine) for _ in range(7)),
        overrides={near(): _intervals(chance, fine) for _ in range(chance.randint(0, 2))},
        holidays=frozenset(near() for _ in range(chance.randint(0, 1))),
        absences=tuple(stretch(DAY) for _ in range(chance.choice((0, 0, 1, 2)))),
        bookings=tuple(booking() for _ in range(chance.randint(0, 4))),
        elsewhere=tuple(stretch(240) for _ in range(chance.randint(0, 5))),
        before=chance.choice((0, 0, 5, 30)),
        after=chance.choice((0, 0, 10, 60)),
        notice=chance.choice((0, 60, DAY, 2 * DAY)),
        horizon=chance.choice((DAY, 4 * DAY, 60 * DAY)),
        per_day=chance.choice((None, None, 1, 2)),
        per_week=chance.choice((None, None, 1, 3)),
    )


def cases(seed: int, many: int) -> Iterator[Case]:
    """Random questions around transitions: of one to three people, near and far from each other."""
    chance = random.Random(seed)
    for number in range(many):
        zone = list(TRANSITIONS)[number % len(TRANSITIONS)]
        instant = datetime.fromisoformat(chance.choice(TRANSITIONS[zone])).replace(tzinfo=UTC)
        around = int(instant.timestamp()) // 60 - BEFORE
        zones = [zone] + [chance.choice([zone, *TRANSITIONS]) for _ in range(chance.randint(0, 2))]
        start = around + BEFORE + chance.randint(-2 * DAY, DAY)
        yield Case(
            around=around,
            people=tuple(_who(chance, each, around) for each in zones),
            viewer=chance.choice([zone, *TRANSITIONS]),
            start=start,
            end=start + chance.randint(1, 2 * DAY),
            now=start - chance.choice((0, 0, 30, DAY, 3 * DAY)),
            length=chance.choice((1, 15, 20, 30, 45, 60, 90, 180)),
            step=chance.choice((1, 5, 10, 15, 15, 20, 30, 60)),
        )
