"""Who is told that a meeting, or who was in its call, is not what it was."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.blocks import queries as blocks
from app.core import streams
from app.core.streams import Address, StreamKind
from app.pairings import queries as pairings
from app.pairings.models import Kind, Pairing
from app.scheduling import queries
from app.scheduling.models import Meeting


class Stay(NamedTuple):
    """Whose attendance changed, and in which call."""

    call_id: UUID
    membership_id: UUID


async def tell(db: AsyncSession, meeting: Meeting) -> None:
    """Everyone who takes part."""
    for membership_id in await pairings.taking_part(db, meeting.pairing_id):
        _tell(db, membership_id, "meeting.changed", meeting.id)


async def tell_who_sees(db: AsyncSession, meeting: Meeting, pairing: Pairing) -> None:
    """The same, unless it is hidden from the two people of a pair that a block parts."""
    accounts = {row.account_id for row in pairing.people().values()}
    if pairing.kind == Kind.CIRCLE or not await blocks.pairs_among(db, accounts):
        await tell(db, meeting)


async def tell_of_stays(db: AsyncSession, stays: Collection[Stay]) -> None:
    """Everyone who is shown this attendance: not those who are kept apart from whose stay it is."""
    if not stays:
        return
    ever = await queries.callers(db, {stay.call_id for stay in stays})
    accounts = {row.membership_id: row.account_id for row in ever}
    pairs = await blocks.pairs_among(db, set(accounts.values()))
    apart = {*pairs, *((right, left) for left, right in pairs)}
    for stay in stays:
        here = [row for row in ever if row.call_id == stay.call_id]
        for row in here:
            is_shown = (row.account_id, accounts.get(stay.membership_id)) not in apart
            # A pair that is kept apart is not shown its meetings at all.
            is_closed = row.kind != Kind.CIRCLE and any(
                (row.account_id, one.account_id) in apart for one in here
            )
            if row.is_in and is_shown and not is_closed:
                _tell(db, row.membership_id, "call.changed", row.meeting_id)


def _tell(db: AsyncSession, membership_id: UUID, kind: str, meeting_id: UUID) -> None:
    streams.announce(db, Address(StreamKind.MEMBERSHIP, membership_id), kind, meeting_id)
