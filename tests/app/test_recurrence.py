"""Recurrence rules: what the clocks, endless rules and bad input do to them, and previews over HTTP."""

import contextlib
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.series import recurrence
from app.series.recurrence import Recurrence, days, occurrence, wall_time, zone_named
from app.series.rules import Refused, parse
from tests.app.recurring import FIRST, FULL, NEW_YORK, UTC_ZONE, rules, times
from tests.world import World

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
