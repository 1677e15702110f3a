"""What a recurrence rule means in a zone: which times, on the wall and as instants. Pure.

What is decided here, where RFC 5545 leaves room or is often read otherwise:

- A rule says days, and the time on the wall is that of `dtstart`: 9:00 stays 9:00 whatever the clocks do.
- `dtstart` is an occurrence only when it fits the rule, as in libical; COUNT counts occurrences of the rule.
- A time that the clocks leave out is read with the offset before (section 3.3.5), so it comes later on the
  clock: 2:30 becomes 3:30. Where that makes two occurrences one instant (Apia left out a whole day) they are
  one. Of a time that comes twice the first is meant.
- A month without that day has no occurrence; none moves to the month's last day.
- EXDATE takes away what falls on the same instant. RDATE adds, whatever COUNT and UNTIL say.
- BYSETPOS counts in the whole day, week or month, also in what lies before `dtstart`.

All is lazy: nothing is computed that the caller does not ask for. The search for the next occurrence ends
when the calendar, which repeats after 400 years, has nothing that could fit.
"""

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from math import gcd
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from app.series.rules import Day, Frequency, Refused, Rule, parse

LAST: Final = date(9998, 12, 31).toordinal()
"""The end of our calendar; a zone still has a day of room behind it."""
ERA: Final = {Frequency.DAILY: 146_097, Frequency.WEEKLY: 20_871, Frequency.MONTHLY: 4_800}
"""How many days, weeks and months 400 years have, after which dates and weekdays repeat."""
MOST: Final = {Frequency.DAILY: 1, Frequency.WEEKLY: 7, Frequency.MONTHLY: 31}
"""How many days BYSETPOS can choose from."""
_WALL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_REACH: Final = timedelta(days=2)
"""Further than any clock was ever put forward."""


class Occurrence(NamedTuple):
    """One time that a rule says."""

    recurrence_id: datetime
    """The time on the wall as the rule says it: the name of the occurrence, whatever becomes of it."""
    local: datetime
    """What the clock on the wall shows."""
    instant: datetime

    @property
    def shifted(self) -> bool:
        """Whether the clocks leave out the time that the rule says."""
        return self.local != self.recurrence_id


def wall_time(text: str) -> datetime:
    """A time on the wall such as 2027-03-28T09:00:00; raises only `Refused`."""
    if not (text.isascii() and _WALL.fullmatch(text)):
        raise Refused("Give a local time without an offset, such as 2027-03-28T09:00:00.")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("There is no such day or time.") from None
    if not 1900 <= found.year <= 2200:
        raise Refused("Give a year from 1900 to 2200.")
    return found


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def zone_named(name: str) -> ZoneInfo:
    """A zone of the IANA database, also by a name that it had; raises only `Refused`."""
    if name not in _zones():
        raise Refused("Give an IANA time zone, such as Europe/London.")
    return ZoneInfo(name)


