"""What travels about blocks."""

from datetime import datetime
from uuid import UUID

from app.core.schemas import Body, Read
from app.organisations.schemas import PersonBrief


class BlockCreate(Body):
    membership_id: UUID


class BlockRead(Read):
    id: UUID
    person: PersonBrief
    created_at: datetime
