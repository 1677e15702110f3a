"""Recurrence rules: what is taken, and that it means what libical, RFC 5545 and dateutil say."""

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.series import recurrence
from app.series.recurrence import Recurrence, days, occurrence, wall_time, zone_named
from app.series.rules import WEEKDAYS, Frequency, Refused, parse
from tests.world import World

ROOT: Final = Path(__file__).resolve().parents[2]
SHARED: Final = Path(os.environ.get("MENTORSPAN_SHARED_DATA", ROOT.parent / "shared" / "data"))
LIBICAL: Final = SHARED / "icalrecur.txt"
FULL: Final = os.environ.get("MENTORSPAN_FULL") == "1"
NEW_YORK: Final = "America/New_York"
UTC_ZONE: Final = ZoneInfo("UTC")
Block = dict[str, str]


def times(
    rule: str,
    dtstart: str,
    zone: str = NEW_YORK,
    *exdates: str,
    limit: int = 200,
    since: datetime | None = None,
) -> list[str]:
    """The first times of a rule, as text without what never changes."""
    found = Recurrence.of(rule, dtstart, zone, exdates).occurrences(since)
    return [each.local.isoformat() for each in islice(found, limit)]


# (a) libical's vectors


def blocks(text: str) -> Iterator[Block]:
    for paragraph in text.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if ":" in line and not line.startswith("#")]
        block = dict(line.split(":", 1) for line in lines)
        if "RRULE" in block:
            yield block


def libical_time(text: str) -> datetime:
    text = text.removesuffix("Z")
    return datetime.strptime(text if "T" in text else f"{text}T000000", "%Y%m%dT%H%M%S")  # noqa: DTZ007


def is_inside(rule: str) -> bool:
    """Whether the issue promises this rule; said apart from the parser."""
    parts = dict(part.split("=") for part in rule.rstrip(";").split(";"))
    inside = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYSETPOS", "WKST"}
    return parts["FREQ"] in ("DAILY", "WEEKLY", "MONTHLY") and set(parts) <= inside


def disagreement(block: Block) -> str:
    """How we differ from libical in a block; empty when we do not."""
    recurs = Recurrence(parse(block["RRULE"]), libical_time(block["DTSTART"]), UTC_ZONE)
    wanted = [libical_time(each) for each in block["INSTANCES"].split(",")]
    found = [each.local for each in islice(recurs.occurrences(), len(wanted) + 1)]
    since = libical_time(block.get("START-AT", block["DTSTART"]))
    later = [each.local for each in recurs.occurrences(since.replace(tzinfo=UTC))]
    is_same = found == wanted and later == [each for each in wanted if each >= since]
    return "" if is_same else f"{block['RRULE']}: {found} and {later}, not {wanted}"


def test_every_vector_of_libical_expands_as_it_says_or_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    if not LIBICAL.exists():
        pytest.skip(f"libical's vectors are not at {LIBICAL}; MENTORSPAN_SHARED_DATA says where they are")
    found = list(blocks(LIBICAL.read_text()))
    inside = [block for block in found if is_inside(block["RRULE"])]
    assert [disagreement(block) for block in inside if disagreement(block)] == []
    for block in found:
        if block not in inside:
            with pytest.raises(Refused):
                parse(block["RRULE"])
    assert len(inside) >= 20
    with capsys.disabled():
        print(f"\nlibical: {len(inside)} of {len(inside)} rules inside the subset agree, "  # noqa: T201
              f"{len(found) - len(inside)} others are refused")  # fmt: skip


def test_a_vector_that_differs_is_noticed() -> None:
    right = {
        "RRULE": "FREQ=WEEKLY;BYDAY=SU,TH,TH;COUNT=3",
        "DTSTART": "20111120T100000Z",
        "INSTANCES": "20111120T100000Z,20111124T100000Z,20111127T100000Z",
    }
    assert disagreement(right) == ""
    assert disagreement({**right, "INSTANCES": "20111120T100000Z,20111124T100000Z"})
    assert disagreement({**right, "DTSTART": "20111121T100000Z"})
    assert disagreement({**right, "START-AT": "20111124T100000Z"}) == ""


# (b) the examples of RFC 5545, section 3.8.5.3, that lie inside the subset, written by hand

