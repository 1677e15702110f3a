"""Calendar objects: read by parsers of other projects, and whole whatever people write into them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream
from recurring_ical_events import of

from app.calendars import ics
from app.calendars.ics import Attendee, Entry, Organiser

LINK = "https://mentor.example.org/meetings/0192f3c0-5a4e-7b1c-9d2e-3f4a5b6c7d8e"
UID = "0192f3c0-5a4e-7b1c-9d2e-3f4a5b6c7d8e@mentor.example.org"
START = datetime(2026, 11, 24, 18, tzinfo=UTC)
ORGANISER = Organiser("calendar+abcdefghijklmnopqrstuvwxyz@mail.example.org", "Mentorspan")
US = (
    Attendee("priya@example.org", "Priya Raman", "NEEDS-ACTION", rsvp=True),
    Attendee("participant-0192@mail.example.org", "Amara Okafor", "ACCEPTED"),
)


def made(**fields: Any) -> Entry:
    given: dict[str, Any] = {
        "uid": UID, "sequence": 2, "stamp": datetime(2026, 11, 20, 9, 30, tzinfo=UTC), "start": START,
        "end": START + timedelta(minutes=45), "summary": "First meeting", "link": LINK,
        "organiser": ORGANISER, "attendees": US, "description": "With Amara Okafor",
    }  # fmt: skip
    return Entry(**{**given, **fields})


def event(text: str) -> Any:
    """The one event, as `icalendar` reads it."""
    (found,) = icalendar.Calendar.from_ical(text).walk("VEVENT")
    return found


def lines(text: str) -> list[str]:
    """Unfolded."""
    return text.replace("\r\n ", "").split("\r\n")


def test_a_strict_parser_of_another_project_accepts_an_invitation() -> None:
    calendar = IcsCalendarStream.calendar_from_ics(ics.message("REQUEST", [made()]))
    assert calendar.method == "REQUEST"
    (found,) = calendar.events
    assert (found.uid, found.sequence, found.summary) == (UID, 2, "First meeting")
    assert (found.dtstart, found.dtend) == (START, START + timedelta(minutes=45))
    assert str(found.status).endswith("CONFIRMED")
    assert found.location == LINK
    assert str(found.url) == LINK
    assert LINK in (found.description or "")
    assert found.organizer is not None
    assert str(found.organizer.uri) == f"mailto:{ORGANISER.address}"
    assert [str(one.uri) for one in found.attendees] == [f"mailto:{one.address}" for one in US]
    assert [one.common_name for one in found.attendees] == ["Priya Raman", "Amara Okafor"]
    (conference,) = found.conference
    assert (str(conference.uri), conference.label) == (LINK, ics.LABEL)
    assert [feature.value for feature in conference.feature or ()] == ["AUDIO", "VIDEO"]


def test_icalendar_reads_the_same() -> None:
    text = ics.message("REQUEST", [made()])
    assert icalendar.Calendar.from_ical(text)["METHOD"] == "REQUEST"
    found = event(text)
    conference = found["CONFERENCE"]
    assert str(conference) == LINK
    assert conference.params["VALUE"] == "URI"
    assert conference.params["FEATURE"] == ["AUDIO", "VIDEO"]
    assert conference.params["LABEL"] == ics.LABEL
    me, other = found["ATTENDEE"]
    assert dict(me.params) == {
        "CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE",
        "CN": "Priya Raman",
    }  # fmt: skip
    assert other.params["PARTSTAT"] == "ACCEPTED"
    assert found["CLASS"] == "PRIVATE"
    assert found.walk("VALARM") == []
    assert found["DTSTAMP"].dt == made().stamp


def test_a_cancellation_says_so_twice() -> None:
    text = ics.message("CANCEL", [made(status="CANCELLED", sequence=3)])
    assert icalendar.Calendar.from_ical(text)["METHOD"] == "CANCEL"
    found = event(text)
    assert (found["STATUS"], found["SEQUENCE"], found["TRANSP"]) == ("CANCELLED", 3, "TRANSPARENT")
    assert IcsCalendarStream.calendar_from_ics(text).events[0].sequence == 3


def test_a_feed_says_how_often_to_ask() -> None:
    text = ics.feed([made(organiser=None, attendees=())], name="Mentorspan")
    read = icalendar.Calendar.from_ical(text)
    assert "METHOD" not in read
    assert str(read["X-WR-CALNAME"]) == str(read["NAME"]) == "Mentorspan"
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H" in lines(text)
    assert "X-PUBLISHED-TTL:PT1H" in lines(text)
    assert "mailto:" not in text
    assert IcsCalendarStream.calendar_from_ics(ics.feed([], name="Empty")).events == []


PEOPLE_WRITE = st.text(max_size=120) | st.text(
    alphabet=st.sampled_from("\r\n\t ;:,\\\"'^nN\x00\x0b\x0c\x1c\x85\u2028\u2029\ufeff\ud800A社é"),
    max_size=120,
)
SMUGGLED = "x\r\nATTENDEE:mailto:evil@example.org\r\nEND:VEVENT\r\n"


@given(title=PEOPLE_WRITE, name=PEOPLE_WRITE, told=PEOPLE_WRITE)
@example(title=SMUGGLED, name=SMUGGLED, told=SMUGGLED)
@example(title="a" * 74 + "é", name='";PARTSTAT=ACCEPTED:mailto:x', told="\\n\\N\\;\\,")
@example(title="x\x85ATTENDEE:mailto:evil@example.org", name="^n^'^^", told="\u2028BEGIN:VALARM")
def test_nothing_that_people_write_ends_its_line(title: str, name: str, told: str) -> None:
    attendees = (Attendee("priya@example.org", name),)
    text = ics.message("REQUEST", [made(summary=title, attendees=attendees, description=told)])
    plain = ics.message("REQUEST", [made(attendees=(Attendee("priya@example.org", "Priya"),))])

    def names(of: str) -> list[str]:
        return [re.split("[;:]", line)[0] for line in lines(of)]

    assert names(text) == names(plain), "the same properties in the same order, whatever was written"
    assert names(text) == [re.split("[;:]", line)[0] for line in text.replace("\r\n ", "").splitlines()] + [
        ""
    ]
    assert all(len(line.encode()) <= ics.OCTETS for line in text.split("\r\n"))
    found = event(text)
    meant = re.sub(r"\r\n|\r", "\n", title)
    assert str(found["SUMMARY"]) == ics._UNSEEN.sub(" ", meant).replace("\t", " ")
    assert str(found["ATTENDEE"]) == "mailto:priya@example.org"
    (other,) = IcsCalendarStream.calendar_from_ics(text).events
    assert len(other.attendees) == 1
    assert str(other.url) == LINK


@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=400))
def test_folding_loses_nothing_and_cuts_no_character(text: str) -> None:
    folded = ics.written([text])
    assert folded.removesuffix("\r\n").replace("\r\n ", "") == text
    for line in folded.encode().split(b"\r\n"):
        assert len(line) <= 75
        line.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"zone": "Europe/London\r\nX:y"},
        {"zone": "Europe/London", "rule": "FREQ=DAILY\r\nX:y"},
        {"start": datetime(2026, 11, 24, 18)},  # noqa: DTZ001 - that is the fault
    ],
)
def test_what_nobody_types_is_refused_when_it_is_strange(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cannot be written|needs a zone|keys must|No time zone"):
        ics.message("REQUEST", [made(**fields)])


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("o'neil+mentor@sub.example.org", "mailto:o'neil+mentor@sub.example.org"),
        ("ünï@example.org", "mailto:%C3%BCn%C3%AF@example.org"),
        ("a@example.org\r\nX:y", "mailto:a@example.org%0D%0AX%3Ay"),
    ],
)
def test_addresses_and_links_are_uris(address: str, written: str) -> None:
    text = ics.message("REQUEST", [made(link=f"https://x\r\n{address}", attendees=[Attendee(address, "M")])])
    found = event(text)
    assert str(found["ATTENDEE"]) == written
    assert re.fullmatch(r"https://x%0D%0A[!-~]+", str(found["URL"]))


# Series

WALL = datetime(2027, 3, 1, 18)  # noqa: DTZ001 - what a clock on the wall shows
LONDON = ZoneInfo("Europe/London")


def weekly(**fields: Any) -> Entry:
    given: dict[str, Any] = {
        "start": WALL, "end": WALL + timedelta(minutes=45), "zone": "Europe/London",
        "rule": "FREQ=WEEKLY;COUNT=6",
    }  # fmt: skip
    return made(**{**given, **fields})


def instances(text: str) -> list[datetime]:
    calendar = icalendar.Calendar.from_ical(text)
    found = of(calendar).between(datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
    return sorted(one["DTSTART"].dt.astimezone(UTC) for one in found)


def test_a_series_keeps_its_wall_time_over_a_clock_change() -> None:
    text = ics.message("REQUEST", [weekly()])
    assert "DTSTART;TZID=Europe/London:20270301T180000" in lines(text)
    hours = [at.hour for at in instances(text)]
    assert hours == [18, 18, 18, 18, 17, 17], "summer time begins on 28 March 2027"


def test_a_series_with_holes_additions_and_one_that_was_moved() -> None:
    moved = weekly(
        rule=None, recurrence=WALL + timedelta(days=14), start=WALL + timedelta(days=15, hours=-2),
        end=WALL + timedelta(days=15, hours=-1), sequence=4,
    )  # fmt: skip
    master = weekly(left_out=[WALL + timedelta(days=7)], added=[WALL + timedelta(days=3)])
    text = ics.message("REQUEST", [master, moved])
    assert "RECURRENCE-ID;TZID=Europe/London:20270315T180000" in lines(text)
    assert "EXDATE;TZID=Europe/London:20270308T180000" in lines(text)
    days = [at.astimezone(LONDON).strftime("%d %H") for at in instances(text)]
    assert days == ["01 18", "04 18", "16 16", "22 18", "29 18", "05 18"]
    assert text.count("BEGIN:VTIMEZONE") == 1


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
        "Africa/Casablanca", "UTC",
    ],
)  # fmt: skip
def test_vtimezone_says_what_the_zone_does(zone: str) -> None:
    """Read by its own rules: the newest observance that began holds."""
    entry = weekly(zone=zone)
    text = ics.message("REQUEST", [entry])
    (component,) = icalendar.Calendar.from_ical(text).walk("VTIMEZONE")
    steps = sorted(
        (part["DTSTART"].dt - part["TZOFFSETFROM"].td, part["TZOFFSETTO"].td)
        for part in component.walk()
        if part.name in ("STANDARD", "DAYLIGHT")
    )
    at, checked = datetime(2026, 6, 1, tzinfo=UTC), 0
    while at < datetime(2036, 6, 1, tzinfo=UTC):
        offset = [to for begins, to in steps if begins <= at.replace(tzinfo=None)][-1]
        assert offset == at.astimezone(ZoneInfo(zone)).utcoffset(), at
        at, checked = at + timedelta(hours=7), checked + 1
    assert checked > 10_000


def test_the_second_of_two_equal_hours_is_said_in_utc() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert ics.moment("DTSTART", first, "Europe/London") == "DTSTART;TZID=Europe/London:20261025T013000"
    second = first + timedelta(hours=1)
    assert ics.moment("DTSTART", second, "Europe/London") == "DTSTART:20261025T013000Z"
