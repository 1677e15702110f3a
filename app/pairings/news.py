"""Who is told that a pairing is not what it was.

Each is told on the stream of their own membership, and told only to read it again: nothing in that needs to
be hidden from anyone, and whoever loses sight of a pairing is told as well.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.blocks import queries as blocks
from app.blocks.events import Blocked, Unblocked
from app.core import streams
from app.core.streams import Address, StreamKind
from app.organisations.events import ProfileEdited
from app.pairings import queries


async def tell(db: AsyncSession, pairing_id: UUID, *, also: Sequence[UUID] = ()) -> None:
    """Everyone who is shown it, and memberships that were until now."""
    onlookers = await queries.onlookers(db, [pairing_id])
    for membership_id in {*also, *(row.membership_id for row in onlookers)}:
        _tell(db, membership_id, pairing_id)


async def show_anew(db: AsyncSession, event: Blocked | Unblocked) -> None:
    """What two people had together is not shown to them any more, nor are they to each other; or again."""
    left, right = event.blocker_id, event.blocked_id
    if (right, left) in await blocks.pairs_among(db, (left, right)):
        return  # they were apart and stay it: whoever is blocked does not learn what the other one does
    for viewer, shown in ((left, right), (right, left)):
        for row in await queries.onlookers(db, queries.with_account(shown)):
            if row.account_id == viewer:
                _tell(db, row.membership_id, row.pairing_id)


async def profile_edited(db: AsyncSession, event: ProfileEdited) -> None:
    """A pairing shows the names of its people, and so do its meetings and conversations."""
    apart = await blocks.apart_from(db, event.account_id)
    for row in await queries.onlookers(db, queries.naming(event.membership_id)):
        if row.account_id not in apart:
            _tell(db, row.membership_id, row.pairing_id)


def _tell(db: AsyncSession, membership_id: UUID, pairing_id: UUID) -> None:
    streams.announce(db, Address(StreamKind.MEMBERSHIP, membership_id), "pairing.changed", pairing_id)