def occurrence(recurrence_id: datetime, zone: ZoneInfo) -> Occurrence:
    """When a time on the wall is."""
    # Without `fold`, the zone database reads a left-out time with the offset before, as the RFC wants it.
    instant = recurrence_id.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return Occurrence(recurrence_id, instant.astimezone(zone).replace(tzinfo=None, fold=0), instant)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule where and when it holds, with what is taken away and added."""

    rule: Rule
    dtstart: datetime
    zone: ZoneInfo
    exdates: tuple[datetime, ...] = ()
    rdates: tuple[datetime, ...] = ()

    @classmethod
    def of(cls, rule: str, dtstart: str, zone: str, exdates: Iterable[str] = ()) -> "Recurrence":
        """Read all of it from texts; raises only `Refused`."""
        out = tuple(wall_time(text) for text in exdates)
        return cls(parse(rule), wall_time(dtstart), zone_named(zone), out)

    def occurrences(self, since: datetime | None = None) -> Iterator[Occurrence]:
        """In order, from the instant `since` on. It may never end: take as many as you need."""
        excluded = {occurrence(each, self.zone).instant for each in self.exdates}
        added = sorted((occurrence(each, self.zone) for each in self.rdates), key=_instant)
        before: datetime | None = None
        for found in heapq.merge(self._of_rule(since), added, key=_instant):
            is_late_enough = since is None or found.instant >= since
            if is_late_enough and found.instant != before and found.instant not in excluded:
                yield found
            before = found.instant

    def _of_rule(self, since: datetime | None) -> Iterator[Occurrence]:
        """What the rule itself says; it may begin a little before `since`."""
        start = self.dtstart.date().toordinal()
        from_day = start
        if since is not None:
            from_day = max(start, (since.astimezone(self.zone) - _REACH).date().toordinal())
        at = self.dtstart.time()
        until = self.rule.until
        for day in days(self.rule, start, from_day):
            found = occurrence(datetime.combine(date.fromordinal(day), at), self.zone)
            if until and (
                found.instant > until.at.replace(tzinfo=UTC) if until.utc else found.recurrence_id > until.at
            ):
                return
            yield found


def _instant(found: Occurrence) -> datetime:
    return found.instant


def days(rule: Rule, start: int, since: int) -> Iterator[int]:
    """The days of a rule that begins on the day `start`, from the day `since` on (ordinals, as in `date`).

    It begins to look near `since`, but for rules with a COUNT, which is limited.
    """
    if rule.by_set_pos and all(abs(place) > MOST[rule.frequency] for place in rule.by_set_pos):
        return
    left = rule.count
    fruitless = 0
    for number in count(0 if rule.count is not None else _period_of(rule, start, since)):
        found = _chosen(rule, _period(rule, start, number))
        if found is None or fruitless > ERA[rule.frequency] // gcd(ERA[rule.frequency], rule.interval):
            return
        fruitless = 0 if found else fruitless + 1
        for day in found:
            if day < start:
                continue
            if day > LAST or left == 0:
                return
            left = None if left is None else left - 1
            if day >= since:
                yield day


def _week_of(rule: Rule, day: int) -> int:
    """The first day of the week that `day` is in."""
    return day - (_weekday(day) - rule.week_start) % 7


def _weekday(day: int) -> int:
    return (day - 1) % 7


def _month_of(day: int) -> int:
    found = date.fromordinal(day)
    return found.year * 12 + found.month - 1


def _period_of(rule: Rule, start: int, since: int) -> int:
    """Which day, week or month of the rule `since` is in, or is the last before it."""
    if rule.frequency is Frequency.DAILY:
        return (since - start) // rule.interval
    if rule.frequency is Frequency.WEEKLY:
        return (since - _week_of(rule, start)) // (7 * rule.interval)
    return (_month_of(since) - _month_of(start)) // rule.interval


def _period(rule: Rule, start: int, number: int) -> list[int] | None:
    """The days that fit in one day, week or month of the rule, in order; None after the calendar's end."""
    if rule.frequency is Frequency.DAILY:
        day = start + number * rule.interval
        return None if day > LAST else _of_day(rule, day)
    if rule.frequency is Frequency.WEEKLY:
        first = _week_of(rule, start) + 7 * number * rule.interval
        weekdays = {each.weekday for each in rule.by_day} or {_weekday(start)}
        fitting = [first + step for step in range(7) if _weekday(first + step) in weekdays]
        return None if first > LAST else fitting
    year, month = divmod(_month_of(start) + number * rule.interval, 12)
    first = date(year, month + 1, 1).toordinal() if year < 9999 else LAST + 1
    return None if first > LAST else _of_month(rule, start, first)


def _of_day(rule: Rule, day: int) -> list[int]:
    if rule.by_day and all(each.weekday != _weekday(day) for each in rule.by_day):
        return []
    if rule.by_month_day:
        found = date.fromordinal(day)
        length = _length(day - found.day + 1)
        if found.day not in rule.by_month_day and found.day - length - 1 not in rule.by_month_day:
            return []
    return [day]


def _of_month(rule: Rule, start: int, first: int) -> list[int]:
    """`first` is the first day of the month."""
    length = _length(first)
    if rule.by_month_day:
        numbers = {each if each > 0 else length + 1 + each for each in rule.by_month_day}
    elif rule.by_day:
        numbers = set(range(1, length + 1))
    else:
        numbers = {date.fromordinal(start).day}
    return [
        first + number - 1
        for number in sorted(numbers)
        if 1 <= number <= length
        and (not rule.by_day or any(_is(each, first, number, length) for each in rule.by_day))
    ]


def _is(day: Day, first: int, number: int, length: int) -> bool:
    """Whether the month's day `number` is such a day."""
    if _weekday(first + number - 1) != day.weekday:
        return False
    nth = (number - 1) // 7 + 1 if day.ordinal > 0 else -((length - number) // 7 + 1)
    return day.ordinal in (0, nth)


def _length(first: int) -> int:
    """How many days the month has that begins on `first`."""
    found = date.fromordinal(first)
    after = date(found.year + found.month // 12, found.month % 12 + 1, 1)
    return after.toordinal() - first


def _chosen(rule: Rule, fitting: list[int] | None) -> list[int] | None:
    """What BYSETPOS leaves of a period."""
    if not rule.by_set_pos or fitting is None:
        return fitting
    places = {place - 1 if place > 0 else len(fitting) + place for place in rule.by_set_pos}
    return [day for place, day in enumerate(fitting) if place in places]
