"""Reading calendars that are kept elsewhere, and the times they take."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Select, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.accounts.models import Account
from app.core import clock
from app.core.errors import NotFound
from app.freebusy.models import BusyTime, ImportedCalendar


class Busy(NamedTuple):
    """A time that somebody has given to something elsewhere."""

    account_id: UUID
    start: datetime
    end: datetime


async def busy(db: AsyncSession, account_ids: Collection[UUID], start: datetime, end: datetime) -> list[Busy]:
    """When these people are busy elsewhere between `start` and `end`: whole times, by person and beginning.

    Those of one calendar do not touch each other; those of two of one person may overlap.
    """
    begin, finish = func.lower(BusyTime.during), func.upper(BusyTime.during)
    rows = await db.execute(
        select(BusyTime.account_id, begin, finish)
        .where(BusyTime.account_id.in_(account_ids), BusyTime.during.overlaps(Range(start, end, bounds="[)")))
        .order_by(BusyTime.account_id, begin, finish)
    )
    return [Busy(*row) for row in rows]


def own(actor: Actor) -> Select[ImportedCalendar]:
    """The actor's own calendars; nobody else sees that they exist."""
    return select(ImportedCalendar).where(ImportedCalendar.account_id == actor.account_id)


async def one(db: AsyncSession, actor: Actor, calendar_id: UUID) -> ImportedCalendar:
    """One of the actor's own calendars, locked."""
    statement = own(actor).where(ImportedCalendar.id == calendar_id).with_for_update(key_share=True)
    found = await db.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound()
    return found


async def count(db: AsyncSession, account_id: UUID) -> int:
    """How many calendars somebody has added."""
    counted = select(func.count()).where(ImportedCalendar.account_id == account_id)
    return await db.scalar(counted) or 0


class Taken(NamedTuple):
    """A calendar that a worker is to read now, and whose it is."""

    calendar: ImportedCalendar
    zone: str
    email: str


async def take_due(db: AsyncSession, lease: timedelta) -> Taken | None:
    """Take the calendar that has waited longest; no other worker reads it before the lease is over."""
    now = clock.now()
    free = or_(ImportedCalendar.taken_until.is_(None), ImportedCalendar.taken_until < now)
    due = (
        select(ImportedCalendar.id)
        .where(ImportedCalendar.next_try_at <= now, free)
        .order_by(ImportedCalendar.next_try_at)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
        .scalar_subquery()
    )
    taken = await db.scalar(
        update(ImportedCalendar)
        .where(ImportedCalendar.id == due)
        .values(taken_until=now + lease)
        .returning(ImportedCalendar)
    )
    if taken is None:
        return None
    owner = select(Account.zone, Account.email).where(Account.id == taken.account_id)
    zone, email = (await db.execute(owner)).one()
    return Taken(taken, zone, email)


async def still_taken(
    db: AsyncSession, calendar_id: UUID, taken_until: datetime | None
) -> ImportedCalendar | None:
    """The calendar, locked, if the lease on it is still the same; None when it is gone or somebody else's."""
    return await db.scalar(
        select(ImportedCalendar)
        .where(ImportedCalendar.id == calendar_id, ImportedCalendar.taken_until == taken_until)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


_REPLACE = text(
    """
    WITH wanted AS (
        SELECT tstzrange(starts, ends, '[)') AS during FROM unnest(:starts, :ends) AS span (starts, ends)
    ), gone AS (
        DELETE FROM busy_time WHERE calendar_id = :calendar AND during NOT IN (SELECT during FROM wanted)
    )
    INSERT INTO busy_time (calendar_id, account_id, during)
    SELECT :calendar, :account, during FROM wanted ON CONFLICT DO NOTHING
    """
).bindparams(
    bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
    bindparam("ends", type_=ARRAY(DateTime(timezone=True))),
)


async def replace_times(
    db: AsyncSession, calendar: ImportedCalendar, times: Sequence[tuple[datetime, datetime]]
) -> None:
    """Let these be all the times that a calendar takes; only what is otherwise is written."""
    given = {
        "calendar": calendar.id,
        "account": calendar.account_id,
        "starts": [start for start, _ in times],
        "ends": [end for _, end in times],
    }
    await db.execute(_REPLACE, given)
