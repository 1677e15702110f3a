"""What other calendars are told: iCalendar objects (RFC 5545, 5546, 7986), written exactly. Pure.

Everything that people wrote goes through `_text` or `_quoted`: no title or name can end its line, so none can
begin a property of its own.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

PRODUCT: Final = "-//Mentorspan//Mentorspan//EN"
LABEL: Final = "Join on Mentorspan"
OCTETS: Final = 75
"""The longest line before it is folded, without its end."""

Method = Literal["REQUEST", "CANCEL"]
Status = Literal["TENTATIVE", "CONFIRMED", "CANCELLED"]
PartStat = Literal["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"]

# Also what only some parsers take for the end of a line: U+0085, U+2028, U+2029.
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_ENDS: Final = re.compile(r"\r\n|\r|\n")
_RULE: Final = re.compile(r"[A-Z]+=[A-Z0-9,+-]+(;[A-Z]+=[A-Z0-9,+-]+)*")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+/-]+")
_BEYOND: Final = timedelta(days=366)
_MOST_AHEAD: Final = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Attendee:
    """Someone who takes part, by an address that the reader of this object may know."""

    address: str
    name: str
    status: PartStat = "NEEDS-ACTION"
    rsvp: bool = False


@dataclass(frozen=True, slots=True)
class Organiser:
    """Where answers go."""

    address: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event, the master of a series, or one changed instance of it.

    `start` and `end` are instants, or in a series (`zone`) also what a clock on the wall there shows, without
    an offset. `recurrence` says which instance of the series this is: when it would have begun.
    """

    uid: str
    sequence: int
    stamp: datetime
    start: datetime
    end: datetime
    summary: str
    link: str
    description: str = ""
    status: Status = "CONFIRMED"
    organiser: Organiser | None = None
    attendees: Sequence[Attendee] = ()
    zone: str | None = None
    rule: str | None = None
    left_out: Sequence[datetime] = ()
    added: Sequence[datetime] = ()
    recurrence: datetime | None = None


def message(method: Method, entries: Iterable[Entry]) -> str:
    """An iTIP message (RFC 5546) about one event, or about a series and its changed instances."""
    return _calendar([f"METHOD:{method}"], list(entries))


def feed(entries: Iterable[Entry], *, name: str, refresh: str = "PT1H") -> str:
    """A calendar to subscribe to (RFC 7986); `refresh` is a duration of RFC 5545."""
    head = [
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{refresh}",
        f"X-PUBLISHED-TTL:{refresh}",
    ]
    return _calendar(head, list(entries))


def _calendar(head: Iterable[str], entries: Sequence[Entry]) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN", *head]
    for zone in sorted({entry.zone for entry in entries if entry.zone}):
        lines += zone_lines(zone, [entry for entry in entries if entry.zone == zone])
    for entry in entries:
        lines += _event(entry)
    return written([*lines, "END:VCALENDAR"])


def written(lines: Iterable[str]) -> str:
    """Content lines, folded and ended as RFC 5545 says."""
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _folded(line: str) -> Iterator[str]:
    """The line in parts of at most 75 octets, never cut within a character."""
    part, length = "", 0
    for character in line:
        size = len(character.encode())
        if length + size > OCTETS:
            yield part
            part, length = " ", 1
        part, length = part + character, length + size
    yield part


def _event(entry: Entry) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(entry.uid)}"
    yield f"DTSTAMP:{_utc(entry.stamp)}"
    if entry.recurrence is not None:
        yield moment("RECURRENCE-ID", entry.recurrence, entry.zone)
    yield moment("DTSTART", entry.start, entry.zone)
    yield moment("DTEND", entry.end, entry.zone)
    if entry.rule is not None:
        yield f"RRULE:{_matching(_RULE, entry.rule)}"
    yield from (moment("EXDATE", at, entry.zone) for at in entry.left_out)
    yield from (moment("RDATE", at, entry.zone) for at in entry.added)
    yield f"SEQUENCE:{entry.sequence}"
    yield f"STATUS:{entry.status}"
    yield f"SUMMARY:{_text(entry.summary)}"
    if entry.organiser is not None:
        yield f"ORGANIZER;CN={_quoted(entry.organiser.name)}:{mailto(entry.organiser.address)}"
    yield from map(_attendee, entry.attendees)
    yield from _place(entry)
    # Colleagues with whom a calendar is shared learn that somebody is busy, and not with whom.
    yield "CLASS:PRIVATE"
    free = entry.status == "CANCELLED"
    yield f"TRANSP:{'TRANSPARENT' if free else 'OPAQUE'}"
    if entry.organiser is not None:
        yield "X-MICROSOFT-DISALLOW-COUNTER:TRUE"
    yield "END:VEVENT"


