"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event


class SessionEnded(Event):
    """A device was signed out, or its time was over."""

    session_id: UUID
    account_id: UUID


class ZoneChanged(Event):
    """Somebody lives by another clock now."""

    account_id: UUID
