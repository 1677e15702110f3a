"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event


class CalendarSaidNo(Event):
    """Somebody's calendar declines a booked meeting, which stays booked: people decide."""

    meeting_id: UUID
    by_account_id: UUID
