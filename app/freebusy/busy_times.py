"""From the text of a calendar to the times it takes. Pure.

Recurrences are worked out here, at import: whoever asks for slots only reads intervals. Each series is worked
out by itself, so that one that cannot be read, or takes for ever, does not lose the others.
"""

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar, Event, Timezone, vDDDTypes

MOST_TIMES: Final = 20_000
"""So many busy times are kept of one calendar, and so many occurrences of one series looked at."""
WINDOW_BEFORE: Final = timedelta(days=1)
WINDOW_AFTER: Final = timedelta(days=400)
"""Nobody books in the past, but a day that has begun counts. A year ahead people book, and a month more is
for a calendar that cannot be read for a while."""
MOST_STEPS: Final = 500_000
"""So many times a rule may strike from its beginning to the end of the window: each hour since 1970."""
_A_DAY: Final = timedelta(days=1)
_STEPS: Final = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600}
"""Rules that strike more often than daily, with their seconds."""
_NEEDED: Final = {"DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID"}
"""What an event is not understood without."""


_Event = Any
"""An event as the library reads it: what is in it has as many types as there are properties."""


class Interval(NamedTuple):
    """Half open, in UTC."""

    start: datetime
    end: datetime


class TooLong(Exception):
    """A series takes more time than it may; raised by whoever measures it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose calendar it is: times without a zone are theirs, and what they declined leaves them free."""

    zone: str
    emails: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a calendar says of its owner's time."""

    busy: Sequence[Interval]
    """Disjoint, in order."""
    events: int = 0
    skipped: int = 0
    """Events that could not be read."""
    cut_at: datetime | None = None
    """There were too many: nothing is known from here on."""


Measured = Callable[[], AbstractContextManager[None]]


def busy_times(texts: Iterable[str], owner: Owner, window: Interval, within: Measured = nullcontext) -> Found:
    """What these calendars take of a window of time. `within` measures the time that one series may take."""
    reader = _Reader(owner, window, within)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about zones whose names are guessed
        for text in texts:
            reader.read(text)
    busy, cut_at = reader.tally.result()
    return Found(busy, reader.events, reader.skipped, cut_at)


def merged(times: Iterable[Interval]) -> list[Interval]:
    """The same times as disjoint intervals in order; those that touch become one."""
    found: list[Interval] = []
    for one in sorted(times):
        if found and one.start <= found[-1].end:
            if one.end > found[-1].end:
                found[-1] = Interval(found[-1].start, one.end)
        else:
            found.append(one)
    return found


@dataclass(slots=True)
class _Tally:
    """Times that were found, never many more than are kept."""

    window: Interval
    times: list[Interval] = field(default_factory=list)
    cut_at: datetime | None = None

    def add(self, start: datetime, end: datetime) -> None:
        start, end = max(start, self.window.start), min(end, self.cut_at or self.window.end)
        if start < end:
            self.times.append(Interval(start, end))
            if len(self.times) >= 4 * MOST_TIMES:
                self._compact()

    def _compact(self) -> None:
        self.times = merged(self.times)
        if len(self.times) > MOST_TIMES:
            self.cut_at = self.times[MOST_TIMES].start
            del self.times[MOST_TIMES:]

    def result(self) -> tuple[list[Interval], datetime | None]:
        self._compact()
        return self.times, self.cut_at


