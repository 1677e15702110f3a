"""From the text of a calendar to busy times: what RFC 5545 says, what calendars do, what must not hurt."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.freebusy import busy_times as subject
from app.freebusy.busy_times import Found, Interval, Owner, busy_times, merged
from app.freebusy.expander import expand
from app.freebusy.troubles import Trouble, calendar_text

LONDON = Owner("Europe/London", ["priya@example.org"])
WINDOW = Interval(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 11, 1, tzinfo=UTC))
A_WEEK = Interval(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC))


def calendar(*events: str, head: str = "") -> str:
    """A calendar of events whose lines stand apart by spaces in the margin."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN", *_lines(head)]
    for number, event in enumerate(events):
        uid = [] if "UID:" in event else [f"UID:{number}"]
        lines += ["BEGIN:VEVENT", "DTSTAMP:20260101T000000Z", *uid, *_lines(event), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def found(*events: str, owner: Owner = LONDON, window: Interval = A_WEEK, head: str = "") -> Found:
    return busy_times([calendar(*events, head=head)], owner, window)


def spans(of: Found) -> list[str]:
    """The intervals in UTC, short enough to read."""
    return [f"{span.start:%d %H:%M}-{span.end:%d %H:%M}" for span in of.busy]


def busy(*events: str, owner: Owner = LONDON, window: Interval = A_WEEK, head: str = "") -> list[str]:
    return spans(found(*events, owner=owner, window=window, head=head))


TUESDAY = "DTSTART:20261103T100000Z\nDTEND:20261103T110000Z"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (TUESDAY, ["03 10:00-03 11:00"]),
        (TUESDAY + "\nTRANSP:OPAQUE", ["03 10:00-03 11:00"]),
        (TUESDAY + "\nTRANSP:TRANSPARENT", []),
        (TUESDAY + "\nSTATUS:CANCELLED", []),
        (TUESDAY + "\nSTATUS:TENTATIVE", ["03 10:00-03 11:00"]),
        (TUESDAY + "\nX-MICROSOFT-CDO-BUSYSTATUS:FREE", []),
        (TUESDAY + "\nATTENDEE;PARTSTAT=DECLINED:mailto:Priya@example.org", []),
        (TUESDAY + "\nATTENDEE;PARTSTAT=DECLINED:mailto:else@example.org", ["03 10:00-03 11:00"]),
        (TUESDAY + "\nATTENDEE;PARTSTAT=ACCEPTED:mailto:priya@example.org", ["03 10:00-03 11:00"]),
        ("DTSTART:20261103T100000Z\nDURATION:PT90M", ["03 10:00-03 11:30"]),
        ("DTSTART:20261103T100000Z", []),
        ("DTSTART:20261103T100000Z\nDTEND:20261103T100000Z", []),
        ("DTSTART;VALUE=DATE:20261103", ["03 00:00-04 00:00"]),
        ("DTSTART;VALUE=DATE:20261103\nDTEND;VALUE=DATE:20261105", ["03 00:00-05 00:00"]),
        ("DTSTART;VALUE=DATE:20261103\nDTEND;VALUE=DATE:20261103", ["03 00:00-04 00:00"]),
        ("DTSTART;VALUE=DATE:20261103\nTRANSP:TRANSPARENT", []),
        ("DTSTART;VALUE=DATE:20261103\nDURATION:P2D", ["03 00:00-05 00:00"]),
        ("DTSTART:20261101T100000Z\nDTEND:20261201T110000Z", ["02 00:00-09 00:00"]),
    ],
)
def test_one_event(event: str, expected: list[str]) -> None:
    assert busy(event) == expected


