"""What mails say: who and when, and where to look; never what was written."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

WEEK = timedelta(weeks=1)


class Letter(NamedTuple):
    """A mail without its address."""

    subject: str
    text: str


class Appointment(NamedTuple):
    """A meeting as one reader is told of it."""

    meeting_id: UUID
    with_whom: str
    starts_at: datetime
    ends_at: datetime


def when(at: datetime, zone: str) -> str:
    """An instant in somebody's own zone, which is named."""
    return at.astimezone(ZoneInfo(zone)).strftime(f"%a %d %b %Y, %H:%M ({zone})")


def of_meeting(one: Appointment, zone: str, url: str) -> Letter:
    """That a meeting comes."""
    sentence = f"You meet {one.with_whom} on {when(one.starts_at, zone)}"
    return Letter(
        f"Reminder: {sentence[0].lower()}{sentence[1:]}", f"{sentence}.\n\n{url}/meetings/{one.meeting_id}\n"
    )


def of_day(day: date, meetings: Sequence[Appointment], zone: str, url: str) -> Letter:
    """All meetings of a day."""
    own = ZoneInfo(zone)
    lines = [
        f"{one.starts_at.astimezone(own):%H:%M} to {one.ends_at.astimezone(own):%H:%M}  {one.with_whom}\n"
        f"{url}/meetings/{one.meeting_id}\n"
        for one in meetings
    ]
    title = f"Your meetings on {day:%a %d %b %Y}"
    return Letter(title, f"{title} ({zone}):\n\n" + "\n".join(lines))


def weeks(since: datetime, now: datetime) -> str:
    """For how long, in whole weeks."""
    count = (now - since) // WEEK
    return f"{count} week" if count == 1 else f"{count} weeks"


def of_quiet(with_whom: str, long: str, pairing_id: UUID, url: str) -> Letter:
    """To the two people of a mentorship who have not met for so long."""
    sentence = f"You and {with_whom} have not met for {long}"
    return Letter(
        sentence, f"{sentence}. Pick a time, or say that it is over:\n\n{url}/pairings/{pairing_id}\n"
    )


def of_quiet_people(names: Sequence[str], long: str, url: str) -> Letter:
    """To those who coordinate these people's organisation: who has not met, and not whom."""
    sentence = f"A mentorship of {' and '.join(names)} has been quiet for {long}"
    return Letter(sentence, f"{sentence}: no meeting took place, and none is booked.\n\n{url}/organisation\n")