@dataclass(slots=True)
class _Reader:
    owner: Owner
    window: Interval
    within: Measured
    zone: ZoneInfo = field(init=False)
    emails: frozenset[str] = field(init=False)
    tally: _Tally = field(init=False)
    zones_read: set[str] = field(default_factory=set)
    events: int = 0
    skipped: int = 0

    def __post_init__(self) -> None:
        self.zone = ZoneInfo(self.owner.zone)
        self.emails = frozenset(email.lower() for email in self.owner.emails)
        self.tally = _Tally(self.window)

    def read(self, text: str) -> None:
        """One calendar."""
        parts = _parts(text)
        zone = _calendar_zone(parts.zone_name)
        for block in parts.zones:
            if block not in self.zones_read:  # servers repeat them with every event
                self.zones_read.add(block)
                # Kept by the library under its name, for the events that name it.
                _ignoring(partial(Timezone.from_ical, block))
        groups: dict[str, list[_Event]] = {}
        for number, block in enumerate(parts.events):
            self.events += 1
            event = self._event(block)
            if event is not None:
                groups.setdefault(str(event.get("UID", f"\0{number}")), []).append(event)
        self.skipped += parts.unfinished
        for group in groups.values():
            for series in _one_main_each(group):
                self._series(series, zone)
        for block in parts.free_busy:
            self.events += 1
            if not _ignoring(partial(self._free_busy, block)):
                self.skipped += 1

    def _event(self, block: str) -> _Event | None:
        """An event that makes sense by itself."""
        for text in (block, _mended(block)):
            try:
                event = Event.from_ical(text)
                if self._makes_sense(event):
                    return event
            except Exception:  # the library raises whatever the text leads it to
                continue
        self.skipped += 1
        return None

    def _makes_sense(self, event: _Event) -> bool:
        if "DTSTART" not in event or {name.upper() for name, _ in event.errors if name} & _NEEDED:
            return False
        start, end = _span(event)
        return self._instant(start, None) <= self._instant(end, None)

    def _series(self, events: list[_Event], zone: tzinfo | None) -> None:
        """All that belongs to one event."""
        try:
            if all(self._is_free(event) for event in events):
                return
            with self.within():
                times = list(self._times(events, zone))
        except Exception as error:
            if len(events) == 1 or isinstance(error, TooLong):
                self.skipped += len(events)
                return
            # They do not fit together: rather too much time taken than too little.
            for event in events:
                self._series([event], zone)
            return
        for start, end in times:
            self.tally.add(start, end)

    def _times(self, events: list[_Event], zone: tzinfo | None) -> Iterator[Interval]:
        only = events[0] if len(events) == 1 else None
        if only is not None and not {"RRULE", "RDATE"} & only.keys():
            start, end = _span(only)
            yield Interval(self._instant(start, zone), self._instant(end, zone))
            return
        if any(
            self._steps(event, rule) > MOST_STEPS for event in events for rule in _listed(event.get("RRULE"))
        ):
            raise TooLong
        calendar = Calendar()
        if zone is not None:
            calendar.add("X-WR-TIMEZONE", str(zone))
        calendar.subcomponents = list(events)
        # A day more on either side: what has no zone is looked for as if it were in UTC.
        start, end = self.window.start - _A_DAY, self.window.end + _A_DAY
        seen = 0
        for series in recurring_ical_events.of(calendar).series:
            for occurrence in series.between(start, end):
                seen += 1
                if seen > MOST_TIMES:
                    raise TooLong
                if not self._is_free(only or occurrence.as_component(keep_recurrence_attributes=False)):
                    yield Interval(self._instant(occurrence.start, zone), self._instant(occurrence.end, zone))

    def _steps(self, event: _Event, rule: _Event) -> float:
        """About how often a rule strikes until the window ends, whether it then matches or not."""
        seconds = _STEPS.get(str(rule.get("FREQ", [""])[0]).upper(), 86400) * max(
            1, rule.get("INTERVAL", [1])[0]
        )
        times = self.window.end - self._instant(event["DTSTART"].dt, None)
        strikes = times.total_seconds() / seconds
        for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
            strikes *= max(1, len(rule.get(name, ())))
        return strikes

    def _is_free(self, event: _Event) -> bool:
        """Whether it leaves its owner free."""
        if _word(event, "TRANSP") == "TRANSPARENT" or _word(event, "STATUS") == "CANCELLED":
            return True
        if _word(event, "X-MICROSOFT-CDO-BUSYSTATUS") == "FREE":
            return True
        return any(
            _email(guest) in self.emails and str(guest.params.get("PARTSTAT", "")).upper() == "DECLINED"
            for guest in _listed(event.get("ATTENDEE"))
            if hasattr(guest, "params")
        )

    def _instant(self, value: date, zone: tzinfo | None) -> datetime:
        """A whole day begins at its owner's midnight; a time without a zone is the calendar's, or theirs."""
        if not isinstance(value, datetime):
            value = datetime.combine(value, time.min, self.zone)
        elif value.tzinfo is None:
            value = value.replace(tzinfo=zone or self.zone)
        return value.astimezone(UTC)

    def _free_busy(self, block: str) -> None:
        """What a server says of somebody's time without saying what it is."""
        for line in _unfolded(block):
            name, _, value = line.partition(":")
            name, _, parameters = name.partition(";")
            if name.strip().upper() == "FREEBUSY" and "FBTYPE=FREE" not in parameters.upper().split(";"):
                for period in value.split(","):
                    start, end = map(_read_time, period.strip().split("/"))
                    end = start + end if isinstance(end, timedelta) else end
                    self.tally.add(self._instant(start, None), self._instant(end, None))


