"""When reminders are due, against an oracle that knows only what the clock on the wall shows each minute."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.notifications import due
from app.notifications.due import Quiet

EXAMPLES: Final = 5000 if os.environ.get("MENTORSPAN_FULL") else 300
MINUTE: Final = timedelta(minutes=1)
NIGHT: Final = Quiet(time(22), time(7))
TURNS: Final = {
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Europe/London": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "Asia/Kathmandu": ("1985-12-31T18:30",),
    "Pacific/Apia": ("2011-12-30T10:00", "2012-03-31T14:00"),
    "Africa/Casablanca": ("2026-02-15T02:00", "2026-03-22T02:00"),
    "Africa/Cairo": ("2026-04-23T22:00", "2026-10-29T21:00"),
    "America/Asuncion": ("2023-10-01T04:00",),
}
"""Zones, and instants near which their clocks jump."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@st.composite
def moments(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A whole minute within two days of a jump of a zone's clocks."""
    zone = draw(st.sampled_from(sorted(TURNS)))
    turn = at(draw(st.sampled_from(TURNS[zone])))
    return ZoneInfo(zone), turn + draw(st.integers(-2880, 2880)) * MINUTE


minutes = st.integers(0, 1439).map(lambda number: time(number // 60, number % 60))
quiets = st.tuples(minutes, minutes).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Quiet(*pair))


# The oracle


def wall_is_quiet(moment: datetime, zone: ZoneInfo, quiet: Quiet) -> bool:
    shown = moment.astimezone(zone)
    clock, start, end = ((each.hour, each.minute) for each in (shown, quiet.start, quiet.end))
    if start < end:
        return start <= clock and clock < end
    return not (end <= clock and clock < start)


def slow_start(moment: datetime, zone: ZoneInfo, quiet: Quiet) -> datetime:
    while wall_is_quiet(moment - MINUTE, zone, quiet):
        moment -= MINUTE
    return moment


def slow_due(starts_at: datetime, lead: int, zone: ZoneInfo, quiet: Quiet | None) -> datetime:
    moment = starts_at - lead * MINUTE
    if quiet is None or lead <= 30 or not wall_is_quiet(moment, zone, quiet):
        return moment
    return slow_start(moment, zone, quiet)


def slow_agenda(day: date, zone: ZoneInfo, quiet: Quiet | None) -> datetime:
    moment = datetime.combine(day, time(), UTC) + timedelta(days=1)
    while moment.astimezone(zone).date() >= day or moment.astimezone(zone).strftime("%H:%M") != "17:00":
        moment -= MINUTE
    return slow_start(moment, zone, quiet) if quiet and wall_is_quiet(moment, zone, quiet) else moment


@settings(max_examples=EXAMPLES)
@given(moments(), st.integers(5, 2880), st.none() | quiets)
@example((ZoneInfo("America/New_York"), at("2026-11-01T05:30")), 60, Quiet(time(1, 30), time(1)))
@example((ZoneInfo("Europe/London"), at("2026-03-29T02:30")), 45, Quiet(time(1, 30), time(9)))
@example((ZoneInfo("Pacific/Apia"), at("2011-12-30T12:00")), 60, NIGHT)
def test_a_reminder_is_due_when_the_oracle_says(
    moment: tuple[ZoneInfo, datetime], lead: int, quiet: Quiet | None
) -> None:
    zone, starts_at = moment
    found = due.due_at(starts_at, timedelta(minutes=lead), zone, quiet)
    assert found == slow_due(starts_at, lead, zone, quiet)
    assert found <= starts_at - lead * MINUTE


@settings(max_examples=max(50, EXAMPLES // 10))
@given(moments(), st.none() | quiets)
@example((ZoneInfo("Pacific/Apia"), at("2011-12-30T10:30")), None)
def test_an_agenda_is_due_when_the_oracle_says(
    moment: tuple[ZoneInfo, datetime], quiet: Quiet | None
) -> None:
    zone, about = moment
    day = about.astimezone(zone).date()
    assert due.agenda_at(day, zone, quiet) == slow_agenda(day, zone, quiet)


@settings(max_examples=max(50, EXAMPLES // 10))
@given(moments(), quiets)
def test_quiet_ends_when_the_oracle_says(moment: tuple[ZoneInfo, datetime], quiet: Quiet) -> None:
    zone, start = moment
    found = due.loud_again(start, zone, quiet)
    assert not wall_is_quiet(found, zone, quiet)
    while start < found:
        assert wall_is_quiet(start, zone, quiet)
        start += MINUTE


@given(moments(), st.lists(st.integers(5, 2880), max_size=5, unique=True), st.none() | quiets)
def test_no_two_leads_are_due_at_once_and_none_is_lost_otherwise(
    moment: tuple[ZoneInfo, datetime], leads: list[int], quiet: Quiet | None
) -> None:
    zone, starts_at = moment
    found = due.leads_due(starts_at, leads, zone, quiet)
    assert len(set(found.values())) == len(found)
    by_time: dict[datetime, set[int]] = {}
    for lead in leads:
        by_time.setdefault(slow_due(starts_at, lead, zone, quiet), set()).add(lead)
    assert found == {min(same): when for when, same in by_time.items()}


def _forgets_the_turn(moment: datetime, zone: ZoneInfo, quiet: Quiet) -> datetime:
    """The mistake that is made: the day has 24 hours."""
    shown = moment.astimezone(zone)
    passed = timedelta(hours=shown.hour - quiet.start.hour, minutes=shown.minute - quiet.start.minute)
    return moment - passed % timedelta(days=1)


def _in_wall_time(moment: datetime, zone: ZoneInfo, quiet: Quiet) -> datetime:
    """The other one: the wall's arithmetic, and the first of two hours of the same name."""
    shown = moment.astimezone(zone)
    start = shown.replace(hour=quiet.start.hour, minute=quiet.start.minute, second=0, fold=0)
    return (start if start <= shown else start - timedelta(days=1)).astimezone(UTC)


@pytest.mark.parametrize("mistake", [_forgets_the_turn, _in_wall_time])
def test_the_oracle_finds_a_mistake(
    monkeypatch: pytest.MonkeyPatch, mistake: Callable[[datetime, ZoneInfo, Quiet], datetime]
) -> None:
    monkeypatch.setattr(due, "quiet_since", mistake)
    with pytest.raises(AssertionError):
        test_a_reminder_is_due_when_the_oracle_says()


@pytest.mark.parametrize(
    ("starts", "lead", "expected"),
    [
        ("2026-11-24T18:00", 60, "2026-11-24T17:00"),
        ("2026-11-24T07:30", 60, "2026-11-23T22:00"),
        ("2026-11-24T07:30", 30, "2026-11-24T07:00"),
        ("2026-11-24T07:05", 10, "2026-11-24T06:55"),
        ("2026-11-24T02:00", 30, "2026-11-24T01:30"),
        ("2026-11-24T02:00", 31, "2026-11-23T22:00"),
        ("2026-03-29T06:30", 60, "2026-03-28T22:00"),
        ("2026-10-25T07:30", 60, "2026-10-24T21:00"),
    ],
)
def test_what_the_documentation_says_of_quiet_hours(starts: str, lead: int, expected: str) -> None:
    """In London, quiet from 22:00 to 07:00; in the last two nights the clocks change."""
    found = due.due_at(at(starts), timedelta(minutes=lead), ZoneInfo("Europe/London"), NIGHT)
    assert found == at(expected)


def test_an_agenda_comes_at_five_in_the_afternoon_of_the_day_before() -> None:
    for zone, expected in (
        ("Asia/Kathmandu", "2026-11-23T11:15"),
        ("America/New_York", "2026-11-23T22:00"),
    ):
        assert due.agenda_at(date(2026, 11, 24), ZoneInfo(zone), NIGHT) == at(expected)
    apia = due.agenda_at(date(2011, 12, 31), ZoneInfo("Pacific/Apia"), None)
    assert apia == at("2011-12-30T03:00"), "there was no 30 December; it is five o'clock of the 29th"
