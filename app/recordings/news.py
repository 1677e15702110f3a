"""Who is told that what was recorded of a call is not what it was."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.blocks import queries as blocks
from app.core import streams
from app.core.streams import Address, StreamKind
from app.pairings.models import Kind
from app.recordings import queries
from app.recordings.models import Recording
from app.scheduling import queries as meetings


async def tell(db: AsyncSession, recording: Recording) -> None:
    """Everyone who is in the take and still shown its meeting."""
    inside = await queries.inside(db, recording.id)
    ever = await meetings.callers(db, {recording.call_id})
    apart = await blocks.pairs_among(db, {row.account_id for row in ever})
    for row in ever:
        # A pair that is kept apart is not shown its meetings at all.
        is_closed = row.kind != Kind.CIRCLE and bool(apart)
        if row.membership_id in inside and row.is_in and not is_closed:
            address = Address(StreamKind.MEMBERSHIP, row.membership_id)
            streams.announce(db, address, "call.changed", row.meeting_id)
