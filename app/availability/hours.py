"""From what the clock on a wall shows to instants, and back: pure.

A zone's time is cut where its offset from UTC changes. Inside such a segment a wall clock runs like any
other, so its arithmetic is plain, and the result is mapped back. An hour that happens twice lies in two
segments and counts twice; one that is skipped, or a whole day (Apia's 30 December 2011), lies in none.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from app.availability.intervals import Span, union

DAY: Final = 86_400
_SAMPLE: Final = 21_600
"""No zone has changed its offset and changed it back within six hours (a test asks all of them)."""
_EPOCH: Final = date(1970, 1, 1).toordinal()


class Segment(NamedTuple):
    """A stretch in which wall time is UTC plus `offset` seconds."""

    start: int
    end: int
    offset: int


@dataclass(frozen=True, slots=True)
class Hours:
    """When the clock on the wall in `zone` shows time to meet; stretches are seconds past midnight."""

    zone: str
    week: tuple[tuple[Span, ...], ...]
    """Monday first."""
    overrides: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    """By day number (see `day_number`): these instead of the weekday's, none for a day off."""


def day_number(day: date) -> int:
    """Days since 1970: a date that sorts and counts."""
    return day.toordinal() - _EPOCH


def weekday(day: int) -> int:
    """0 is Monday."""
    return (day + 3) % 7


def week_number(day: int) -> int:
    """The ISO week that a day is in, as weeks that begin on Mondays, counted since 1970."""
    return (day + 3) // 7


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
    assert offset is not None, "a ZoneInfo always knows"
    return round(offset.total_seconds())


_PERIOD: Final = 128 * DAY


@lru_cache(maxsize=4096)
def _changes(name: str, period: int) -> tuple[tuple[int, int], ...]:
    """Where the offset changes within a period, and what it is from there; the beginning is the first."""
    zone = ZoneInfo(name)
    at, end = period * _PERIOD, (period + 1) * _PERIOD
    offset = _offset(zone, at)
    found = [(at, offset)]
    while at < end:
        following = min(at + _SAMPLE, end)
        if _offset(zone, following) != offset:
            low, high = at, following
            while high - low > 1:  # the first second that shows the new offset
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
            offset = _offset(zone, high)
            if high < end:
                found.append((high, offset))
            following = high
        at = following
    return tuple(found)


def segments(zone: str, start: int, end: int) -> list[Segment]:
    """The time between two instants, cut where the zone's offset changes."""
    changes: list[tuple[int, int]] = []
    for period in range(start // _PERIOD, (end - 1) // _PERIOD + 1):
        first, *rest = _changes(zone, period)
        changes += rest if changes and changes[-1][1] == first[1] else [first, *rest]
    found = []
    for (at, offset), (until, _) in zip(changes, [*changes[1:], (end, 0)], strict=True):
        if max(at, start) < min(until, end):
            found.append(Segment(max(at, start), min(until, end), offset))
    return found


def day_at(zone: str, at: int) -> int:
    """Which day it is in the zone at an instant."""
    (here,) = segments(zone, at, at + 1)
    return (at + here.offset) // DAY


def on_days(zone: str, days: Collection[int], start: int, end: int) -> list[Span]:
    """When, between two instants, it is one of these days in the zone."""
    return _where(zone, start, end, {day: ((0, DAY),) for day in days}) if days else []


def open_between(hours: Hours, start: int, end: int, *, off: Collection[int] = ()) -> list[Span]:
    """When the hours say yes between two instants; on days `off` only what an override says of that day."""
    by_day = {
        day: hours.overrides.get(day, () if day in off else hours.week[weekday(day)])
        for day in range(start // DAY - 1, end // DAY + 2)
    }
    return _where(hours.zone, start, end, by_day)


def _where(zone: str, start: int, end: int, by_day: Mapping[int, tuple[Span, ...]]) -> list[Span]:
    found: list[Span] = []
    for segment in segments(zone, start, end) if start < end else ():
        first, last, offset = segment.start + segment.offset, segment.end + segment.offset, segment.offset
        for day in range(first // DAY, (last - 1) // DAY + 1):
            midnight = day * DAY
            for opens, closes in by_day.get(day, ()):
                begins, ends = max(midnight + opens, first), min(midnight + closes, last)
                if begins < ends:
                    found.append((begins - offset, ends - offset))
    return union(found)
