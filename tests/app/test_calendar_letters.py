"""Answers in mail as programs really write them, and as nobody should; addresses that cannot be guessed."""

import string
from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from uuid import UUID, uuid4

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendars import addresses, replies
from app.calendars.replies import Letter, Unreadable
from tests.app.letters import letter, object_of, reply

TOKEN = "abcdefghijklmnopqrstuvwx23"
TO = f"calendar+{TOKEN}@mail.example.org"
UID = f"{uuid4()}@mentor.example.org"
STAMP = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def plain(**how: object) -> bytes:
    return reply(UID, "priya@example.org", TO, "ACCEPTED", stamp=STAMP, **how)


def the_one(read: Letter) -> replies.Reply:
    (found,) = read.replies
    return found


def test_an_answer_is_read() -> None:
    read = replies.read(plain(sequence=3))
    assert read.tokens == {TOKEN}
    assert read.methods == {"REPLY"}
    assert the_one(read) == replies.Reply(
        uid=UID, answers={"priya@example.org": "ACCEPTED"}, sequence=3, stamp=STAMP, recurrence=None
    )


def _exchange() -> bytes:
    """No ORGANIZER, windows time zones, and lines that nobody else writes."""
    content = object_of(UID, "priya@example.org", None, stamp=STAMP, more="X-MICROSOFT-CDO-BUSYSTATUS:BUSY")
    zone = "BEGIN:VTIMEZONE;TZID:GMT Standard Time;BEGIN:STANDARD;nonsense;END:STANDARD;END:VTIMEZONE;"
    zone = zone.replace(";", "\r\n")
    return letter(TO, content.replace("BEGIN:VEVENT", f"{zone}BEGIN:VEVENT"))


def _mixed(payload: bytes, kind: str, **parameters: str) -> bytes:
    """In a multipart/mixed, encoded as base64, beside a message in two forms."""
    message, body, part = EmailMessage(), EmailMessage(), MIMEPart()
    message["From"], message["To"] = "priya@example.org", TO
    body.set_content("Yes.")
    body.add_alternative("<p>Yes.</p>", subtype="html")
    part.set_content(payload, "text", kind, cte="base64", params=parameters)
    message.make_mixed()
    message.attach(body)
    message.attach(part)
    return message.as_bytes()


CONTENT = object_of(UID, "priya@example.org", TO, stamp=STAMP, more="SUMMARY:Größe")


@pytest.mark.parametrize(
    "raw",
    [
        plain(),
        _exchange(),
        letter(TO, CONTENT.encode()),
        letter(TO, CONTENT.replace("\r\n", "\n").encode()),
        _mixed(CONTENT.encode(), "calendar", method="REPLY", charset="utf-8"),
        _mixed(CONTENT.encode(), "calendar", charset="us-ascii"),
        _mixed(CONTENT.encode("latin-1"), "calendar", charset="iso-8859-1"),
        _mixed(CONTENT.encode("latin-1"), "calendar", charset="utf-8"),
        _mixed(CONTENT.encode("cp1252"), "calendar", charset="no-such-charset"),
        _mixed(CONTENT.encode("utf-16"), "calendar", charset="utf-8"),
        _mixed(b"\xef\xbb\xbf" + CONTENT.encode(), "calendar"),
        plain().replace(b"BEGIN:VEVENT", b"begin:vevent").replace(b"UID:", b"uid:"),
        plain().replace(
            b"ATTENDEE;PARTSTAT=ACCEPTED", b'ATTENDEE;MEMBER="mailto:x","mailto:y";PARTSTAT=accepted'
        ),
        plain().replace(b"mailto:priya", b"MAILTO:Priya"),
    ],
    ids=lambda raw: str(len(raw)),
)
def test_whatever_form_it_has(raw: bytes) -> None:
    read = replies.read(raw)
    found = the_one(read)
    assert (found.uid, found.answers, found.stamp) == (UID, {"priya@example.org": "ACCEPTED"}, STAMP)
    assert read.tokens == {TOKEN}


def test_the_token_is_found_where_mail_servers_leave_it() -> None:
    for name in ("Cc", "Delivered-To", "X-Original-To", "Envelope-To"):
        raw = letter("calendar@mail.example.org", object_of(UID, "priya@example.org", None))
        raw = f"{name}: <{TO.upper()}>\n".encode() + raw
        assert replies.read(raw).tokens == {TOKEN}
    nowhere = letter("calendar@mail.example.org", object_of(UID, "priya@example.org", None))
    assert replies.read(b"Subject: +" + TOKEN.encode() + b"@\n" + nowhere).tokens == set()