FIRST: Final = "1997-09-02T09:00:00"
RFC: Final = [
    ("FREQ=DAILY;COUNT=10", FIRST, "0902 0903 0904 0905 0906 0907 0908 0909 0910 0911"),
    ("FREQ=DAILY;INTERVAL=2", FIRST,
     "0902 0904 0906 0908 0910 0912 0914 0916 0918 0920 0922 0924 0926 0928 0930 1002 +"),
    ("FREQ=DAILY;INTERVAL=10;COUNT=5", FIRST, "0902 0912 0922 1002 1012"),
    ("FREQ=WEEKLY;COUNT=10", FIRST, "0902 0909 0916 0923 0930 1007 1014 1021 1028 1104"),
    ("FREQ=WEEKLY;UNTIL=19971224T000000Z", FIRST,
     "0902 0909 0916 0923 0930 1007 1014 1021 1028 1104 1111 1118 1125 1202 1209 1216 1223"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", FIRST,
     "0902 0916 0930 1014 1028 1111 1125 1209 1223 980106 980120 980203 +"),
    ("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", FIRST,
     "0902 0904 0909 0911 0916 0918 0923 0925 0930 1002"),
    ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", FIRST, "0902 0904 0909 0911 0916 0918 0923 0925 0930 1002"),
    ("FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "1997-09-01T09:00:00",
     "0901 0903 0905 0915 0917 0919 0929 1001 1003 1013 1015 1017 1027 1029 1031 1110 1112 1114 1124 1126 "
     "1128 1208 1210 1212 1222"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", FIRST, "0902 0904 0916 0918 0930 1002 1014 1016"),
    ("FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "1997-09-05T09:00:00",
     "0905 1003 1107 1205 980102 980206 980306 980403 980501 980605"),
    ("FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "1997-09-05T09:00:00", "0905 1003 1107 1205"),
    ("FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "1997-09-07T09:00:00",
     "0907 0928 1102 1130 980104 980125 980301 980329 980503 980531"),
    ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-22T09:00:00", "0922 1020 1117 1222 980119 980216"),
    ("FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28T09:00:00", "0928 1029 1128 1229 980129 980226 +"),
    ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", FIRST, "0902 0915 1002 1015 1102 1115 1202 1215 980102 980115"),
    ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "1997-09-30T09:00:00",
     "0930 1001 1031 1101 1130 1201 1231 980101 980131 980201"),
    ("FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "1997-09-10T09:00:00",
     "0910 0911 0912 0913 0914 0915 990310 990311 990312 990313"),
    ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", FIRST,
     "0902 0909 0916 0923 0930 1104 1111 1118 1125 980106 980113 980120 980127 980303 980310 980317 980324 "
     "980331 +"),
    ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997-09-13T09:00:00",
     "0913 1011 1108 1213 980110 980207 980307 980411 980509 980613 +"),
    ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04T09:00:00", "0904 1007 1106"),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29T09:00:00",
     "0929 1030 1127 1230 980129 980226 980330 +"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05T09:00:00", "0805 0810 0819 0824"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05T09:00:00", "0805 0817 0819 0831"),
    ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15T09:00:00", "070115 070130 070215 070315 070330"),
]  # fmt: skip


def _day(short: str) -> str:
    year, month, day = (short[:-4] or "97"), short[-4:-2], short[-2:]
    return f"{'19' if year > '50' else '20'}{year}-{month}-{day}T09:00:00"


@pytest.mark.parametrize(("rule", "dtstart", "wanted"), RFC, ids=lambda value: str(value)[:40])
def test_the_examples_of_the_rfc(rule: str, dtstart: str, wanted: str) -> None:
    days = wanted.split()
    goes_on = days[-1] == "+"
    expected = [_day(each) for each in days if each != "+"]
    found = times(rule, dtstart, limit=len(expected) + 1)
    assert found[: len(expected)] == expected
    assert (len(found) > len(expected)) is goes_on


def test_the_rfc_example_whose_first_time_is_left_out() -> None:
    """Friday the 13th: DTSTART does not fit, which the RFC leaves out by EXDATE and we in any case."""
    rule, wanted = "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", ["980213", "980313", "981113", "990813", "001013"]
    for exdates in ((), (FIRST,)):
        assert times(rule, FIRST, NEW_YORK, *exdates, limit=5) == [_day(each) for each in wanted]


def test_nine_o_clock_stays_nine_o_clock_in_the_rfc_example_across_the_change() -> None:
    found = list(Recurrence.of("FREQ=DAILY;UNTIL=19971224T000000Z", FIRST, NEW_YORK).occurrences())
    assert (len(found), str(found[-1].local)) == (113, "1997-12-23 09:00:00")
    assert {each.local.time().isoformat() for each in found} == {"09:00:00"}
    assert {each.instant.hour for each in found} == {13, 14}


