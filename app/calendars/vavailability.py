"""When somebody can be met, for calendars that ask (RFC 7953). Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from app.calendars.ics import moment, stream, zone_lines

DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class Hours:
    """From when to when on the wall; without an end, until midnight."""

    start: time
    end: time | None


def vavailability(
    *,
    uid: str,
    stamp: datetime,
    zone: str,
    since: date,
    weekly: Mapping[str, Sequence[Hours]],
    overrides: Mapping[date, Sequence[Hours]],
) -> str:
    """Hours by weekday (`MO` to `SU`) from a day on, and other hours, or none, on single days after it."""
    spans: list[tuple[datetime, datetime, str | None, list[datetime]]] = []
    for weekday, hours in weekly.items():
        first = since + timedelta(days=(DAYS.index(weekday) - since.weekday()) % 7)
        others = sorted(day for day in overrides if day >= first and day.weekday() == first.weekday())
        for one in hours:
            start, end = _span(first, one)
            left_out = [datetime.combine(day, one.start) for day in others]
            spans.append((start, end, f"FREQ=WEEKLY;BYDAY={weekday}", left_out))
    for day, hours in sorted(overrides.items()):
        spans += [(*_span(day, one), None, []) for one in hours if day >= since]
    around = [at for start, end, *_ in spans for at in (start, end)] or [datetime.combine(since, time())]
    about = [f"DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}", f"UID:{uid}", "BUSYTYPE:BUSY-UNAVAILABLE"]
    lines = [*zone_lines(zone, around, repeats=bool(weekly)), "BEGIN:VAVAILABILITY", *about]
    for number, (start, end, rule, left_out) in enumerate(spans):
        lines += _available(f"{number}.{uid}", stamp, zone, (start, end), rule, left_out)
    return stream([*lines, "END:VAVAILABILITY"])


def _span(day: date, hours: Hours) -> tuple[datetime, datetime]:
    end = datetime.combine(day, hours.end) if hours.end else datetime.combine(day + timedelta(days=1), time())
    return datetime.combine(day, hours.start), end


def _available(
    uid: str,
    stamp: datetime,
    zone: str,
    span: tuple[datetime, datetime],
    rule: str | None,
    left_out: Sequence[datetime],
) -> Iterator[str]:
    yield "BEGIN:AVAILABLE"
    yield f"DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}"
    yield f"UID:{uid}"
    yield moment("DTSTART", span[0], zone)
    yield moment("DTEND", span[1], zone)
    if rule:
        yield f"RRULE:{rule}"
    yield from (moment("EXDATE", at, zone) for at in left_out)
    yield "END:AVAILABLE"
