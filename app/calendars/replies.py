"""Answers in mail (RFC 5546 REPLY in RFC 6047), as mail programs really write them. Pure.

Only the few lines that matter are read, and by ourselves: a fault elsewhere in what Exchange or Google wrote
is no reason to lose an answer, and nothing here takes more than linear time.
"""

import email
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from typing import Final
from urllib.parse import unquote

from app.calendars.addresses import TOKEN

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a message: signatures hold pictures."""
MOST_PARTS: Final = 100
MOST_EVENTS: Final = 20
_ADDRESSED: Final = (
    "To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Forwarded-To",
    "Resent-To",
)  # fmt: skip
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_HEAD: Final = re.compile(r'([A-Za-z0-9-]++)((?:;[^":;=]++=(?:"[^"]*+"|[^":;])*+)*+):(.*+)', re.DOTALL)
_PARAMETER: Final = re.compile(r';([^":;=]++)=((?:"[^"]*+"|[^":;])*+)')
_Values = Mapping[str, list[tuple[Mapping[str, str], str]]]


class Unreadable(Exception):
    """Not a mail, or its calendar object cannot be understood at all."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What one person's calendar says about one event."""

    uid: str
    answers: Mapping[str, str]
    """PARTSTAT by mail address in small letters. There should be one; some programs echo everybody."""
    sequence: int
    stamp: datetime | None
    recurrence: str | None


@dataclass(slots=True)
class Letter:
    """What a message holds for us."""

    tokens: set[str] = field(default_factory=set)
    """Of the reply addresses it came to, whether or not they are right."""
    methods: set[str] = field(default_factory=set)
    """Of all its calendar objects."""
    replies: list[Reply] = field(default_factory=list)


def read(raw: bytes) -> Letter:
    """Read an RFC 5322 message; raises `Unreadable`."""
    try:
        message = email.message_from_bytes(raw)
        letter = Letter()
        if not message.keys():
            raise Unreadable("no mail: it has no headers")
        for name in _ADDRESSED:
            for value in message.get_all(name, ()):
                letter.tokens |= _tokens(str(value))
        for text in _objects(message):
            _read_object(text, letter)
    except (RecursionError, LookupError, ValueError, TypeError, AttributeError) as error:
        # The standard parser fails in ways of its own on what is no mail.
        raise Unreadable(type(error).__name__) from None
    return letter


def _tokens(text: str) -> set[str]:
    return {found.lower() for found in TOKEN.findall(text)}


def _objects(message: Message) -> Iterator[str]:
    """The calendar objects of a message: parts that say so, and attachments that are named so."""
    for count, part in enumerate(message.walk()):
        if count >= MOST_PARTS:
            raise Unreadable("too many parts")
        kind, name = part.get_content_type(), str(part.get_filename() or "").lower()
        if part.is_multipart() or not (kind in ("text/calendar", "application/ics") or name.endswith(".ics")):
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            yield _decoded(payload, str(part.get_content_charset() or "utf-8"))


def _decoded(payload: bytes, charset: str) -> str:
    """iCalendar is UTF-8; what the part says of itself is believed only where that cannot be."""
    if payload[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return payload.decode("utf-16", "replace")
    try:
        return payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return payload.decode(charset, "replace")
    except LookupError:
        return payload.decode("latin-1")


def _read_object(text: str, letter: Letter) -> None:
    if "BEGIN:VCALENDAR" not in text.upper():
        raise Unreadable("no calendar object where the message says that there is one")
    method, inside = "", list[str]()
    event: dict[str, list[tuple[Mapping[str, str], str]]] = {}
    for line in re.split(r"\r?\n", _FOLD.sub("", text)):
        name, parameters, value = _line(line)
        if name == "BEGIN":
            inside.append(value.upper())
            event = {} if value.upper() == "VEVENT" else event
        elif name == "END":
            if inside and inside.pop() == "VEVENT" and method == "REPLY":
                _keep(event, letter)
        elif name == "METHOD" and inside == ["VCALENDAR"]:
            method = value.upper()
            letter.methods.add(method)
        elif inside == ["VCALENDAR", "VEVENT"]:
            event.setdefault(name, []).append((parameters, value))


def _line(line: str) -> tuple[str, Mapping[str, str], str]:
    found = _HEAD.fullmatch(line)
    if found is None:
        return "", {}, ""
    name, parameters, value = found.groups()
    pairs = {key.strip().upper(): said.strip('"') for key, said in _PARAMETER.findall(parameters)}
    return name.upper(), pairs, value.strip()


def _first(event: _Values, name: str) -> str:
    return event[name][0][1] if name in event else ""


def _keep(event: _Values, letter: Letter) -> None:
    if len(letter.replies) >= MOST_EVENTS:
        raise Unreadable("too many events")
    # Exchange leaves ORGANIZER out; where it stands it is the reply address.
    letter.tokens |= _tokens(_first(event, "ORGANIZER"))
    sequence = _first(event, "SEQUENCE")
    letter.replies.append(
        Reply(
            uid=_first(event, "UID"),
            answers={
                unquote(re.sub(r"(?i)^mailto:", "", value)).strip().casefold(): given.get(
                    "PARTSTAT", ""
                ).upper()
                for given, value in event.get("ATTENDEE", ())
            },
            sequence=int(sequence) if re.fullmatch(r"[0-9]{1,9}", sequence) else 0,
            stamp=_stamp(_first(event, "DTSTAMP")),
            recurrence=_first(event, "RECURRENCE-ID") or None,
        )
    )


def _stamp(value: str) -> datetime | None:
    """When it was answered, where that is said as RFC 5545 wants it."""
    try:
        return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
