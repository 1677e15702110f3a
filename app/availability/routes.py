"""Hours, days off, absences and holidays over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from app.accounts.auth import CurrentActor
from app.availability import queries, service
from app.availability.models import Absence, Schedule
from app.availability.schemas import (
    AbsenceCreate,
    AbsenceRead,
    Holidays,
    PairingScheduleRead,
    ScheduleChoice,
    ScheduleRead,
    ScheduleReplace,
    ScheduleWrite,
)
from app.core.db import Db
from app.core.errors import Conflict, Forbidden, NotFound, Unauthenticated, problems
from app.core.idempotency import OnceOnly
from app.core.paging import Page, Paging, fetch

router = APIRouter(prefix="/v1", tags=["availability"])
_seen = problems(Unauthenticated, NotFound)
_mine = problems(Unauthenticated, NotFound, Conflict)


@router.get("/schedules", response_model=Page[ScheduleRead], responses=problems(Unauthenticated))
async def list_schedules(actor: CurrentActor, db: Db, paging: Paging) -> Page[ScheduleRead]:
    """My schedules; while there is none, weekdays from nine to five in my zone are assumed."""
    rows, cursor = await fetch(db, queries.schedules(actor), Schedule.id, paging)
    return Page(items=await service.present(db, rows), next_cursor=cursor)


@router.post(
    "/schedules",
    status_code=201,
    response_model=ScheduleRead,
    responses=problems(Unauthenticated, Conflict),
)
async def create_schedule(body: ScheduleWrite, actor: CurrentActor, db: Db, once: OnceOnly) -> ScheduleRead:
    """Add a schedule: hours on the wall of a zone, and what I ask of meetings in them."""

    async def make() -> tuple[UUID, ScheduleRead]:
        made = await service.create(db, actor, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: service.read(db, actor, made))


@router.get("/schedules/{schedule_id}", response_model=ScheduleRead, responses=_seen)
async def read_schedule(schedule_id: UUID, actor: CurrentActor, db: Db) -> ScheduleRead:
    """One of my schedules."""
    return await service.read(db, actor, schedule_id)


@router.put("/schedules/{schedule_id}", response_model=ScheduleRead, responses=_mine)
async def replace_schedule(
    schedule_id: UUID, body: ScheduleReplace, actor: CurrentActor, db: Db
) -> ScheduleRead:
    """Write a schedule anew; refused when it was changed since `version` was read."""
    return await service.replace(db, actor, schedule_id, body)


@router.delete("/schedules/{schedule_id}", status_code=204, responses=_mine)
async def delete_schedule(schedule_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Delete a schedule; the default only as the last one."""
    await service.delete(db, actor, schedule_id)


@router.put(
    "/pairings/{pairing_id}/schedule",
    response_model=PairingScheduleRead,
    responses=problems(Unauthenticated, Forbidden, NotFound, Conflict),
)
async def choose_schedule(
    pairing_id: UUID, body: ScheduleChoice, actor: CurrentActor, db: Db
) -> PairingScheduleRead:
    """Say which of my schedules holds for one mentorship."""
    return await service.choose(db, actor, pairing_id, body)


@router.get("/absences", response_model=Page[AbsenceRead], responses=problems(Unauthenticated))
async def list_absences(actor: CurrentActor, db: Db, paging: Paging) -> Page[AbsenceRead]:
    """When I cannot meet, also in the past."""
    rows, cursor = await fetch(db, queries.absences(actor), Absence.id, paging)
    return Page(items=[AbsenceRead.model_validate(row) for row in rows], next_cursor=cursor)


@router.post(
    "/absences", status_code=201, response_model=AbsenceRead, responses=problems(Unauthenticated, Conflict)
)
async def create_absence(body: AbsenceCreate, actor: CurrentActor, db: Db, once: OnceOnly) -> Absence:
    """Be away for some time, or pause until further notice; what is booked stays booked."""

    async def make() -> tuple[UUID, Absence]:
        made = await service.be_away(db, actor, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: queries.absence(db, actor, made))


@router.delete("/absences/{absence_id}", status_code=204, responses=_seen)
async def delete_absence(absence_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Take an absence back, or end a pause."""
    await service.be_back(db, actor, absence_id)


@router.get("/organisations/{organisation_id}/holidays", response_model=Holidays, responses=_seen)
async def read_holidays(organisation_id: UUID, actor: CurrentActor, db: Db) -> Holidays:
    """The days off of one of my organisations; nobody in it is offered for them."""
    return await service.holidays(db, actor, organisation_id)


@router.put(
    "/organisations/{organisation_id}/holidays",
    response_model=Holidays,
    responses=problems(Unauthenticated, Forbidden, NotFound),
)
async def set_holidays(organisation_id: UUID, body: Holidays, actor: CurrentActor, db: Db) -> Holidays:
    """Write all days off of an organisation that I coordinate."""
    return await service.set_holidays(db, actor, organisation_id, body)
