"""What travels about feeds, invitations and their answers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field, StrictBool

from app.calendars.models import Answer
from app.core.schemas import Body, Read


class CalendarSettingsRead(Read):
    invitations: bool = Field(description="Whether mails about booked meetings carry a calendar invitation.")


class CalendarSettingsWrite(Body):
    invitations: StrictBool


class CalendarFeedRead(Read):
    created_at: datetime | None = Field(description="When its secret was made; null where there is no feed.")


class CalendarFeedMade(Read):
    """The only time that the secret is shown. Whoever has the address reads my meetings."""

    url: str = Field(examples=["https://mentor.example.org/calendars/wq3mB0Yw3h5dQe7sJz1kTtX9uVbN2c.ics"])
    created_at: datetime


class MeetingReplyRead(Read):
    """What one person's calendar said."""

    membership_id: UUID
    name: str
    is_me: bool
    status: Answer
    at: datetime
    outdated: bool = Field(description="The meeting was moved since, and this answer was to another time.")


class MeetingRepliesRead(Read):
    items: list[MeetingReplyRead]


class InboundRead(Read):
    """What became of a mail: for the operator's mail server."""

    taken: bool
    reason: str | None
