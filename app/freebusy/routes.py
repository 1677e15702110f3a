"""Calendars that are read in over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from app.accounts.auth import CurrentActor, Door
from app.core.db import Db
from app.core.errors import Conflict, NotFound, TooManyRequests, Unauthenticated, problems
from app.core.idempotency import OnceOnly
from app.core.paging import Page, Paging, fetch
from app.freebusy import queries, service
from app.freebusy.models import ImportedCalendar
from app.freebusy.schemas import ImportedCalendarAdd, ImportedCalendarRead

router = APIRouter(prefix="/v1/imported-calendars", tags=["freebusy"])
_seen = problems(Unauthenticated, NotFound)


@router.post(
    "",
    status_code=201,
    response_model=ImportedCalendarRead,
    responses=problems(Unauthenticated, Conflict, TooManyRequests),
)
async def add_imported_calendar(
    body: ImportedCalendarAdd, actor: CurrentActor, door: Door, db: Db, once: OnceOnly
) -> ImportedCalendar:
    """Let the busy times of a calendar that I keep elsewhere count; at most 20."""

    async def make() -> tuple[UUID, ImportedCalendar]:
        made = await service.add(db, actor, door, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: queries.one(db, actor, made))


@router.get("", response_model=Page[ImportedCalendarRead], responses=problems(Unauthenticated))
async def list_imported_calendars(actor: CurrentActor, db: Db, paging: Paging) -> Page[ImportedCalendarRead]:
    """The calendars that I keep elsewhere, and how reading them went."""
    rows, cursor = await fetch(db, queries.own(actor), ImportedCalendar.id, paging)
    return Page(items=[ImportedCalendarRead.model_validate(row) for row in rows], next_cursor=cursor)


@router.delete("/{imported_calendar_id}", status_code=204, responses=_seen)
async def remove_imported_calendar(imported_calendar_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Forget a calendar; its times are free again."""
    await service.remove(db, actor, imported_calendar_id)


@router.post(
    "/{imported_calendar_id}/refresh",
    status_code=202,
    response_model=ImportedCalendarRead,
    responses=_seen | problems(TooManyRequests),
)
async def refresh_imported_calendar(
    imported_calendar_id: UUID, actor: CurrentActor, door: Door, db: Db
) -> ImportedCalendar:
    """Have a calendar read now."""
    return await service.refresh(db, actor, door, imported_calendar_id)
