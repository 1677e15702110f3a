"""Reading blocks, and the people who are left once they are applied."""

from collections.abc import Callable, Collection
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.accounts.auth import Actor
from app.blocks.models import Block
from app.core.errors import NotFound
from app.organisations import queries as organisations
from app.organisations.models import Membership

_known: list[Callable[[Actor], Select[UUID]]] = []


def also_known(membership_ids: Callable[[Actor], Select[UUID]]) -> None:
    """Let a room above name people whom the actor knows although they cannot be found (any more)."""
    if membership_ids not in _known:
        _known.append(membership_ids)


def kept_apart(account_id: UUID) -> CompoundSelect[UUID]:
    """The accounts that blocked this one or that it blocked."""
    return (
        select(Block.blocked_id)
        .where(Block.blocker_id == account_id)
        .union(select(Block.blocker_id).where(Block.blocked_id == account_id))
    )


async def pairs_among(db: AsyncSession, account_ids: Collection[UUID]) -> list[tuple[UUID, UUID]]:
    """Which of these people are kept apart from which others of them."""
    rows = await db.execute(
        select(Block.blocker_id, Block.blocked_id).where(
            Block.blocker_id.in_(account_ids), Block.blocked_id.in_(account_ids)
        )
    )
    return [(blocker, blocked) for blocker, blocked in rows]


def people_visible_to(actor: Actor, *, through: UUID | None = None) -> Select[Membership]:
    """The people the actor can find, without those kept apart and without the actor."""
    return organisations.visible_to(actor, through=through).where(
        Membership.account_id != actor.account_id,
        Membership.account_id.not_in(kept_apart(actor.account_id)),
    )


async def person(
    db: AsyncSession, actor: Actor, membership_id: UUID, *, through: UUID | None = None
) -> Membership:
    """Someone the actor can find."""
    found = await db.scalar(people_visible_to(actor, through=through).where(Membership.id == membership_id))
    if found is None:
        raise NotFound()
    return found


async def person_known(db: AsyncSession, actor: Actor, membership_id: UUID) -> Membership:
    """Someone the actor can find or deals with, also when a block stands between them already."""
    findable = organisations.visible_to(actor).with_only_columns(Membership.id).options()
    places = [Membership.id.in_(known(actor)) for known in _known]
    mine = select(Block.membership_id).where(Block.blocker_id == actor.account_id)
    found = await db.scalar(
        select(Membership)
        .where(
            Membership.id == membership_id,
            Membership.account_id != actor.account_id,
            or_(Membership.id.in_(findable), Membership.id.in_(mine), *places),
        )
        .options(joinedload(Membership.organisation))
    )
    if found is None:
        raise NotFound()
    return found


def own(actor: Actor) -> Select[Block]:
    """The actor's own blocks; being blocked is not told."""
    return (
        select(Block)
        .where(Block.blocker_id == actor.account_id)
        .options(joinedload(Block.person).joinedload(Membership.organisation))
    )


async def one(db: AsyncSession, actor: Actor, block_id: UUID) -> Block:
    """One of the actor's own blocks, locked."""
    statement = own(actor).where(Block.id == block_id).with_for_update(of=Block, key_share=True)
    found = await db.scalar(statement)
    if found is None:
        raise NotFound()
    return found


async def existing(db: AsyncSession, actor: Actor, account_id: UUID) -> Block | None:
    """The actor's block of a person."""
    return await db.scalar(own(actor).where(Block.blocked_id == account_id))


async def of_membership(db: AsyncSession, membership_id: UUID) -> list[Block]:
    """Who blocked a person as this membership: their lists show it. Only for reactions."""
    return list(await db.scalars(select(Block).where(Block.membership_id == membership_id)))


async def apart_from(db: AsyncSession, account_id: UUID) -> set[UUID]:
    """`kept_apart`, fetched."""
    return set(await db.scalars(kept_apart(account_id)))
