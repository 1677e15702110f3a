"""What can be done about people one does not want to meet."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.blocks import queries
from app.blocks.events import Blocked, Unblocked
from app.blocks.models import Block
from app.blocks.schemas import BlockCreate
from app.core import streams
from app.core.db import emit
from app.core.locks import lock
from app.core.streams import Address, StreamKind
from app.organisations.events import ProfileEdited


async def block(db: AsyncSession, actor: Actor, body: BlockCreate) -> Block:
    """Keep a person away from now on, everywhere and both ways; blocking twice changes nothing."""
    person = await queries.person_known(db, actor, body.membership_id)
    await lock(db, "block", actor.account_id, person.account_id)
    existing = await queries.existing(db, actor, person.account_id)
    if existing is not None:
        return existing
    made = Block(blocker_id=actor.account_id, blocked_id=person.account_id, membership_id=person.id)
    db.add(made)
    await db.flush()
    audit.record(db, actor.account_id, "block.made", made.id)
    _tell_blocker(db, made)
    emit(db, Blocked(blocker_id=actor.account_id, blocked_id=person.account_id))
    return await queries.one(db, actor, made.id)


async def unblock(db: AsyncSession, actor: Actor, block_id: UUID) -> None:
    """Take a block back. What it ended stays ended."""
    lifted = await queries.one(db, actor, block_id)
    await lock(db, "block", lifted.blocker_id, lifted.blocked_id)
    await db.delete(lifted)
    audit.record(db, actor.account_id, "block.lifted", block_id)
    _tell_blocker(db, lifted)
    emit(db, Unblocked(blocker_id=actor.account_id, blocked_id=lifted.blocked_id))


async def profile_edited(db: AsyncSession, event: ProfileEdited) -> None:
    """Whoever blocked someone sees their name in the list of blocks."""
    for row in await queries.of_membership(db, event.membership_id):
        _tell_blocker(db, row)


def _tell_blocker(db: AsyncSession, block: Block) -> None:
    """Never the blocked: they are not to learn of it as a block."""
    streams.announce(db, Address(StreamKind.ACCOUNT, block.blocker_id), "blocks.changed", block.id)
