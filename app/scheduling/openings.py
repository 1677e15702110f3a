"""Whether a time needs a yes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.pairings.models import Pairing


async def needs_no_yes(
    db: AsyncSession, pairing: Pairing, asking_account_id: UUID, starts_at: datetime, ends_at: datetime
) -> bool:
    """Whether everybody else lets others book this time without being asked."""
    del db, pairing, asking_account_id, starts_at, ends_at
    return False
