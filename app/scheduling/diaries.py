"""What is booked and held in people's time: statements for whoever looks for slots, and for holds."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Uuid,
    all_,
    and_,
    any_,
    bindparam,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.core import clock
from app.core.errors import NotFound
from app.scheduling.models import Booking, HeldTime, Hold


class Taken(NamedTuple):
    """A booking, as whoever looks for slots needs it; the quiet around it in minutes."""

    account_id: UUID
    start: datetime
    end: datetime
    before: int
    after: int
    meeting_id: UUID


# Looking for slots asks these each time; making a statement takes longer than running it, so it is made once.
_ACCOUNTS: Final = bindparam("accounts", type_=ARRAY(Uuid()))
_DURING: Final = bindparam("during", type_=TSTZRANGE())
_BOOKINGS: Final = select(
    Booking.account_id,
    func.lower(Booking.during),
    func.upper(Booking.during),
    Booking.before_minutes,
    Booking.after_minutes,
    Booking.meeting_id,
).where(Booking.account_id == any_(_ACCOUNTS), Booking.during.overlaps(_DURING))
_HELD: Final = (
    select(HeldTime.account_id, Hold.starts_at, Hold.ends_at)
    .join(Hold, Hold.id == HeldTime.hold_id)
    .where(
        HeldTime.account_id == any_(_ACCOUNTS),
        HeldTime.during.overlaps(_DURING),
        Hold.expires_at > bindparam("now", type_=DateTime(timezone=True)),
        Hold.account_id != all_(bindparam("besides", type_=ARRAY(Uuid()))),
    )
)


async def bookings(db: AsyncSession, account_ids: Collection[UUID], during: Range[datetime]) -> list[Taken]:
    """What these people have booked in some of that time."""
    rows = await db.execute(_BOOKINGS, {"accounts": list(account_ids), "during": during})
    return [Taken(*row) for row in rows]


class Held(NamedTuple):
    """Time that somebody else is about to book."""

    account_id: UUID
    start: datetime
    end: datetime


async def held(
    db: AsyncSession, account_ids: Collection[UUID], during: Range[datetime], *, besides: Collection[UUID]
) -> list[Held]:
    """Which of that time is held in these people's diaries, by anyone except those."""
    given = {"accounts": list(account_ids), "during": during, "now": clock.now(), "besides": list(besides)}
    rows = await db.execute(_HELD, given)
    return [Held(*row) for row in rows]


async def hold(db: AsyncSession, actor: Actor, hold_id: UUID) -> Hold:
    """A hold of the actor's that has not expired, locked."""
    found = await db.scalar(
        select(Hold)
        .where(Hold.id == hold_id, Hold.account_id == actor.account_id, Hold.expires_at > clock.now())
        .with_for_update(key_share=True)
    )
    if found is None:
        raise NotFound()
    return found


async def clear_holds(
    db: AsyncSession, *, expired_of: Collection[UUID] | None = None, by: UUID | None = None
) -> None:
    """Remove expired holds (only in these people's diaries, if they are named), and what `by` holds."""
    old: ColumnElement[bool] = Hold.expires_at <= clock.now()
    if expired_of is not None:
        theirs = select(HeldTime.hold_id).where(HeldTime.account_id.in_(expired_of))
        old = and_(old, Hold.id.in_(theirs))
    wanted = select(Hold.id).where(or_(old, Hold.account_id == by)).order_by(Hold.id).with_for_update()
    await db.execute(
        delete(Hold)
        .where(Hold.id.in_(select(wanted.cte("wanted").c.id)))
        .execution_options(synchronize_session=False)
    )


async def use_up_hold(db: AsyncSession, account_id: UUID, pairing_id: UUID) -> None:
    """What somebody held in a mentorship has served."""
    await db.execute(
        delete(Hold)
        .where(Hold.account_id == account_id, Hold.pairing_id == pairing_id)
        .execution_options(synchronize_session=False)
    )
