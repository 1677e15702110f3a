"""Mails in which calendars answer, as programs write them."""

from datetime import datetime
from email.message import EmailMessage
from typing import Any

from app.core import clock


def object_of(
    uid: str,
    attendee: str,
    organiser: str | None,
    status: str = "ACCEPTED",
    *,
    sequence: int | None = 0,
    stamp: datetime | None = None,
    method: str = "REPLY",
    more: str = "",
) -> str:
    """The calendar object of an answer."""
    lines = [
        "BEGIN:VCALENDAR",
        "PRODID:-//Another//Calendar//EN",
        "VERSION:2.0",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{(stamp or clock.now()):%Y%m%dT%H%M%SZ}",
        *([f"SEQUENCE:{sequence}"] if sequence is not None else []),
        *([f"ORGANIZER:mailto:{organiser}"] if organiser else []),
        f"ATTENDEE;PARTSTAT={status};CN=\"Doe; Jane: 'J'\":mailto:{attendee}",
        *([more] if more else []),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines)


def letter(to: str, content: str | bytes, **how: Any) -> bytes:
    """A mail to the calendar address that holds this object."""
    message = EmailMessage()
    message["From"] = how.get("sender", "someone@example.org")
    message["To"] = to
    message["Subject"] = "Accepted: Meeting"
    message.set_content("Yes.")
    if isinstance(content, str):
        message.add_alternative(content, subtype="calendar", params={"method": "REPLY"})
    else:
        message.add_attachment(content, "application", "octet-stream", filename="invite.ICS")
    return message.as_bytes()


def reply(uid: str, attendee: str, to: str, status: str = "ACCEPTED", **how: Any) -> bytes:
    """A whole mail that answers."""
    return letter(to, object_of(uid, attendee, how.pop("organiser", to), status, **how))
