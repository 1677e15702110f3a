"""What can be done about when I can meet, and when an organisation does not."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.availability import queries
from app.availability.models import WEEKDAYS, Absence, Holiday, Schedule
from app.availability.schemas import (
    AbsenceCreate,
    HolidayRow,
    Holidays,
    PairingScheduleRead,
    ScheduleChoice,
    ScheduleRead,
    ScheduleReplace,
    ScheduleWrite,
)
from app.core import clock, streams
from app.core.errors import Conflict, Forbidden, NotFound, invalid
from app.core.locks import lock
from app.core.streams import Address, StreamKind
from app.organisations import queries as organisations
from app.pairings import queries as pairings

MOST_SCHEDULES = 20
MOST_ABSENCES = 500


async def present(db: AsyncSession, schedules: Sequence[Schedule]) -> list[ScheduleRead]:
    """Schedules as their owner sees them."""
    chosen = await queries.chosen(db, [row.id for row in schedules])
    return [
        ScheduleRead.of(row, [one.pairing_id for one in chosen if one.schedule_id == row.id])
        for row in schedules
    ]


async def read(db: AsyncSession, actor: Actor, schedule_id: UUID) -> ScheduleRead:
    """One of my schedules."""
    return (await present(db, [await queries.schedule(db, actor, schedule_id)]))[0]


async def create(db: AsyncSession, actor: Actor, body: ScheduleWrite) -> ScheduleRead:
    """Add a schedule; the first one is the default."""
    await lock(db, "schedule", actor.account_id)
    if await queries.count(db, Schedule, actor.account_id) >= MOST_SCHEDULES:
        raise Conflict("too_many_schedules", f"You can have {MOST_SCHEDULES} schedules. Delete one first.")
    made = Schedule(account_id=actor.account_id, name=body.name, zone=body.zone)
    before = await queries.default(db, actor.account_id)
    await _write(db, made, body, before)
    made.is_default = before is None or body.is_default
    db.add(made)
    await db.flush()
    audit.record(db, actor.account_id, "schedule.created", made.id)
    _tell(db, actor, made.id)
    return await read(db, actor, made.id)


async def replace(db: AsyncSession, actor: Actor, schedule_id: UUID, body: ScheduleReplace) -> ScheduleRead:
    """Write a schedule anew, unless somebody did since `version` was read."""
    await lock(db, "schedule", actor.account_id)
    held = await queries.schedule(db, actor, schedule_id, lock=True)
    if held.version != body.version:
        raise Conflict(
            "schedule_changed",
            "This schedule was changed since you opened it, perhaps by you on another device. Yours is not "
            "saved; read it again and put your changes in.",
        )
    if held.is_default and not body.is_default:
        raise Conflict("default_schedule", "One schedule is the default. Make another one it instead.")
    before = await queries.default(db, actor.account_id)
    await _write(db, held, body, before if before is not held else None)
    held.is_default = body.is_default
    held.version += 1
    held.updated_at = clock.now()
    await db.flush()
    audit.record(db, actor.account_id, "schedule.replaced", held.id)
    _tell(db, actor, held.id)
    return await read(db, actor, held.id)


async def _write(db: AsyncSession, schedule: Schedule, body: ScheduleWrite, before: Schedule | None) -> None:
    """Put what was sent into the row; the default `before` makes way if this is to be it."""
    for name in ScheduleWrite.model_fields.keys() - {"hours", "overrides", "is_default"}:
        setattr(schedule, name, getattr(body, name))
    week = sorted([WEEKDAYS.index(one.weekday), *one.span] for one in body.hours)
    schedule.hours = week
    schedule.overrides = {
        one.date.isoformat(): sorted(list(hours.span) for hours in one.hours) for one in body.overrides
    }
    if before is not None and body.is_default:
        before.is_default = False
        before.version += 1
        await db.flush()


async def delete(db: AsyncSession, actor: Actor, schedule_id: UUID) -> None:
    """Delete a schedule; where it was chosen, the default holds."""
    await lock(db, "schedule", actor.account_id)
    held = await queries.schedule(db, actor, schedule_id, lock=True)
    if held.is_default and await queries.count(db, Schedule, actor.account_id) > 1:
        raise Conflict("default_schedule", "This is your default. Make another schedule it first.")
    await db.delete(held)
    audit.record(db, actor.account_id, "schedule.deleted", schedule_id)
    _tell(db, actor, schedule_id)


async def choose(
    db: AsyncSession, actor: Actor, pairing_id: UUID, body: ScheduleChoice
) -> PairingScheduleRead:
    """Say which of my schedules holds for one mentorship."""
    pairing = await pairings.get(db, actor, pairing_id)
    if actor.account_id not in {person.account_id for person in pairing.people().values()}:
        raise Forbidden("not_a_participant", "Only its participants choose their hours for it.")
    pairing.must_be_active()
    if body.schedule_id is not None:
        try:
            await queries.schedule(db, actor, body.schedule_id)
        except NotFound:
            raise invalid("/schedule_id", "Name one of your schedules.", "not_your_schedule") from None
    if await queries.choose(db, actor.account_id, pairing_id, body.schedule_id):
        audit.record(db, actor.account_id, "schedule.chosen", pairing_id)
        _tell(db, actor, pairing_id)
    return PairingScheduleRead(pairing_id=pairing_id, schedule_id=body.schedule_id)


async def be_away(db: AsyncSession, actor: Actor, body: AbsenceCreate) -> Absence:
    """Cannot meet for some time, or until further notice. What is booked stays booked."""
    if body.ends_at is not None and body.ends_at <= body.starts_at:
        raise invalid("/ends_at", "Give an end after the start, or null.", "ends_before_it_starts")
    if body.ends_at is not None and body.ends_at <= clock.now():
        raise invalid("/ends_at", "Give an end that lies ahead.", "in_the_past")
    await lock(db, "absence", actor.account_id)
    if await queries.count(db, Absence, actor.account_id) >= MOST_ABSENCES:
        raise Conflict("too_many_absences", f"You can have {MOST_ABSENCES} absences. Delete old ones first.")
    made = Absence(
        account_id=actor.account_id, starts_at=body.starts_at, ends_at=body.ends_at, note=body.note
    )
    db.add(made)
    await db.flush()
    audit.record(db, actor.account_id, "absence.created", made.id)
    _tell(db, actor, made.id)
    return made


async def be_back(db: AsyncSession, actor: Actor, absence_id: UUID) -> None:
    """Take an absence back, or end a pause."""
    held = await queries.absence(db, actor, absence_id)
    await db.delete(held)
    audit.record(db, actor.account_id, "absence.deleted", absence_id)
    _tell(db, actor, absence_id)


async def holidays(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Holidays:
    """The days off of an organisation that I am in."""
    await organisations.organisation(db, actor, organisation_id)
    rows = await queries.holidays(db, organisation_id)
    return Holidays(items=[HolidayRow(date=row.day, name=row.name) for row in rows])


async def set_holidays(db: AsyncSession, actor: Actor, organisation_id: UUID, body: Holidays) -> Holidays:
    """Write all days off of an organisation that I coordinate."""
    own = await organisations.own_in(db, actor, organisation_id)
    if not own.coordinates:
        raise Forbidden("not_coordinator", "A coordinator writes the holidays.")
    await lock(db, "holiday", organisation_id)
    await queries.clear_holidays(db, organisation_id)
    db.add_all(Holiday(organisation_id=organisation_id, day=row.date, name=row.name) for row in body.items)
    await db.flush()
    audit.record(db, actor.account_id, "organisation.holidays_set", organisation_id)
    return await holidays(db, actor, organisation_id)


def paused(absences: Sequence[queries.Away], account_id: UUID, now: datetime) -> bool:
    """Whether somebody has stopped meeting until further notice."""
    return any(row.account_id == account_id and row.end is None and row.start <= now for row in absences)


def _tell(db: AsyncSession, actor: Actor, subject_id: UUID) -> None:
    """My other devices: everybody else asks for slots when they look."""
    streams.announce(db, Address(StreamKind.ACCOUNT, actor.account_id), "availability.changed", subject_id)
