"""When people can meet: pure, over stretches of time in seconds, and linear in how many there are.

Each person's diary becomes the stretches in which a meeting of one length may start. What suits two people
lies in both; how many a time suits is counted at once for all. Only then the grid is laid over it: the times
that a clock on the viewer's wall shows as multiples of a step. The grid is for reading, never a rule.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.availability.hours import (
    Hours,
    day_at,
    on_days,
    open_between,
    segments,
    week_number,
)
from app.availability.intervals import Span, clip, intersection, subtraction, union

FOR_EVER: Final = 1 << 40
"""An end that lies beyond every calendar."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What someone asks of a meeting besides its hour; in seconds."""

    before: int = 0
    after: int = 0
    """Quiet around it."""
    notice: int = 0
    horizon: int = FOR_EVER
    """How long before its start, at least and at most."""
    most_per_day: int | None = None
    most_per_week: int | None = None
    """Meetings that start on one day, or in one ISO week, of the schedule's zone."""


@dataclass(frozen=True, slots=True)
class Diary:
    """One person's time."""

    hours: Hours
    terms: Terms = Terms()
    holidays: frozenset[int] = frozenset()
    """Day numbers, in the schedule's zone."""
    absences: Sequence[Span] = ()
    busy: Sequence[Span] = ()
    """Taken, each with the quiet that it asks for itself; in any order."""
    meetings: Sequence[int] = field(default=())
    """When booked meetings start, for the limits."""


class Suited(NamedTuple):
    """A stretch in which a meeting may start, and how many it suits."""

    start: int
    end: int
    available: int


def free(diary: Diary, start: int, end: int) -> list[Span]:
    """When the person is there: their hours, less holidays and absences."""
    hours = open_between(diary.hours, start, end, off=diary.holidays)
    return subtraction(hours, union(diary.absences)) if diary.absences else hours


def starts(diary: Diary, length: int, start: int, end: int, now: int) -> list[Span]:
    """When a meeting of this length may start for them, between two instants (the end not included)."""
    terms = diary.terms
    start, end = max(start, now + terms.notice), min(end, now + terms.horizon + 1)
    if start >= end:
        return []
    there = [
        (opens, closes - length + 1)
        for opens, closes in free(diary, start, end + length)
        if closes - opens >= length
    ]
    # A start is too late from where the meeting with its quiet would touch what is taken, to where that ends.
    reach = length + terms.after - 1
    taken = union((begins - reach, ends + terms.before) for begins, ends in diary.busy)
    return clip(subtraction(there, union([*taken, *_full(diary, start, end)])), start, end)


def _full(diary: Diary, start: int, end: int) -> list[Span]:
    """The days and weeks in which the person has met as often as they want to."""
    terms, zone = diary.terms, diary.hours.zone
    if terms.most_per_day is None and terms.most_per_week is None:
        return []
    per_day = Counter(day_at(zone, at) for at in diary.meetings)
    per_week = Counter[int]()
    for day, count in per_day.items():
        per_week[week_number(day)] += count
    days = range(day_at(zone, start) - 1, day_at(zone, end) + 2)
    full = {
        day
        for day in days
        if _reached(per_day[day], terms.most_per_day)
        or _reached(per_week[week_number(day)], terms.most_per_week)
    }
    return on_days(zone, full, start, end)


def _reached(count: int, most: int | None) -> bool:
    return most is not None and count >= most


def for_all(each: Iterable[Sequence[Span]]) -> list[Span]:
    """The starts that suit everyone."""
    found: list[Span] | None = None
    for spans in each:
        found = list(spans) if found is None else intersection(found, spans)
    return found or []


def for_many(each: Iterable[Sequence[Span]], least: int) -> list[Suited]:
    """The starts that suit at least so many, and how many they suit."""
    steps = Counter[int]()
    for spans in each:
        for start, end in spans:
            steps[start] += 1
            steps[end] -= 1
    found: list[Suited] = []
    since, here = 0, 0
    for at in sorted(steps):
        if here >= least and since < at:
            found.append(Suited(since, at, here))
        since, here = at, here + steps[at]
    return found


def only_within(suited: Sequence[Suited], spans: Sequence[Span]) -> list[Suited]:
    """What of these stretches lies in others as well."""
    found: list[Suited] = []
    place = 0
    for start, end, available in suited:
        while place < len(spans) and spans[place][1] <= start:
            place += 1
        here = place
        while here < len(spans) and spans[here][0] < end:
            found.append(Suited(max(start, spans[here][0]), min(end, spans[here][1]), available))
            here += 1
    return found


def not_touching(taken: Iterable[Span], length: int, start: int, end: int) -> list[Span]:
    """The starts of meetings of this length that touch none of these stretches."""
    return subtraction([(start, end)], union((begins - length + 1, ends) for begins, ends in taken))


def on_the_grid(suited: Sequence[Suited], zone: str, step: int) -> Iterator[tuple[int, int]]:
    """Starts at which the viewer's wall clock shows a multiple of `step`, with how many it suits."""
    if not suited:
        return
    cut = segments(zone, suited[0].start, suited[-1].end)
    place = 0
    for start, end, available in suited:
        while cut[place].end <= start:
            place += 1
        here = place
        while here < len(cut) and cut[here].start < end:
            segment = cut[here]
            first, last = max(start, segment.start), min(end, segment.end)
            first += -(first + segment.offset) % step
            for at in range(first, last, step):
                yield at, available
            here += 1
