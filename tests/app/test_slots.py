"""Slots: an oracle that walks through every minute agrees, and the arithmetic keeps its laws."""

import os
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.availability import hours, intervals
from app.availability.hours import Hours, Segment, day_number
from app.availability.intervals import Span
from app.scheduling import slots
from app.scheduling.slots import FOR_EVER, Diary, Suited, Terms
from tests.app import slot_oracle
from tests.app.slot_oracle import TRANSITIONS, Case, Who

FULL: Final = os.environ.get("MENTORSPAN_FULL") == "1"
CASES: Final = 20_000 if FULL else 1_500


def diary(who: Who) -> Diary:
    """What the oracle knows in minutes, in seconds."""

    def seconds(spans: Any) -> tuple[Span, ...]:
        return tuple((start * 60, end * 60) for start, end in spans)

    return Diary(
        hours=Hours(
            zone=who.zone,
            week=tuple(seconds(day) for day in who.week),
            overrides={day_number(day): seconds(spans) for day, spans in who.overrides.items()},
        ),
        terms=Terms(
            before=who.before * 60,
            after=who.after * 60,
            notice=who.notice * 60,
            horizon=who.horizon * 60,
            most_per_day=who.per_day,
            most_per_week=who.per_week,
        ),
        holidays=frozenset(day_number(day) for day in who.holidays),
        absences=seconds(who.absences),
        busy=seconds(
            [
                *((start - before, end + after) for start, end, before, after in who.bookings),
                *who.elsewhere,
            ]
        ),
        meetings=[start * 60 for start, *_ in who.bookings],
    )


