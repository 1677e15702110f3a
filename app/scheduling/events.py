"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event
from signalling.contracts.calls import CallRecorded


class MeetingProposed(Event):
    meeting_id: UUID
    by_account_id: UUID


class MeetingBooked(Event):
    meeting_id: UUID
    by_account_id: UUID


class MeetingDeclined(Event):
    meeting_id: UUID
    by_account_id: UUID


class MeetingCancelled(Event):
    meeting_id: UUID
    by_account_id: UUID | None


class CallWasRecorded(Event):
    """A take of a call that we know is over; it may be told again."""

    fact: CallRecorded
