"""What the rooms above must react to."""

from uuid import UUID

from app.core.db import Event


class Blocked(Event):
    """Two people are kept apart from now on."""

    blocker_id: UUID
    blocked_id: UUID


class Unblocked(Event):
    """A block was taken back; another one may still keep the two apart."""

    blocker_id: UUID
    blocked_id: UUID
