"""Who is told that somebody's calendar said something."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.blocks import queries as blocks
from app.core import streams
from app.core.streams import Address, StreamKind
from app.pairings.models import Pairing


async def tell(db: AsyncSession, meeting_id: UUID, pairing: Pairing, by_account_id: UUID) -> None:
    """Everyone who is shown this answer: not those who are kept apart from whose it is."""
    apart = await blocks.apart_from(db, by_account_id)
    for row in pairing.people().values():
        if row.ended_at is None and row.account_id not in apart:
            streams.announce(db, Address(StreamKind.MEMBERSHIP, row.id), "meeting.replied", meeting_id)
