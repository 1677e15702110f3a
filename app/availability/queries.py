"""Reading when people can meet: one's own, and for the rooms above everybody's in one query per kind."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.accounts.models import Account
from app.availability.models import Absence, Holiday, PairingSchedule, Schedule
from app.core.errors import NotFound
from app.organisations.models import Membership


def schedules(actor: Actor) -> Select[Schedule]:
    """The actor's schedules."""
    return select(Schedule).where(Schedule.account_id == actor.account_id)


async def schedule(db: AsyncSession, actor: Actor, schedule_id: UUID, *, lock: bool = False) -> Schedule:
    """One of the actor's schedules, locked for change if asked."""
    statement = schedules(actor).where(Schedule.id == schedule_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    found = await db.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound()
    return found


async def default(db: AsyncSession, account_id: UUID) -> Schedule | None:
    """The schedule that holds wherever someone chose no other."""
    return await db.scalar(select(Schedule).where(Schedule.account_id == account_id, Schedule.is_default))


async def count(db: AsyncSession, kind: type[Schedule | Absence], account_id: UUID) -> int:
    """How many of these somebody has."""
    found = select(func.count()).select_from(kind).where(kind.account_id == account_id)
    return await db.scalar(found) or 0


async def chosen(db: AsyncSession, schedule_ids: Collection[UUID]) -> list[PairingSchedule]:
    """The mentorships that these schedules were chosen for."""
    rows = await db.scalars(
        select(PairingSchedule)
        .where(PairingSchedule.schedule_id.in_(schedule_ids))
        .order_by(PairingSchedule.pairing_id)
    )
    return list(rows)


async def choose(db: AsyncSession, account_id: UUID, pairing_id: UUID, schedule_id: UUID | None) -> bool:
    """Let a schedule hold for a mentorship, or none of its own; False when it was so."""
    if schedule_id is None:
        gone = delete(PairingSchedule).where(
            PairingSchedule.account_id == account_id, PairingSchedule.pairing_id == pairing_id
        )
        return (await db.scalar(gone.returning(PairingSchedule.pairing_id))) is not None
    row = insert(PairingSchedule).values(
        account_id=account_id, pairing_id=pairing_id, schedule_id=schedule_id
    )
    said = row.on_conflict_do_update(
        index_elements=["pairing_id", "account_id"],
        set_={"schedule_id": row.excluded.schedule_id},
        where=PairingSchedule.schedule_id != row.excluded.schedule_id,
    )
    return (await db.scalar(said.returning(PairingSchedule.pairing_id))) is not None


def absences(actor: Actor) -> Select[Absence]:
    """The actor's absences."""
    return select(Absence).where(Absence.account_id == actor.account_id)


async def absence(db: AsyncSession, actor: Actor, absence_id: UUID) -> Absence:
    """One of the actor's absences, locked."""
    found = await db.scalar(absences(actor).where(Absence.id == absence_id).with_for_update(key_share=True))
    if found is None:
        raise NotFound()
    return found


async def holidays(db: AsyncSession, organisation_id: UUID) -> list[Holiday]:
    """An organisation's days off, in order; the caller has checked that the actor is in it."""
    rows = await db.scalars(
        select(Holiday).where(Holiday.organisation_id == organisation_id).order_by(Holiday.day)
    )
    return list(rows)


async def clear_holidays(db: AsyncSession, organisation_id: UUID) -> None:
    """Take all of an organisation's days off away."""
    await db.execute(delete(Holiday).where(Holiday.organisation_id == organisation_id))


# For the rooms above, of people that they have checked


class Plan(NamedTuple):
    """The schedule that holds for somebody; `assumed` when they have made none."""

    schedule: Schedule
    assumed: bool


async def plans(
    db: AsyncSession, account_ids: Collection[UUID], pairing_id: UUID | None = None
) -> dict[UUID, Plan]:
    """What holds for each of these people, in a mentorship or anywhere."""
    choice = and_(PairingSchedule.account_id == Account.id, PairingSchedule.pairing_id == pairing_id)
    holds = or_(
        Schedule.id == PairingSchedule.schedule_id,
        and_(PairingSchedule.schedule_id.is_(None), Schedule.is_default),
    )
    rows = await db.execute(
        select(Account.id, Account.zone, Schedule)
        .outerjoin(PairingSchedule, choice)
        .outerjoin(Schedule, and_(Schedule.account_id == Account.id, holds))
        .where(Account.id.in_(account_ids))
    )
    return {
        account_id: Plan(
            Schedule(account_id=account_id, name="", zone=zone) if held is None else held, held is None
        )
        for account_id, zone, held in cast("Iterable[tuple[UUID, str, Schedule | None]]", rows)
    }


class Away(NamedTuple):
    """Someone's absence; what they noted of it stays theirs."""

    account_id: UUID
    start: datetime
    end: datetime | None


async def away(db: AsyncSession, account_ids: Collection[UUID], start: datetime, end: datetime) -> list[Away]:
    """The absences of these people that touch a span of time."""
    rows = await db.execute(
        select(Absence.account_id, Absence.starts_at, Absence.ends_at).where(
            Absence.account_id.in_(account_ids),
            Absence.starts_at < end,
            or_(Absence.ends_at.is_(None), Absence.ends_at > start),
        )
    )
    return [Away(*row) for row in rows]


async def days_off(
    db: AsyncSession, account_ids: Collection[UUID], first: date, last: date
) -> list[tuple[UUID, date]]:
    """The holidays of the organisations that these people are in."""
    rows = await db.execute(
        select(Membership.account_id, Holiday.day)
        .join(Holiday, Holiday.organisation_id == Membership.organisation_id)
        .where(
            Membership.account_id.in_(account_ids),
            Membership.ended_at.is_(None),
            Holiday.day.between(first, last),
        )
    )
    return [(account_id, day) for account_id, day in rows]
