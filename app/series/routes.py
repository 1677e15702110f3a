"""Recurrence rules and series of meetings over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts.auth import CurrentActor
from app.core.db import Db
from app.core.errors import Conflict, Forbidden, NotFound, Unauthenticated, problems
from app.core.idempotency import OnceOnly
from app.core.paging import Page, Paging, fetch
from app.core.schemas import Zone
from app.pairings import queries as pairings
from app.series import queries, service
from app.series.models import Series
from app.series.schemas import RecurrencePreview, SeriesCancel, SeriesChange, SeriesPropose, SeriesRead

router = APIRouter(prefix="/v1", tags=["series"])
_seen = problems(Unauthenticated, NotFound)
_done = problems(Unauthenticated, Forbidden, NotFound, Conflict)

Wall = Annotated[str, Query(max_length=19, examples=["1997-09-02T09:00:00"])]


@router.get("/recurrences/preview", response_model=RecurrencePreview, responses=problems(Unauthenticated))
async def preview_recurrence(
    actor: CurrentActor,
    db: Db,
    dtstart: Annotated[Wall, Query(description="From when on, in local time.")],
    zone: Annotated[Zone, Query()],
    rule: Annotated[
        str,
        Query(
            max_length=500,
            description="An RRULE of RFC 5545: DAILY, WEEKLY or MONTHLY with INTERVAL, COUNT or UNTIL, "
            "BYDAY, BYMONTHDAY, BYSETPOS and WKST. Anything else is refused with a reason.",
            examples=["FREQ=MONTHLY;BYDAY=1TU;COUNT=6"],
        ),
    ],
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 10,
    exdate: Annotated[
        list[Wall], Query(max_length=100, description="A local time to leave out; may be given again.")
    ] = [],  # noqa: B006 - FastAPI makes a new one for each request
) -> RecurrencePreview:
    """The next times of a rule, so that clients need not expand rules themselves."""
    return service.preview(rule, dtstart, zone, exdate, limit)


@router.post("/pairings/{pairing_id}/series", status_code=201, response_model=SeriesRead, responses=_done)
async def propose_series(
    pairing_id: UUID, body: SeriesPropose, actor: CurrentActor, db: Db, once: OnceOnly
) -> SeriesRead:
    """Propose to meet by a rule; its meetings are booked when the other side accepts.

    A circle's lead books at once. Meetings are made half a year ahead. What falls on an absence, a holiday or
    a time that is taken is skipped, and another time nearby is proposed for it if there is one.
    """

    async def make() -> tuple[UUID, SeriesRead]:
        made = await service.propose(db, actor, pairing_id, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: service.read(db, actor, made))


@router.get("/pairings/{pairing_id}/series", response_model=Page[SeriesRead], responses=_seen)
async def list_series(pairing_id: UUID, actor: CurrentActor, db: Db, paging: Paging) -> Page[SeriesRead]:
    """The series of one mentorship."""
    await pairings.get(db, actor, pairing_id, lock=False)
    statement = queries.visible_to(actor).where(Series.pairing_id == pairing_id)
    rows, cursor = await fetch(db, statement, Series.id, paging)
    return Page(items=await service.present(db, actor, rows), next_cursor=cursor)


@router.get("/series/{series_id}", response_model=SeriesRead, responses=_seen)
async def read_series(series_id: UUID, actor: CurrentActor, db: Db) -> SeriesRead:
    """One series, with its next meetings."""
    return await service.read(db, actor, series_id)


@router.post("/series/{series_id}/accept", response_model=SeriesRead, responses=_done)
async def accept_series(series_id: UUID, actor: CurrentActor, db: Db) -> SeriesRead:
    """Accept a proposed series: its meetings are booked."""
    return await service.accept(db, actor, series_id)


@router.post("/series/{series_id}/decline", response_model=SeriesRead, responses=_done)
async def decline_series(series_id: UUID, actor: CurrentActor, db: Db) -> SeriesRead:
    """Decline a proposed series."""
    return await service.decline(db, actor, series_id)


@router.post("/series/{series_id}/change", response_model=SeriesRead, responses=_done)
async def change_series(series_id: UUID, body: SeriesChange, actor: CurrentActor, db: Db) -> SeriesRead:
    """Change all that has not begun, or an occurrence and what follows.

    Another rule, time or length is answered with the series that will take the place of this one from there
    on, proposed to the other side (a circle's lead changes at once); a title alone changes at once. One
    occurrence is changed and cancelled as the meeting that it is.
    """
    return await service.change(db, actor, series_id, body)


@router.post("/series/{series_id}/cancel", response_model=SeriesRead, responses=_done)
async def cancel_series(series_id: UUID, body: SeriesCancel, actor: CurrentActor, db: Db) -> SeriesRead:
    """Cancel all that has not begun, or an occurrence and what follows; or take a proposal back."""
    return await service.cancel(db, actor, series_id, body)