def _place(entry: Entry) -> Iterator[str]:
    """The link as CONFERENCE, and where clients that do not know it look."""
    link = quote(entry.link, safe=":/?#[]@!$&'()*+,;=%-._~")
    told = f"{entry.description}\n\nJoin: {link}" if entry.description else f"Join: {link}"
    yield f"DESCRIPTION:{_text(told)}"
    yield f"LOCATION:{_text(link)}"
    yield f"URL:{link}"
    yield f"CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL={_quoted(LABEL)}:{link}"


def _attendee(one: Attendee) -> str:
    answer = "TRUE" if one.rsvp else "FALSE"
    kind = f"CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT={one.status};RSVP={answer}"
    return f"ATTENDEE;{kind};CN={_quoted(one.name)}:{mailto(one.address)}"


def mailto(address: str) -> str:
    """A mail address as a calendar user address (RFC 6068)."""
    return "mailto:" + quote(address, safe="!$&'*+-/=_~.@")


def _text(value: str) -> str:
    """A TEXT value."""
    value = _UNSEEN.sub(" ", _ENDS.sub("\n", value))
    return (
        value.replace("\\", "\\\\")
        .replace(";", "\\;")
        .replace(",", "\\,")
        .replace("\n", "\\n")
        .replace("\t", " ")
    )


def _quoted(value: str) -> str:
    """A parameter's value. A quote cannot stand in it at all; carets begin the escapes of RFC 6868."""
    value = _UNSEEN.sub(" ", _ENDS.sub(" ", value)).replace("\t", " ")
    return '"' + value.replace("^", "^^").replace('"', "'") + '"'


def _matching(shape: re.Pattern[str], value: str) -> str:
    if not shape.fullmatch(value):
        raise ValueError(f"cannot be written in a calendar: {value!r}")
    return value


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _wall(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%S")


def moment(name: str, at: datetime, zone: str | None) -> str:
    """A property that is a moment: in UTC, or in wall time where the zone's clocks show it only once.

    Of an hour that comes twice, wall time means the first (RFC 5545, 3.3.5); the second is said in UTC.
    """
    if zone is None:
        if at.tzinfo is None:
            raise ValueError("a time without an offset needs a zone")
        return f"{name}:{_utc(at)}"
    if at.tzinfo is not None:
        at = at.astimezone(ZoneInfo(zone))
        if at.fold:
            return f"{name}:{_utc(at)}"
    return f"{name};TZID={_matching(_ZONE, zone)}:{_wall(at)}"


def zone_lines(name: str, entries: Sequence[Entry]) -> Iterator[str]:
    """VTIMEZONE with every change of the clocks from a year before these begin until long after."""
    zone = ZoneInfo(_matching(_ZONE, name))
    times = [_aware(at, zone) for entry in entries for at in (entry.start, entry.end)]
    times += [_aware(at, zone) for entry in entries for at in (*entry.added, *entry.left_out)]
    repeats = any(entry.rule for entry in entries)
    first = min(times) - _BEYOND
    last = max(times) + (_MOST_AHEAD if repeats else _BEYOND)
    yield "BEGIN:VTIMEZONE"
    yield f"TZID:{name}"
    before = first.astimezone(zone)
    yield from _observance(before, before)
    for after in _changes(zone, first, last):
        yield from _observance((after - timedelta(seconds=1)).astimezone(zone), after.astimezone(zone))
    yield "END:VTIMEZONE"


def _aware(at: datetime, zone: ZoneInfo) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _changes(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """The instants from which on the clocks of a zone show something else."""
    step, at = timedelta(days=1), first
    while at < last:
        low, high = at, at + step
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                middle = middle.replace(microsecond=0)
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            yield high
        at += step


def _observance(before: datetime, after: datetime) -> Iterator[str]:
    """What holds from `after` on; its beginning is said by the clock that was right until then."""
    kind = "DAYLIGHT" if after.dst() else "STANDARD"
    offset = before.utcoffset() or timedelta()
    yield f"BEGIN:{kind}"
    yield f"DTSTART:{_wall(after.astimezone(UTC) + offset)}"
    yield f"TZOFFSETFROM:{_offset(offset)}"
    yield f"TZOFFSETTO:{_offset(after.utcoffset() or timedelta())}"
    yield f"TZNAME:{_text(after.tzname() or 'UTC')}"
    yield f"END:{kind}"


def _offset(offset: timedelta) -> str:
    seconds = round(abs(offset).total_seconds())
    sign = "-" if offset < timedelta() else "+"
    hours, rest = divmod(seconds, 3600)
    text = f"{sign}{hours:02}{rest // 60:02}"
    return text + (f"{rest % 60:02}" if rest % 60 else "")