def _read_time(value: str) -> Any:
    """A moment or a length of time."""
    read: Callable[[str], Any] = vDDDTypes.from_ical
    return read(value)


def _span(event: _Event) -> tuple[date, date]:
    """Start and end of an event by itself; without an end it takes a day, or no time (RFC 5545, 3.6.1)."""
    start: date = event["DTSTART"].dt
    if "DTEND" in event:
        end: date = event["DTEND"].dt
        if end == start and not isinstance(start, datetime):
            return start, start + _A_DAY  # many write whole days so
        return start, end
    if "DURATION" in event:
        length: timedelta = event["DURATION"].dt
        if not isinstance(start, datetime) and length.seconds:
            return start, datetime.combine(start, time.min) + length
        return start, start + length
    return start, start if isinstance(start, datetime) else start + _A_DAY


def _one_main_each(events: list[_Event]) -> Iterator[list[_Event]]:
    """An event with its exceptions. Where one UID is in all events, those beside the first are themselves."""
    mains = [event for event in events if "RECURRENCE-ID" not in event]
    newest = max((_sequence(event) for event in mains), default=0)
    mains = [event for event in mains if _sequence(event) == newest]
    exceptions = [event for event in events if "RECURRENCE-ID" in event]
    yield [*mains[:1], *exceptions]
    for event in mains[1:]:
        yield [event]


def _sequence(event: _Event) -> int:
    value = event.get("SEQUENCE", 0)
    return int(value) if isinstance(value, int) else 0


def _word(event: _Event, name: str) -> str:
    value = _listed(event.get(name))
    return str(value[0]).strip().upper() if value else ""


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _email(guest: Any) -> str:
    return str(guest).strip().lower().removeprefix("mailto:")


def _ignoring(run: Callable[[], object]) -> bool:
    """Whether it went well."""
    try:
        run()
    except Exception:
        return False
    return True


def _calendar_zone(name: str | None) -> tzinfo | None:
    """The zone that a calendar says it is in, if we know it."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


@dataclass(slots=True)
class _Parts:
    """A calendar's text in pieces, each of which can be read, or not, by itself."""

    zones: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    free_busy: list[str] = field(default_factory=list)
    zone_name: str | None = None
    unfinished: int = 0


_LINE_ENDS: Final = re.compile(r"\r\n|\n|\r")


def _parts(text: str) -> _Parts:
    """Take a calendar apart without understanding more of it than BEGIN and END."""
    parts = _Parts()
    kinds = {"VTIMEZONE": parts.zones, "VEVENT": parts.events, "VFREEBUSY": parts.free_busy}
    kind, lines = "", list[str]()
    for line in _LINE_ENDS.split(text):
        bare = line.rstrip().upper() if len(line) < 80 else ""
        if not kind:
            begun = bare.removeprefix("BEGIN:")
            if bare.startswith("BEGIN:") and begun in kinds:
                kind, lines = begun, [line]
            elif bare.startswith("X-WR-TIMEZONE:"):
                parts.zone_name = line.partition(":")[2].strip()
        elif bare == f"BEGIN:{kind}":
            # The one before has no end; this may have one.
            parts.unfinished += 1
            lines = [line]
        elif bare == f"END:{kind}":
            kinds[kind].append("\r\n".join([*lines, line, ""]))
            kind, lines = "", []
        else:
            lines.append(line)
    parts.unfinished += bool(kind)
    return parts


def _mended(block: str) -> str:
    """Without the spaces that some put between the days of a rule."""
    lines = (line.replace(" ", "") if line[:6].upper() == "RRULE:" else line for line in _unfolded(block))
    return "\r\n".join(lines)


def _unfolded(block: str) -> list[str]:
    return re.sub(r"\r\n[ \t]", "", block).split("\r\n")