# (c) python-dateutil, where it is right


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(list(Frequency)))
    parts = [f"FREQ={frequency}"]
    parts.append(f"INTERVAL={draw(st.integers(1, 30))}") if draw(st.booleans()) else None
    counted = frequency is Frequency.MONTHLY and draw(st.booleans())
    # Not both kinds in one list: dateutil then takes the days that are in both, the RFC those in either.
    ordinals = [*range(-5, 0), *range(1, 6)] if counted else [0]
    named = st.tuples(st.sampled_from(ordinals), st.sampled_from(WEEKDAYS))
    by_day = draw(st.lists(named, max_size=4))
    by_month_day = draw(st.lists(st.integers(-31, 31).filter(bool), max_size=5))
    if by_day:
        parts.append("BYDAY=" + ",".join(f"{nth or ''}{weekday}" for nth, weekday in by_day))
    if by_month_day and frequency is not Frequency.WEEKLY:
        parts.append(f"BYMONTHDAY={','.join(map(str, by_month_day))}")
    if parts[-1].startswith("BY") and frequency is Frequency.MONTHLY and draw(st.booleans()):
        places = draw(st.lists(st.integers(-6, 6).filter(bool), min_size=1, max_size=3))
        parts.append(f"BYSETPOS={','.join(map(str, places))}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 40))}")
    return ";".join(draw(st.permutations(parts)))


STARTS: Final = st.datetimes(wall_time("1996-01-01T00:00"), wall_time("2040-01-01T00:00")).map(
    lambda at: at.replace(microsecond=0)
)


@settings(max_examples=5_000 if FULL else 100)
@given(rules(), STARTS, st.integers(0, 1_600))
def test_it_agrees_with_dateutil(rule: str, dtstart: datetime, later: int) -> None:
    end = dtstart + timedelta(days=2_500)
    found_in = Recurrence(parse(rule), dtstart, UTC_ZONE)

    def ours(since: datetime | None = None) -> list[datetime]:
        found = takewhile(lambda at: at <= end, (each.local for each in found_in.occurrences(since)))
        return list(islice(found, 60))

    endless = re.sub("COUNT=[0-9]+;?", "", rule).rstrip(";")
    # Without an end, dateutil would look for what never comes until the year 9999.
    theirs = list(rrule.rrulestr(endless, dtstart=dtstart).replace(until=end))[: found_in.rule.count]
    assert ours() == theirs[:60]
    since = dtstart + timedelta(days=later)
    assert ours(since.replace(tzinfo=UTC)) == [at for at in theirs if at >= since][:60]


def test_where_dateutil_is_wrong_we_are_with_libical() -> None:
    rule, dtstart = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,3;COUNT=3", wall_time("2024-10-23T00:00")
    ours = [each.local.day for each in Recurrence(parse(rule), dtstart, UTC_ZONE).occurrences()]
    assert ours == [23, 28, 30]
    assert [each.day for each in rrule.rrulestr(rule, dtstart=dtstart)] != ours


# (d) when the clocks change


@pytest.mark.parametrize(
    ("zone", "dtstart", "wanted"),
    [
        (NEW_YORK, "2027-03-13T02:30:00", "13T02:30-0500 14T03:30-0400! 15T02:30-0400"),
        (NEW_YORK, "2027-11-06T01:30:00", "06T01:30-0400 07T01:30-0400 08T01:30-0500"),
        ("Europe/London", "2027-03-27T01:00:00", "27T01:00+0000 28T02:00+0100! 29T01:00+0100"),
        ("Europe/London", "2027-10-30T01:30:00", "30T01:30+0100 31T01:30+0100 01T01:30+0000"),
        ("Australia/Lord_Howe", "2027-10-02T02:15:00", "02T02:15+1030 03T02:45+1100! 04T02:15+1100"),
        ("Australia/Lord_Howe", "2027-04-03T01:45:00", "03T01:45+1100 04T01:45+1100 05T01:45+1030"),
        ("Pacific/Apia", "2011-12-28T09:00:00", "28T09:00-1000 29T09:00-1000 31T09:00+1400! 01T09:00+1400"),
        ("Africa/Casablanca", "2027-02-06T02:30:00", "06T02:30+0100 07T02:30+0100 08T02:30+0000"),
        ("Africa/Casablanca", "2027-03-13T02:30:00", "13T02:30+0000 14T03:30+0100! 15T02:30+0100"),
    ],
)
def test_days_on_which_the_clocks_change(zone: str, dtstart: str, wanted: str) -> None:
    found = Recurrence.of("FREQ=DAILY", dtstart, zone).occurrences()
    told = [
        f"{each.instant.astimezone(ZoneInfo(zone)):%dT%H:%M%z}{'!' if each.shifted else ''}"
        for each in islice(found, len(wanted.split()))
    ]
    assert told == wanted.split()