def test_what_cannot_be_read_is_counted_and_loses_nothing_else() -> None:
    broken = [
        "DTSTART:20261103T110000Z\nDTEND:20261103T100000Z",  # ends before it starts
        "SUMMARY:no time at all",
        "DTSTART:sometime\nDTEND:later",
        "DTSTART:20261103T100000Z\nDURATION:PT1H\nRRULE:FREQ=SOMETIMES",
        "DTSTART:20261103T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYDAY=XX",
    ]
    for event in broken:
        of = found(event, TUESDAY)
        assert (spans(of), of.events, of.skipped) == (["03 10:00-03 11:00"], 2, 1), event
    assert found(*broken, TUESDAY).skipped == len(broken)
    cut_off = calendar(TUESDAY, TUESDAY.replace("03T", "04T")).rpartition("END:VEVENT")[0]
    of = busy_times([cut_off], LONDON, A_WEEK)
    assert (spans(of), of.skipped) == (["03 10:00-03 11:00"], 1)


def test_rules_with_spaces_in_them_are_read_all_the_same() -> None:
    days = "DTSTART:20261102T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3;BYDAY=MO, TU, WE"
    assert busy(days) == ["02 10:00-02 11:00", "03 10:00-03 11:00", "04 10:00-04 11:00"]


def test_exceptions_of_a_series() -> None:
    series = """
        UID:s
        DTSTART;TZID=Europe/London:20261102T090000
        DTEND;TZID=Europe/London:20261102T093000
        RRULE:FREQ=DAILY;COUNT=6
        EXDATE;TZID=Europe/London:20261103T090000
        RDATE;TZID=Europe/London:20261103T200000
        RDATE;VALUE=PERIOD:20261108T100000Z/PT2H
    """
    moved = "UID:s\nRECURRENCE-ID;TZID=Europe/London:20261104T090000\nDTSTART:20261104T150000Z\nDURATION:PT1H"
    called_off = (
        "UID:s\nRECURRENCE-ID:20261105T090000Z\nDTSTART:20261105T090000Z\nDURATION:PT30M\nSTATUS:CANCELLED"
    )
    assert busy(series, moved, called_off) == [
        "02 09:00-02 09:30",
        "03 20:00-03 20:30",
        "04 15:00-04 16:00",
        "06 09:00-06 09:30",
        "07 09:00-07 09:30",
        "08 10:00-08 12:00",
    ]
    assert busy(series, called_off)[2] == "04 09:00-04 09:30", "the control: not moved"


def test_from_here_on_a_series_is_otherwise() -> None:
    series = "UID:s\nDTSTART:20261102T090000Z\nDURATION:PT30M\nRRULE:FREQ=DAILY;COUNT=5"
    later = (
        "UID:s\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261104T090000Z\nDTSTART:20261104T110000Z\nDURATION:PT1H"
    )
    assert busy(series, later) == [
        "02 09:00-02 09:30",
        "03 09:00-03 09:30",
        "04 11:00-04 12:00",
        "05 11:00-05 12:00",
        "06 11:00-06 12:00",
    ]


@pytest.mark.parametrize("issue", ["8166", "18060"])
def test_cal_com_8166_18060_every_occurrence_of_a_recurring_event_blocks(issue: str) -> None:
    """An event that began years ago and recurs for ever takes time each week, not only the first."""
    begun = {"8166": "2019", "18060": "2024"}[issue]
    rule = f"DTSTART;TZID=Europe/London:{begun}0107T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE"
    of = found(rule, window=WINDOW)
    starts = [span.start.astimezone(ZoneInfo("Europe/London")) for span in of.busy]
    assert len(starts) == 104
    assert {(start.strftime("%a"), start.time()) for start in starts} == {
        ("Mon", time(9)), ("Wed", time(9)),
    }  # fmt: skip


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata", "Europe/London"])
def test_cal_com_14641_whole_days_and_floating_times_do_not_shift_a_day(zone: str) -> None:
    whole = "DTSTART;VALUE=DATE:20270315\nRRULE:FREQ=WEEKLY;COUNT=4"
    floating = "DTSTART:20270316T080000\nDTEND:20270316T090000\nRRULE:FREQ=WEEKLY;COUNT=4"
    local = ZoneInfo(zone)
    of = found(whole, floating, owner=Owner(zone), window=WINDOW)
    seen = [(span.start.astimezone(local), span.end.astimezone(local)) for span in of.busy]
    expected = []
    for week in range(4):
        monday = date(2027, 3, 15) + timedelta(weeks=week)
        tuesday = monday + timedelta(days=1)
        midnights = [datetime.combine(day, time(), local) for day in (monday, tuesday)]
        expected.append((midnights[0], midnights[1]))
        expected.append(tuple(datetime.combine(tuesday, time(hour), local) for hour in (8, 9)))
    assert seen == expected


