"""Who is told that a series is not what it was."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import streams
from app.core.streams import Address, StreamKind
from app.pairings import queries as pairings
from app.series.models import Series


async def tell(db: AsyncSession, series: Series) -> None:
    """Everyone who takes part."""
    for membership_id in await pairings.taking_part(db, series.pairing_id):
        streams.announce(db, Address(StreamKind.MEMBERSHIP, membership_id), "series.changed", series.id)