def test_a_day_that_a_zone_left_out_makes_no_second_meeting() -> None:
    assert times("FREQ=DAILY;COUNT=3", "2011-12-29T09:00:00", "Pacific/Apia") == [
        "2011-12-29T09:00:00",
        "2011-12-31T09:00:00",
    ]


def test_a_left_out_time_can_be_taken_away_by_either_of_its_names() -> None:
    for name in ("2027-03-14T02:30:00", "2027-03-14T03:30:00"):
        found = times("FREQ=DAILY;COUNT=3", "2027-03-13T02:30:00", NEW_YORK, name)
        assert [each[:10] for each in found] == ["2027-03-13", "2027-03-15"]


def test_until_is_an_instant_or_a_time_on_the_wall_or_a_whole_day() -> None:
    daily, dtstart = "FREQ=DAILY;UNTIL=", "2027-03-01T20:00:00"
    assert times(daily + "20270303T010000Z", dtstart)[-1] == "2027-03-02T20:00:00"
    assert times(daily + "20270303T005959Z", dtstart)[-1] == "2027-03-01T20:00:00"
    assert times(daily + "20270303T200000", dtstart)[-1] == "2027-03-03T20:00:00"
    assert times(daily + "20270303T195959", dtstart)[-1] == "2027-03-02T20:00:00"
    assert times(daily + "20270303", dtstart)[-1] == "2027-03-03T20:00:00"
    assert times(daily + "20270228", dtstart) == []


def test_times_can_be_added_and_are_never_double() -> None:
    at = wall_time("2027-03-01T09:00")
    more = (*(wall_time(f"2027-{day}:00") for day in ("03-02T08", "03-03T09", "04-01T09")), at)
    out = (wall_time("2027-03-02T09:00"),)
    found_in = Recurrence(parse("FREQ=DAILY;COUNT=3"), at, UTC_ZONE, out, more)
    found = [f"{each.local:%m-%dT%H}" for each in found_in.occurrences()]
    assert found == ["03-01T09", "03-02T08", "03-03T09", "04-01T09"]
    later = found_in.occurrences(datetime(2027, 3, 2, 12, tzinfo=UTC))
    assert [f"{each.local:%m-%dT%H}" for each in later] == found[2:]


# What never ends and what never comes


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYMONTHDAY=31;INTERVAL=12",
        "FREQ=MONTHLY;BYMONTHDAY=30;INTERVAL=12;COUNT=5",
        "FREQ=DAILY;BYDAY=MO;BYSETPOS=2",
        "FREQ=DAILY;INTERVAL=7;BYDAY=WE",
        "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=3",
        "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1",
        "FREQ=MONTHLY;INTERVAL=12;BYDAY=5TU;BYMONTHDAY=28",
    ],
)
def test_a_rule_that_never_fits_ends(rule: str) -> None:
    assert times(rule, "2022-02-01T09:00:00") == []


def test_a_rule_that_fits_once_in_a_long_while_is_followed_to_it() -> None:
    found = times("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=29;BYDAY=SU", "2072-02-01T09:00:00", limit=3)
    assert [each[:10] for each in found] == ["2088-02-29", "2128-02-29", "2156-02-29"]
    # 2022 months lie in no leap year's February for long: the calendar has to be gone through.
    assert times("FREQ=DAILY;INTERVAL=999;BYMONTHDAY=29;BYDAY=MO", "2022-02-01T09:00:00", limit=2)


def test_an_endless_rule_is_as_long_as_one_asks() -> None:
    found = times("FREQ=DAILY", "2022-02-01T09:00:00", limit=3_000)
    assert len(found) == len(set(found)) == 3_000


def test_the_calendar_ends() -> None:
    last = date(9998, 12, 30).toordinal()
    for rule, count in (("FREQ=DAILY", 2), ("FREQ=WEEKLY", 1), ("FREQ=MONTHLY", 1)):
        assert len(list(days(parse(rule), last, last))) == count