def test_cal_com_8398_recurring_across_a_clock_change_keeps_its_wall_time() -> None:
    rule = "DTSTART;TZID=America/New_York:20270301T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4"
    of = found(rule, window=WINDOW)
    assert [span.start.hour for span in of.busy] == [14, 14, 13, 13], "the clocks change on 14 March"
    utc = "DTSTART:20270301T140000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4"
    assert [span.start.hour for span in found(utc, window=WINDOW).busy] == [14] * 4, "UTC has no clock change"


ODD_ZONE = """
    BEGIN:VTIMEZONE
    TZID:{name}
    BEGIN:STANDARD
    DTSTART:16010101T030000
    TZOFFSETFROM:+0200
    TZOFFSETTO:+0100
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
    END:STANDARD
    BEGIN:DAYLIGHT
    DTSTART:16010101T020000
    TZOFFSETFROM:+0100
    TZOFFSETTO:+0200
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
    END:DAYLIGHT
    END:VTIMEZONE
"""


@pytest.mark.parametrize(
    ("name", "head", "utc_hours"),
    [
        ("W. Europe Standard Time", "", [8, 7]),
        ("W. Europe Standard Time", ODD_ZONE, [8, 7]),
        ("Customized Time Zone", ODD_ZONE, [8, 7]),
        ("(UTC+01:00) Amsterdam, Berlin", ODD_ZONE, [8, 7]),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "", [8, 7]),
        ("Nowhere/At_All", "", [9, 8]),  # no zone that we could know: the owner's
    ],
)
def test_zones_with_odd_names(name: str, head: str, utc_hours: list[int]) -> None:
    quoted = f'"{name}"' if "," in name else name
    rule = f"DTSTART;TZID={quoted}:20270105T090000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;INTERVAL=6;COUNT=2"
    of = found(rule, window=WINDOW, head=head.format(name=name))
    assert [span.start.hour for span in of.busy] == utc_hours


def test_a_calendar_that_names_its_zone_is_read_in_it() -> None:
    floating = "DTSTART:20261103T100000\nDURATION:PT1H"
    assert busy(floating) == ["03 10:00-03 11:00"]
    assert busy(floating, head="X-WR-TIMEZONE:Europe/Berlin") == ["03 09:00-03 10:00"]
    assert busy(floating, head="X-WR-TIMEZONE:Nowhere") == ["03 10:00-03 11:00"]


def test_times_of_a_server_that_says_only_free_or_busy() -> None:
    lines = """
        BEGIN:VFREEBUSY
        DTSTART:20261101T000000Z
        FREEBUSY:20261103T100000Z/PT1H,20261103T120000Z/20261103T130000Z
        FREEBUSY;FBTYPE=BUSY-TENTATIVE:20261104T100000Z/PT1H
        FREEBUSY;FBTYPE=FREE:20261105T100000Z/PT1H
        FREEBUSY;FBTYPE=BUSY-UNAVAIL
         ABLE:20261106T100000Z/PT1H
        END:VFREEBUSY
    """.replace("         ABLE", " ABLE")
    text = "\r\n".join(line[8:] if line[:8].isspace() else line for line in lines.splitlines())
    of = busy_times([f"BEGIN:VCALENDAR\r\n{text}\r\nEND:VCALENDAR"], LONDON, A_WEEK)
    assert spans(of) == ["03 10:00-03 11:00", "03 12:00-03 13:00", "04 10:00-04 11:00", "06 10:00-06 11:00"]


