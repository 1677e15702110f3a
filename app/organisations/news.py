"""Who is told that something in an organisation is not what it was."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import streams
from app.core.streams import Address, StreamKind
from app.organisations import queries
from app.organisations.models import Membership, Partnership


def tell_owner(db: AsyncSession, membership: Membership) -> None:
    """My profile or my roles changed, and with them what I see in this organisation."""
    streams.announce(db, Address(StreamKind.MEMBERSHIP, membership.id), "membership.changed", membership.id)


def tell_joined(db: AsyncSession, membership: Membership) -> None:
    """I am in one organisation more."""
    account = Address(StreamKind.ACCOUNT, membership.account_id)
    streams.announce(db, account, "memberships.changed", membership.id)


async def tell_coordinators(
    db: AsyncSession,
    organisation_ids: Collection[UUID],
    kind: str,
    subject_id: UUID,
    *,
    without: Collection[UUID] = (),
) -> None:
    """Those who coordinate these organisations, `without` some accounts."""
    for membership_id in await queries.coordinators(db, organisation_ids, without=without):
        streams.announce(db, Address(StreamKind.MEMBERSHIP, membership_id), kind, subject_id)


async def tell_both_sides(db: AsyncSession, partnership: Partnership) -> None:
    """Members see partnerships when they open their list; those who decide about them are told."""
    sides = (partnership.organisation_id, partnership.partner_id)
    await tell_coordinators(db, sides, "partnership.changed", partnership.id)