@pytest.mark.parametrize(
    ("rule", "most"), [("DAILY", 10), ("WEEKLY;BYDAY=MO,TU", 10), ("MONTHLY;BYDAY=1MO", 10)]
)
def test_what_lies_before_is_not_gone_through(monkeypatch: pytest.MonkeyPatch, rule: str, most: int) -> None:
    looked_at = 0
    period = recurrence._period

    def counting(*given: Any) -> Any:
        nonlocal looked_at
        looked_at += 1
        return period(*given)

    monkeypatch.setattr(recurrence, "_period", counting)
    since = datetime(1990, 1, 1, tzinfo=UTC)
    whole = Recurrence.of(f"FREQ={rule}", "1900-01-01T09:00", NEW_YORK).occurrences()
    wanted = next(each.local.isoformat() for each in whole if each.instant >= since)
    gone_through, looked_at = looked_at, 0
    assert times(f"FREQ={rule}", "1900-01-01T09:00", limit=1, since=since) == [wanted]
    assert looked_at < most < gone_through


# (e) what is refused


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", "NAME=VALUE"),
        ("COUNT=3", "how often"),
        ("FREQ=YEARLY", "others are not supported"),
        ("FREQ=HOURLY", "others are not supported"),
        ("FREQ=SECONDLY;COUNT=3", "others are not supported"),
        ("FREQ=FORTNIGHTLY", "others are not supported"),
        ("FREQ=DAILY;BYMONTH=1", "BYMONTH is not supported"),
        ("FREQ=DAILY;BYHOUR=9", "BYHOUR is not supported"),
        ("FREQ=MONTHLY;BYWEEKNO=3", "BYWEEKNO is not supported"),
        ("FREQ=MONTHLY;BYYEARDAY=3", "BYYEARDAY is not supported"),
        ("RSCALE=GREGORIAN;FREQ=DAILY", "RSCALE is not supported"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;SKIP=BACKWARD", "SKIP is not supported"),
        ("FREQ=DAILY;X-MINE=3", "X-MINE is not a part"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101T000000Z", "not both"),
        ("FREQ=DAILY;COUNT=3;COUNT=3", "twice"),
        ("FREQ=DAILY;FREQ=WEEKLY", "twice"),
        ("FREQ=DAILY;COUNT=0", "from 1 to"),
        ("FREQ=DAILY;COUNT=-1", "from 1 to"),
        ("FREQ=DAILY;COUNT=10001", "from 1 to"),
        ("FREQ=DAILY;COUNT=" + "9" * 400, "from 1 to"),
        ("FREQ=DAILY;INTERVAL=0", "from 1 to"),
        ("FREQ=DAILY;INTERVAL=1001", "from 1 to"),
        ("FREQ=DAILY;INTERVAL=1.5", "from 1 to"),
        ("FREQ=DAILY;INTERVAL=\N{ARABIC-INDIC DIGIT TWO}", "plain text"),
        ("FREQ=DAILY;UNTIL=20270230T000000Z", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20270101T240000Z", "UNTIL"),
        ("FREQ=DAILY;UNTIL=00000101", "UNTIL"),
        ("FREQ=DAILY;UNTIL=2027-01-01", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20270101Z", "UNTIL"),
        ("FREQ=DAILY;BYDAY=1MO", "Only FREQ=MONTHLY"),
        ("FREQ=WEEKLY;BYDAY=-1FR", "Only FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=0MO", "first to fifth"),
        ("FREQ=MONTHLY;BYDAY=6MO", "first to fifth"),
        ("FREQ=MONTHLY;BYDAY=+MO", "weekdays"),
        ("FREQ=MONTHLY;BYDAY=XX", "weekdays"),
        ("FREQ=MONTHLY;BYDAY=MO,", "weekdays"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "does not go with"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=--1", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYDAY or BYMONTHDAY"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367", "BYSETPOS"),
        ("FREQ=WEEKLY;WKST=1", "WKST"),
        ("RRULE:FREQ=DAILY", "without the name"),
        ("FREQ=DAILY;;COUNT=3", "NAME=VALUE"),
        ("FREQ=DAILY;;", "NAME=VALUE"),
        (";FREQ=DAILY", "NAME=VALUE"),
        ("FREQ=DAILY;COUNT", "NAME=VALUE"),
        ("FREQ=DAILY;COUNT=", "NAME=VALUE"),
        ("FREQ=DAILY COUNT=3", "plain text"),
        ("FREQ=DAILY\n", "plain text"),
        ("FREQ=DA\N{LATIN SMALL LETTER DOTLESS I}LY", "plain text"),
        ("FREQ=DAILY;" + "X" * 500, "characters"),
    ],
)
def test_what_lies_outside_is_refused_with_a_reason(rule: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        parse(rule)


def test_case_order_and_one_last_semicolon_do_not_matter() -> None:
    wanted = parse("FREQ=MONTHLY;BYDAY=1MO,-1FR;COUNT=3")
    assert parse("byday=+1mo,-01fr;count=3;freq=monthly;") == wanted


@settings(max_examples=1_000 if FULL else 60)
@given(rules())
@example("FREQ=DAILY;UNTIL=20270101T000000Z;WKST=SU")
@example("FREQ=DAILY;UNTIL=20270101")
def test_a_rule_that_is_written_down_is_the_same_rule(rule: str) -> None:
    assert parse(str(parse(rule))) == parse(rule)


_WORDS: Final = "FREQ DAILY WEEKLY MONTHLY = ; , COUNT UNTIL BYDAY BYMONTHDAY BYSETPOS WKST MO - + 31 0 T Z"
_PIECES: Final = st.sampled_from([" ", *_WORDS.split()])


@settings(max_examples=5_000 if FULL else 150)
@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=25).map("".join)))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    for read in (parse, wall_time, zone_named):
        with contextlib.suppress(Refused):
            read(text)


@settings(max_examples=2_000 if FULL else 60)
@given(rules(), st.dates(date(1900, 1, 1), date(2200, 12, 31)), st.sampled_from([NEW_YORK, "Pacific/Apia"]))
def test_whatever_is_taken_comes_in_order_and_once(rule: str, day: date, zone: str) -> None:
    found = list(islice(Recurrence.of(rule, f"{day}T02:30", zone).occurrences(), 30))
    assert [each.instant for each in found] == sorted({each.instant for each in found})
    assert all(each == occurrence(each.recurrence_id, ZoneInfo(zone)) for each in found)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1997-09-02",
            "1997-09-02 09:00",
            "19970902T090000",
            "1997-09-02T09:00:00Z",
            "1997-09-02T09:00+01:00",
        ),
        *("1997-02-30T09:00", "1997-09-02T24:00", "1997-09-02T09:00:60", "0001-01-01T00:00"),
        "9999-01-01T00:00",
    ],
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        wall_time(text)