def test_one_uid_for_everything_loses_nothing() -> None:
    events = [f"UID:same\nDTSTART:2026110{day}T100000Z\nDURATION:PT1H" for day in (3, 4, 5)]
    assert busy(*events) == ["03 10:00-03 11:00", "04 10:00-04 11:00", "05 10:00-05 11:00"]


def test_more_times_than_are_kept_are_cut_where_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MOST_TIMES", 3)
    of = found(*(f"DTSTART:202611{day:02}T100000Z\nDURATION:PT1H" for day in (8, 7, 6, 5, 4, 3)))
    assert spans(of) == ["03 10:00-03 11:00", "04 10:00-04 11:00", "05 10:00-05 11:00"]
    assert of.cut_at == datetime(2026, 11, 6, 10, tzinfo=UTC)
    assert found(TUESDAY).cut_at is None


BASE = datetime(2026, 11, 2, tzinfo=UTC)
moments = st.integers(0, 60).map(lambda minutes: BASE + timedelta(minutes=minutes))
intervals = (
    st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Interval(*pair))
)


@given(st.lists(intervals, max_size=12))
def test_merged_times_take_the_same_minutes_and_do_not_touch(times: list[Interval]) -> None:
    def minutes(of: Iterable[Interval]) -> set[int]:
        return {
            minute
            for start, end in of
            for minute in range((start - BASE).seconds // 60, (end - BASE).seconds // 60)
        }

    result = merged(times)
    assert minutes(result) == minutes(times)
    assert all(one.end < other.start for one, other in pairwise(result))


ZONES = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo"]


@given(
    zone=st.sampled_from(ZONES),
    owner=st.sampled_from(ZONES),
    day=st.dates(date(2026, 1, 1), date(2027, 9, 1)),
    minute=st.integers(0, 1439),
    minutes=st.integers(1, 3000),
    every=st.integers(1, 40),
    count=st.integers(1, 60),
    whole=st.booleans(),
    floating=st.booleans(),
)
def test_daily_rules_agree_with_counting_days_on_the_wall(
    zone: str,
    owner: str,
    day: date,
    minute: int,
    minutes: int,
    every: int,
    count: int,
    whole: bool,
    floating: bool,
) -> None:
    days = minutes // 1440 + 1
    start = datetime.combine(day, time(minute // 60, minute % 60))
    local = ZoneInfo(owner if whole or floating else zone)
    if whole:
        lines = f"DTSTART;VALUE=DATE:{start:%Y%m%d}\nDURATION:P{days}D"
        start, length = datetime.combine(start.date(), time()), timedelta(days=days)
    else:
        name = "" if floating else f";TZID={zone}"
        lines = f"DTSTART{name}:{start:%Y%m%dT%H%M%S}\nDURATION:PT{minutes}M"
        length = timedelta(minutes=minutes)
    of = found(f"{lines}\nRRULE:FREQ=DAILY;INTERVAL={every};COUNT={count}", owner=Owner(owner), window=WINDOW)
    expected = []
    for number in range(count):
        at = start + timedelta(days=number * every)
        begins, ends = (moment.replace(tzinfo=local).astimezone(UTC) for moment in (at, at + length))
        begins, ends = max(begins, WINDOW.start), min(ends, WINDOW.end)
        if begins < ends:
            expected.append(Interval(begins, ends))
    assert list(of.busy) == merged(expected)


# In a process of its own


FOR_EVER = "DTSTART:19700101T000000Z\nDURATION:PT1M\nRRULE:"
HOSTILE = (
    "FREQ=SECONDLY",
    "FREQ=MINUTELY;INTERVAL=2",
    f"FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE={','.join(map(str, range(60)))};BYSECOND=0,1,2,3",
)
NEVER = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"


async def test_rules_that_take_for_ever_are_left_out_and_the_rest_is_kept() -> None:
    endless = "DTSTART:19700101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=1"
    hourly = "DTSTART:20200101T100000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY;INTERVAL=24"
    of = await expand([calendar(*(FOR_EVER + rule for rule in (*HOSTILE, NEVER)), endless)], LONDON, WINDOW)
    assert (len(of.busy), of.skipped) == (365, 4)
    assert found(*(FOR_EVER + rule for rule in HOSTILE)).skipped == 3, "these without trying"
    assert len(found(hourly, window=WINDOW).busy) == 365, "the control: often, but not too often"


async def test_a_calendar_of_such_rules_is_given_up() -> None:
    hostile = (f"{FOR_EVER}{NEVER};INTERVAL={n + 1}" for n in range(20))
    with pytest.raises(Trouble) as caught:
        await expand([calendar(*hostile)], LONDON, WINDOW, cpu_seconds=1)
    assert caught.value.code == "too_costly"


async def test_cal_com_23482_five_thousand_events_are_worked_out_within_the_limit() -> None:
    events = [
        f"UID:{n}\nDTSTART;TZID=Europe/London:2026{n % 12 + 1:02}{n % 28 + 1:02}T{n % 20:02}0000\n"
        f"DURATION:PT30M\nSUMMARY:Number {n}" + ("\nRRULE:FREQ=WEEKLY" if n % 250 == 0 else "")
        for n in range(5000)
    ]
    text = calendar(*events)
    of = await expand([text], LONDON, WINDOW)
    assert of == busy_times([text], LONDON, WINDOW), "the same as here"
    assert (of.events, of.skipped) == (5000, 0)
    assert len(of.busy) > 700


async def test_a_process_that_falls_over_is_a_fault_in_words() -> None:
    with pytest.raises(Trouble) as caught:
        await expand([calendar(TUESDAY)], Owner("Nowhere/At_All"), A_WEEK)
    assert caught.value.code == "fault"


# What is a calendar at all


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (calendar("SUMMARY:Zoë").encode(), None),
        (b"\xef\xbb\xbf" + calendar("SUMMARY:Zoë").encode(), None),
        (b"\xff\xfe" + calendar("SUMMARY:Zoë").encode("utf-16-le"), None),
        (b"\xfe\xff" + calendar("SUMMARY:Zoë").encode("utf-16-be"), "utf-8"),
        (calendar("SUMMARY:Zoë").encode("iso-8859-1"), "ISO-8859-1"),
        (calendar("SUMMARY:Zoë").encode("iso-8859-1"), "utf-8"),
        (calendar("SUMMARY:Zoë").encode("cp1252"), "punycode"),
        (calendar("SUMMARY:Zoë").encode("cp1252"), None),
        (b"\r\n\r\n" + calendar("SUMMARY:Zoë").encode(), None),
    ],
)
def test_a_calendar_is_read_whatever_it_is_encoded_in(body: bytes, charset: str | None) -> None:
    assert "SUMMARY:Zoë" in calendar_text(body, charset)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web_page"),
        (b"\n  <HTML lang=en>", "web_page"),
        (b"", "not_calendar"),
        (b'{"error": "no"}', "not_calendar"),
        (b"\x00\x01\x02" * 1000, "not_calendar"),
        (b"BEGIN:VCARD\r\nEND:VCARD\r\n", "not_calendar"),
    ],
)
def test_what_is_no_calendar_is_called_by_its_name(body: bytes, code: str) -> None:
    with pytest.raises(Trouble) as caught:
        calendar_text(body, None)
    assert caught.value.code == code
    if code == "web_page":
        assert str(caught.value).startswith("That address answers with a web page, not a calendar.")