@pytest.mark.parametrize("method", ["REQUEST", "COUNTER", "CANCEL", "REFRESH", "PUBLISH", ""])
def test_what_is_no_reply_is_not_taken_for_one(method: str) -> None:
    read = replies.read(plain(method=method))
    assert read.replies == []
    assert read.methods == {method}


@pytest.mark.parametrize(
    ("raw", "replied"),
    [
        (b"To: x@example.org\n\nI am away until Monday.", 0),
        (letter(TO, "BEGIN:VCALENDAR\nMETHOD:REPLY\nEND:VCALENDAR"), 0),
        (letter(TO, "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR"), 1),
        (plain(sequence=None), 1),
        (plain().replace(b"SEQUENCE:0", b"SEQUENCE:-7x"), 1),
    ],
)
def test_what_holds_little(raw: bytes, replied: int) -> None:
    assert [one.sequence for one in replies.read(raw).replies] == [0] * replied


def _nested(depth: int) -> bytes:
    head = b"To: x@example.org\n"
    for level in range(depth):
        head += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level)
    return head


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff" * 500,
        b"hello world",
        letter(TO, "no calendar at all"),
        letter(TO, b"PK\x03\x04 not a calendar"),
        _nested(3000),
        b"To: x@y.z\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 200,
        letter(TO, CONTENT.replace("END:VCALENDAR", "BEGIN:VEVENT\r\nEND:VEVENT\r\n" * 50 + "END:VCALENDAR")),
    ],
    ids=[
        "empty",
        "binary",
        "words",
        "no calendar",
        "no calendar file",
        "nested",
        "many parts",
        "many events",
    ],
)
def test_what_cannot_be_read_is_said_to_be_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        replies.read(raw)


@given(
    raw=st.binary(max_size=2000),
    cut=st.integers(0, 1500),
    flips=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=8),
)
def test_no_bytes_break_the_reader(raw: bytes, cut: int, flips: list[tuple[int, int]]) -> None:
    spoilt = bytearray(plain())
    for place, byte in flips:
        spoilt[place % len(spoilt)] = byte
    for each in (raw, plain()[:cut], bytes(spoilt), plain()[:cut] + raw):
        try:
            replies.read(each)
        except Unreadable:
            continue


NAMES = st.text(string.ascii_letters + string.digits + " ;:,'é社", max_size=30)


@given(name=NAMES, sequence=st.integers(0, 10**9 - 1), status=st.sampled_from(["ACCEPTED", "DECLINED"]))
def test_it_reads_what_icalendar_reads(name: str, sequence: int, status: str) -> None:
    calendar, event = icalendar.Calendar(), icalendar.Event()
    calendar.add("method", "REPLY")
    event.add("uid", UID)
    event.add("sequence", sequence)
    event.add("dtstamp", STAMP)
    attendee = icalendar.vCalAddress("mailto:priya@example.org")
    attendee.params["CN"], attendee.params["PARTSTAT"] = icalendar.vText(name), icalendar.vText(status)
    event.add("attendee", attendee)
    event.add("summary", name * 5)
    calendar.add_component(event)
    found = the_one(replies.read(letter(TO, calendar.to_ical().decode())))
    assert found == replies.Reply(UID, {"priya@example.org": status}, sequence, STAMP, None)


# Addresses


@given(
    secret=st.binary(min_size=32, max_size=32), subject=st.uuids(), people=st.lists(st.uuids(), max_size=4)
)
def test_a_token_is_good_for_one_person_and_one_subject(
    secret: bytes, subject: UUID, people: list[UUID]
) -> None:
    for who in people:
        made = addresses.token(secret, subject, who)
        address = addresses.reply_address("calendar@mail.example.org", made)
        local = address.partition("@")[0]
        assert len(local) <= 64
        assert addresses.TOKEN.findall(address.upper()) == [made.upper()]
        assert addresses.holder(secret, subject, {made, "x" * 26}, people) == who
        assert addresses.holder(secret, uuid4(), {made}, people) is None
        assert addresses.holder(bytes(byte ^ 1 for byte in secret), subject, {made}, people) is None
        assert addresses.holder(secret, subject, {made}, [one for one in people if one != who]) is None
    assert addresses.holder(secret, subject, set(), people) is None


def test_names_of_meetings_are_found_again() -> None:
    subject = uuid4()
    assert addresses.subject_of(addresses.uid(subject, "mentor.example.org")) == subject
    for strange in ("", "@", "x@y", f"{subject}x@y", str(subject)[:-1], f"{{{subject}}}"):
        assert addresses.subject_of(strange) is None
