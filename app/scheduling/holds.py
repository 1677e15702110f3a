"""Holding a time while it is being booked: for a few minutes nobody else gets it."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.core import clock
from app.core.errors import Conflict, Forbidden, invalid
from app.core.locks import lock
from app.pairings import queries as pairings
from app.scheduling import diaries, queries
from app.scheduling.models import HeldTime, Hold
from app.scheduling.slot_schemas import HoldCreate

HOLD: Final = timedelta(minutes=5)
HORIZON: Final = timedelta(days=730)
HELD: Final = "Somebody is just booking that time. Choose another one, or try again in a few minutes."


async def create(db: AsyncSession, actor: Actor, pairing_id: UUID, body: HoldCreate) -> Hold:
    """Keep a time free in everyone's diary, instead of the one that I held until now."""
    pairing, party = await pairings.party(db, actor, pairing_id)
    people = {row.account_id for row in party}
    if actor.account_id not in people:
        raise Forbidden("not_a_participant", "Only its participants arrange meetings.")
    pairing.must_be_active()
    now = clock.now()
    if not now <= body.starts_at <= now + HORIZON:
        raise invalid("/starts_at", "Give a time that lies ahead, within two years.", "not_ahead")
    ends_at = body.starts_at + timedelta(minutes=body.duration_minutes)
    during = Range(body.starts_at, ends_at, bounds="[)")
    await lock(db, "booking", *people)
    await diaries.clear_holds(db, expired_of=people, by=actor.account_id)
    if await queries.taken(db, list(people), during):
        raise Conflict("time_taken", "That time has just been taken. Choose another time.")
    if await diaries.held(db, people, during, besides=[]):
        raise Conflict("time_held", HELD)
    made = Hold(
        account_id=actor.account_id,
        pairing_id=pairing_id,
        starts_at=body.starts_at,
        ends_at=ends_at,
        expires_at=now + HOLD,
    )
    db.add(made)
    try:
        await db.flush()
        db.add_all(HeldTime(hold_id=made.id, account_id=one, during=during) for one in people)
        await db.flush()
    except IntegrityError:
        raise Conflict("time_held", HELD) from None
    return made


async def release(db: AsyncSession, actor: Actor, hold_id: UUID) -> None:
    """Let a time go that I held."""
    await db.delete(await diaries.hold(db, actor, hold_id))