@pytest.mark.parametrize(
    "name", ["", "Europe/Atlantis", "../etc/passwd", "/etc/passwd", "Europe", "localtime"]
)
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        zone_named(name)


def test_a_zone_may_have_its_old_name() -> None:
    assert times("FREQ=DAILY;COUNT=1", FIRST, "US/Eastern") == [FIRST]


# Over HTTP


@pytest.mark.database
async def test_rules_are_previewed_over_http(world: World) -> None:
    person = await world.person("Mia")

    async def ask(**query: Any) -> Any:
        base = {"dtstart": "2027-03-13T02:30", "zone": NEW_YORK, "rule": "FREQ=DAILY"}
        return await person.get("/v1/recurrences/preview", params={**base, **query})

    found = (await ask(limit=2)).json()
    assert found == {
        "items": [
            {"local": "2027-03-13T02:30:00", "instant": "2027-03-13T07:30:00Z", "shifted": False},
            {"local": "2027-03-14T03:30:00", "instant": "2027-03-14T07:30:00Z", "shifted": True},
        ],
        "ends": False,
    }
    assert len((await ask(limit=100)).json()["items"]) == 100
    ending = (await ask(rule="FREQ=DAILY;COUNT=3", exdate=["2027-03-14T02:30", "2027-03-15T02:30"])).json()
    assert (len(ending["items"]), ending["ends"]) == (1, True)
    never = (await ask(rule="FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31", dtstart="2027-02-01T09:00")).json()
    assert never == {"items": [], "ends": True}
    for wrong, pointer in (
        ({"rule": "FREQ=YEARLY"}, "/query/rule"),
        ({"rule": "FREQ=DAILY;" * 100}, "/query/rule"),
        ({"dtstart": "yesterday"}, "/query/dtstart"),
        ({"dtstart": "2027-02-30T09:00"}, "/query/dtstart"),
        ({"exdate": "2027-02-30T09:00"}, "/query/exdate"),
        ({"zone": "Europe/Atlantis"}, "/query/zone"),
        ({"limit": 101}, "/query/limit"),
    ):
        answer = await ask(**wrong)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
