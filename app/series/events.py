"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event


class SeriesProposed(Event):
    series_id: UUID
    by_account_id: UUID


class SeriesAccepted(Event):
    """Its first meetings are booked; what `MeetingBooked` says of them names the series."""

    series_id: UUID
    by_account_id: UUID


class SeriesDeclined(Event):
    series_id: UUID
    by_account_id: UUID


class SeriesCancelled(Event):
    """All of it, or from an occurrence on; by nobody when its mentorship ended."""

    series_id: UUID
    by_account_id: UUID | None
