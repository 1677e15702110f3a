"""What can be done about people one does not want to meet."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.blocks import queries
from app.blocks.events import Blocked
from app.blocks.models import Block
from app.blocks.schemas import BlockCreate
from app.core.db import emit
from app.core.locks import lock


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
    emit(db, Blocked(blocker_id=actor.account_id, blocked_id=person.account_id))
    return await queries.one(db, actor, made.id)


async def unblock(db: AsyncSession, actor: Actor, block_id: UUID) -> None:
    """Take a block back. What it ended stays ended."""
    await db.delete(await queries.one(db, actor, block_id))
    audit.record(db, actor.account_id, "block.lifted", block_id)
