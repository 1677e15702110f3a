"""What the rooms above may react to."""

from datetime import datetime
from uuid import UUID

from app.core.db import Event
from signalling.contracts.calls import CallRecorded


class MeetingProposed(Event):
    meeting_id: UUID
    by_account_id: UUID


class MeetingBooked(Event):
    meeting_id: UUID
    by_account_id: UUID
    series_id: UUID | None = None
    """Of many that are booked together; people are told of them once, by what happens to the series."""


class MeetingDeclined(Event):
    meeting_id: UUID
    by_account_id: UUID


class MeetingCancelled(Event):
    meeting_id: UUID
    by_account_id: UUID | None
    series_id: UUID | None = None
    """As in `MeetingBooked`."""


class MeetingMoveProposed(Event):
    """Someone asks to move a booked meeting; until the others agree it stays where it is."""

    meeting_id: UUID
    by_account_id: UUID
    starts_at: datetime
    """When it would be instead."""
    ends_at: datetime


class MeetingMoveDeclined(Event):
    """A booked meeting stays where it is: somebody said no, or whoever had asked took it back."""

    meeting_id: UUID
    by_account_id: UUID
    withdrawn: bool


class MeetingEdited(Event):
    """A meeting has another title: what shows it must show that."""

    meeting_id: UUID
    by_account_id: UUID


class MeetingMoved(Event):
    """A booked meeting takes place at another time; the row holds the new one."""

    meeting_id: UUID
    by_account_id: UUID | None
    starts_at: datetime
    """When it would have been."""
    ends_at: datetime


class MeetingRetitled(Event):
    """A booked meeting has another title; its time is the same."""

    meeting_id: UUID
    by_account_id: UUID | None


class CallWasRecorded(Event):
    """A take of a call that we know is over; it may be told again."""

    fact: CallRecorded
