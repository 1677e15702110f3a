"""What the rooms above must react to."""

from uuid import UUID

from app.core.db import Event


class Blocked(Event):
    """Two people are kept apart from now on."""

    blocker_id: UUID
    blocked_id: UUID