def ours(case: Case) -> dict[int, int]:
    """The same answer as the oracle's, by the code that is tested."""
    start, end, now, length = case.start * 60, case.end * 60, case.now * 60, case.length * 60
    each = [slots.starts(diary(who), length, start, end, now) for who in case.people]
    found = {
        at // 60: many for at, many in slots.on_the_grid(slots.for_many(each, 1), case.viewer, case.step * 60)
    }
    together = slots.for_all(each)
    suits_all = [at for at, many in found.items() if many == len(each)]
    whole = [Suited(*span, len(each)) for span in together]
    assert [at // 60 for at, _ in slots.on_the_grid(whole, case.viewer, case.step * 60)] == suits_all
    return found


def differing(many: int, seed: int = 20261129) -> list[Case]:
    """The cases in which the two disagree."""
    return [case for case in slot_oracle.cases(seed, many) if ours(case) != slot_oracle.answer(case)]


def test_an_oracle_of_minutes_agrees_around_every_transition() -> None:
    assert differing(CASES) == []


def test_the_oracles_questions_are_not_idle() -> None:
    """Many have answers, and in each zone; many stand across the moment of a change."""
    answered = dict.fromkeys(TRANSITIONS, 0)
    across = dict.fromkeys(TRANSITIONS, 0)
    for case in slot_oracle.cases(1, 300):
        zone = case.people[0].zone
        answered[zone] += bool(slot_oracle.answer(case))
        across[zone] += len(hours.segments(zone, case.start * 60, case.end * 60)) > 1
    assert min(answered.values()) > 15
    assert all(across[zone] > 5 for zone in TRANSITIONS)


def _without_changes(zone: str, start: int, end: int) -> list[Segment]:
    return [Segment(start, end, hours._offset(ZoneInfo(zone), start))]


def _a_minute_late(zone: str, start: int, end: int) -> list[Segment]:
    found = _honest_segments(zone, start, end)
    moved = [segment.start + (60 if place else 0) for place, segment in enumerate(found)]
    return [
        Segment(at, until, segment.offset)
        for at, until, segment in zip(moved, [*moved[1:], end], found, strict=True)
        if at < until
    ]


_honest_segments = hours.segments


@pytest.mark.parametrize("fault", [_without_changes, _a_minute_late])
def test_the_oracle_finds_clocks_that_are_changed_at_the_wrong_moment(
    monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    monkeypatch.setattr(hours, "segments", fault)
    monkeypatch.setattr(slots, "segments", fault)
    assert differing(300) != []


def _later(spans: list[Span]) -> list[Span]:
    return [(start + 240, end) for start, end in spans]


PLANTED: Final = {
    "weeks that begin on Sundays": (slots, "week_number", lambda day: (day + 4) // 7),
    "quiet that is half as long": (
        slots, "subtraction", lambda left, right: intervals.subtraction(left, _later(right)),
    ),
    "days of UTC": (slots, "day_at", lambda zone, at: at // 86400),
    "a hole closed by a second": (
        slots, "union", lambda spans: intervals.union((start, end - 1) for start, end in spans),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_the_oracle_finds_a_planted_fault(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module, attribute, fault = PLANTED[name]
    monkeypatch.setattr(module, attribute, fault)
    assert differing(600) != []


@pytest.mark.parametrize(
    ("zones", "first", "last"),
    [
        (["Europe/London", "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Apia"], 2010, 2030),
        pytest.param(sorted(available_timezones()), 2023, 2029, marks=pytest.mark.long, id="all zones"),
    ],
)
def test_changes_are_found_where_an_hourly_look_finds_them(zones: list[str], first: int, last: int) -> None:
    for zone in {*zones} - {"localtime", "Factory"}:
        found = hours.segments(zone, *_years(first, last))
        assert [one.offset for one in found] == _seen_hourly(zone, *_years(first, last)), zone


def _years(first: int, last: int) -> tuple[int, int]:
    return day_number(date(first, 1, 1)) * 86400, day_number(date(last, 1, 1)) * 86400


def _seen_hourly(zone: str, start: int, end: int) -> list[int]:
    """The offsets that an hourly look at the clock sees one after the other."""
    clock = ZoneInfo(zone)
    found: list[int] = []
    for at in range(start, end, 3600):
        offset = datetime.fromtimestamp(at, clock).utcoffset()
        assert offset is not None
        if not found or found[-1] != offset.total_seconds():
            found.append(int(offset.total_seconds()))
    return found


# The arithmetic


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


def covered(found: Any) -> set[int]:
    return {second for start, end in found for second in range(start, end)}


def in_order_and_apart(found: list[Span]) -> bool:
    return all(start < end for start, end in found) and all(
        left[1] < right[0] for left, right in pairwise(found)
    )


@given(spans, spans)
def test_arithmetic_is_that_of_sets_of_seconds(left: list[Span], right: list[Span]) -> None:
    one, two = intervals.union(left), intervals.union(right)
    assert covered(one) == covered(left)
    assert in_order_and_apart(one)
    both, rest = intervals.intersection(one, two), intervals.subtraction(one, two)
    assert covered(both) == covered(left) & covered(right)
    assert covered(rest) == covered(left) - covered(right)
    assert in_order_and_apart(both)
    assert in_order_and_apart(rest)


@given(st.lists(spans, max_size=5), st.integers(1, 5), spans)
def test_how_many_a_time_suits_is_counted(each: list[list[Span]], least: int, where: list[Span]) -> None:
    diaries = [intervals.union(one) for one in each]
    found = slots.for_many(diaries, least)
    counted = {at: many for start, end, many in found for at in range(start, end)}
    expected = {at: sum(at in covered(one) for one in diaries) for at in range(60)}
    assert counted == {at: many for at, many in expected.items() if many >= least}
    within = slots.only_within(found, intervals.union(where))
    assert {at for start, end, _ in within for at in range(start, end)} == counted.keys() & covered(where)


def test_nobody_is_there_for_ever() -> None:
    assert slots.for_all([]) == []
    whole = Hours("UTC", week=(((0, 86400),),) * 7)
    away = Diary(whole, absences=[(0, FOR_EVER)])
    assert slots.starts(away, 900, 0, 86400 * 35, 0) == []
    assert slots.starts(Diary(whole), 900, 0, 86400 * 35, 0) == [(0, 86400 * 35)]
