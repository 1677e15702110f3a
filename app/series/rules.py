"""The recurrence rules that are taken: a part of RFC 5545, section 3.3.10. Everything else is refused.

Taken are `FREQ` of `DAILY`, `WEEKLY` and `MONTHLY` with `INTERVAL`, `COUNT` or `UNTIL`, `BYDAY` (with
ordinals in `MONTHLY` only, as the RFC has it), `BYMONTHDAY` (not in `WEEKLY`), `BYSETPOS` (beside another
`BY` part) and `WKST`. What could be read in two ways is refused rather than guessed. Decided are:

- `UNTIL` with a `Z` is an instant; without, a time on the wall in the zone of the series; a date alone is the
  whole of that day. Each of them is still inside.
- One semicolon at the very end is passed over: libical does so, and Google Calendar writes it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from typing_extensions import override

T = TypeVar("T")
MAX_TEXT: Final = 500
MAX_COUNT: Final = 10_000
MAX_INTERVAL: Final = 1_000
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
OUTSIDE: Final = {
    *("BYSECOND", "BYMINUTE", "BYHOUR", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYEASTER", "RSCALE", "SKIP"),
}
_DAY: Final = re.compile(r"([+-]?)([0-9]{0,2})([A-Z]{2})")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,3}")
_UNTIL: Final = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")


class Refused(ValueError):
    """Outside of what is taken; the text says why, for people."""


class Frequency(StrEnum):
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


class Day(NamedTuple):
    """A weekday (Monday is 0): each of them, or the nth of the month, from its end when negative."""

    ordinal: int
    weekday: int

    @override
    def __str__(self) -> str:
        return f"{self.ordinal or ''}{WEEKDAYS[self.weekday]}"


class Until(NamedTuple):
    """The last moment that is still inside: in UTC, or on the wall."""

    at: datetime
    utc: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that was taken."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: Until | None = None
    by_day: tuple[Day, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0

    @property
    def ends(self) -> bool:
        """Whether it says by itself when it is over."""
        return self.count is not None or self.until is not None

    def counting(self, count: int) -> "Rule":
        """The same with another COUNT."""
        return replace(self, count=count)

    @override
    def __str__(self) -> str:
        """As RFC 5545 writes it; parsed again it is the same rule."""
        return ";".join(self._parts())

    def _parts(self) -> Iterator[str]:
        yield f"FREQ={self.frequency}"
        if self.interval != 1:
            yield f"INTERVAL={self.interval}"
        if self.count is not None:
            yield f"COUNT={self.count}"
        if self.until is not None:
            yield f"UNTIL={self.until.at:%Y%m%dT%H%M%S}{'Z' if self.until.utc else ''}"
        lists = {"BYDAY": self.by_day, "BYMONTHDAY": self.by_month_day, "BYSETPOS": self.by_set_pos}
        for name, values in lists.items():
            if values:
                yield f"{name}={','.join(map(str, values))}"
        if self.week_start:
            yield f"WKST={WEEKDAYS[self.week_start]}"


def parse(text: str) -> Rule:
    """The rule in `text`, the value of an RRULE without its name; raises only `Refused`."""
    given = _split(text)
    if "FREQ" not in given:
        raise Refused("Say how often: FREQ=DAILY, FREQ=WEEKLY or FREQ=MONTHLY.")
    frequency = _frequency(given.pop("FREQ"))
    rule = Rule(
        frequency=frequency,
        interval=_take(given, "INTERVAL", lambda value: _whole("INTERVAL", value, MAX_INTERVAL), 1),
        count=_take(given, "COUNT", lambda value: _whole("COUNT", value, MAX_COUNT), None),
        until=_take(given, "UNTIL", _until, None),
        by_day=_take(given, "BYDAY", lambda value: _days(value, frequency), ()),
        by_month_day=_take(given, "BYMONTHDAY", lambda value: _numbers("BYMONTHDAY", value, 31), ()),
        by_set_pos=_take(given, "BYSETPOS", lambda value: _numbers("BYSETPOS", value, 366), ()),
        week_start=_take(given, "WKST", lambda value: _weekday("WKST", value), 0),
    )
    _must_fit(rule)
    return rule


def _must_fit(rule: Rule) -> None:
    """Parts that are fine each, but not together."""
    if rule.count is not None and rule.until is not None:
        raise Refused("Give COUNT or UNTIL, not both.")
    if rule.frequency is Frequency.WEEKLY and rule.by_month_day:
        raise Refused("BYMONTHDAY does not go with FREQ=WEEKLY.")
    if rule.by_set_pos and not (rule.by_day or rule.by_month_day):
        raise Refused("BYSETPOS chooses among the days of BYDAY or BYMONTHDAY; give one of them too.")


def _split(text: str) -> dict[str, str]:
    if len(text) > MAX_TEXT:
        raise Refused(f"A rule has at most {MAX_TEXT} characters.")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Refused("A rule is plain text without spaces, such as FREQ=WEEKLY;BYDAY=TU.")
    if text.upper().startswith("RRULE:"):
        raise Refused("Give the rule without the name RRULE before it.")
    given: dict[str, str] = {}
    for part in text.upper().removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        if not (name and equals and value):
            raise Refused("A rule is made of NAME=VALUE parts with a semicolon between them.")
        if name in given:
            raise Refused(f"{name} is given twice.")
        if name in OUTSIDE:
            raise Refused(f"{name} is not supported.")
        if name not in ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYSETPOS", "WKST"):
            raise Refused(f"{name[:20]} is not a part of a recurrence rule.")
        given[name] = value
    return given


def _take(given: dict[str, str], name: str, read: Callable[[str], T], default: T) -> T:
    return read(given[name]) if name in given else default


def _frequency(value: str) -> Frequency:
    try:
        return Frequency(value)
    except ValueError:
        raise Refused("FREQ is DAILY, WEEKLY or MONTHLY; others are not supported.") from None


def _whole(name: str, value: str, most: int) -> int:
    if not (value.isdigit() and len(value) <= 9 and 1 <= int(value) <= most):
        raise Refused(f"{name} is a whole number from 1 to {most}.")
    return int(value)


def _until(value: str) -> Until:
    found = _UNTIL.fullmatch(value)
    try:
        if found:
            return Until(
                datetime.strptime(found[1] + (found[2] or "235959"), "%Y%m%d%H%M%S"),  # noqa: DTZ007
                utc=found[3] == "Z",
            )
    except ValueError:
        pass  # digits that are no day of the calendar
    raise Refused("UNTIL is a time such as 20270630T170000Z, or a day such as 20270630.")


def _weekday(name: str, value: str) -> int:
    if value not in WEEKDAYS:
        raise Refused(f"{name} names weekdays: {', '.join(WEEKDAYS)}.")
    return WEEKDAYS.index(value)


def _days(value: str, frequency: Frequency) -> tuple[Day, ...]:
    days: dict[Day, None] = {}
    for one in value.split(","):
        found = _DAY.fullmatch(one)
        if not found or (found[1] and not found[2]):
            raise Refused("BYDAY names weekdays such as TU,TH; by the month also 1MO or -1FR.")
        sign, digits, weekday = found.groups()
        if digits and frequency is not Frequency.MONTHLY:
            raise Refused("Only FREQ=MONTHLY counts weekdays, as in BYDAY=1MO.")
        if digits and not 1 <= int(digits) <= 5:
            raise Refused("A month has a first to fifth of a weekday, from its beginning or its end.")
        days[Day(int(sign + digits) if digits else 0, _weekday("BYDAY", weekday))] = None
    return tuple(days)


def _numbers(name: str, value: str, most: int) -> tuple[int, ...]:
    numbers: dict[int, None] = {}
    for one in value.split(","):
        if not _NUMBER.fullmatch(one) or not 1 <= abs(int(one)) <= most:
            raise Refused(f"{name} is a list of numbers from 1 to {most}, or from -{most} to -1.")
        numbers[int(one)] = None
    return tuple(numbers)
