"""Meetings, call tickets and attendance over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts.auth import CurrentActor, Door
from app.core.db import Db
from app.core.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable, problems
from app.core.idempotency import OnceOnly
from app.core.paging import Page, Paging, fetch
from app.core.schemas import Instant
from app.pairings import queries as pairings
from app.scheduling import calls, holds, openings, queries, service
from app.scheduling.models import Hold, Meeting
from app.scheduling.schemas import (
    AttendanceRead,
    HoldCreate,
    HoldRead,
    MeetingPropose,
    MeetingRead,
    SlotsAsk,
    SlotsRead,
    TicketRead,
)

router = APIRouter(prefix="/v1", tags=["scheduling"])
_seen = problems(Unauthenticated, NotFound)
_done = problems(Unauthenticated, Forbidden, NotFound, Conflict)


@router.post("/pairings/{pairing_id}/meetings", status_code=201, response_model=MeetingRead, responses=_done)
async def propose_meeting(
    pairing_id: UUID, body: MeetingPropose, actor: CurrentActor, db: Db, once: OnceOnly
) -> MeetingRead:
    """Propose a time; it is booked when the other side accepts. A circle's lead books at once."""

    async def make() -> tuple[UUID, MeetingRead]:
        made = await service.propose(db, actor, pairing_id, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: service.read(db, actor, made))


@router.get("/pairings/{pairing_id}/meetings", response_model=Page[MeetingRead], responses=_seen)
async def list_pairing_meetings(
    pairing_id: UUID, actor: CurrentActor, db: Db, paging: Paging
) -> Page[MeetingRead]:
    """The meetings of one mentorship."""
    await pairings.get(db, actor, pairing_id, lock=False)
    statement = queries.visible_to(actor).where(Meeting.pairing_id == pairing_id)
    rows, cursor = await fetch(db, statement, Meeting.id, paging)
    return Page(items=await service.present(db, actor, rows), next_cursor=cursor)


@router.get("/meetings", response_model=Page[MeetingRead], responses=problems(Unauthenticated))
async def list_meetings(
    actor: CurrentActor,
    db: Db,
    paging: Paging,
    start: Annotated[Instant | None, Query(alias="from", description="Ending after this instant.")] = None,
    end: Annotated[Instant | None, Query(alias="to", description="Starting before this instant.")] = None,
) -> Page[MeetingRead]:
    """My meetings."""
    rows, cursor = await fetch(db, queries.between(actor, start, end), Meeting.id, paging)
    return Page(items=await service.present(db, actor, rows), next_cursor=cursor)


@router.get("/meetings/{meeting_id}", response_model=MeetingRead, responses=_seen)
async def read_meeting(meeting_id: UUID, actor: CurrentActor, db: Db) -> MeetingRead:
    """One meeting."""
    return await service.read(db, actor, meeting_id)


@router.post("/meetings/{meeting_id}/accept", response_model=MeetingRead, responses=_done)
async def accept_meeting(meeting_id: UUID, actor: CurrentActor, db: Db) -> MeetingRead:
    """Accept a proposed time: it is booked, and nobody is booked twice."""
    return await service.accept(db, actor, meeting_id)


@router.post("/meetings/{meeting_id}/decline", response_model=MeetingRead, responses=_done)
async def decline_meeting(meeting_id: UUID, actor: CurrentActor, db: Db) -> MeetingRead:
    """Decline a proposed time."""
    return await service.decline(db, actor, meeting_id)


@router.post(
    "/meetings/{meeting_id}/cancel",
    response_model=MeetingRead,
    responses=problems(Unauthenticated, NotFound, Conflict),
)
async def cancel_meeting(meeting_id: UUID, actor: CurrentActor, db: Db) -> MeetingRead:
    """Cancel a meeting: the time is free again, and a call under way ends."""
    return await service.cancel(db, actor, meeting_id)


@router.post(
    "/meetings/{meeting_id}/ticket",
    status_code=201,
    response_model=TicketRead,
    response_model_exclude_none=True,  # an RTCIceServer knows no null
    responses=_seen | problems(Conflict, Unavailable),
)
async def issue_ticket(meeting_id: UUID, actor: CurrentActor, door: Door, db: Db) -> TicketRead:
    """Leave to enter the meeting's call once, within a minute. See the protocol document for what follows."""
    return await calls.ticket(db, actor, door, meeting_id)


@router.get("/meetings/{meeting_id}/attendance", response_model=AttendanceRead, responses=_seen)
async def read_attendance(meeting_id: UUID, actor: CurrentActor, db: Db) -> AttendanceRead:
    """Who was in the meeting's call, from when to when."""
    return await service.attendance(db, actor, meeting_id)


@router.get("/pairings/{pairing_id}/slots", response_model=SlotsRead, responses=_done)
async def read_slots(
    pairing_id: UUID, actor: CurrentActor, db: Db, ask: Annotated[SlotsAsk, Query()]
) -> SlotsRead:
    """When we can meet: times that suit both, or at least half of a circle."""
    return await openings.of_pairing(db, actor, pairing_id, ask)


@router.get("/me/slots", response_model=SlotsRead, responses=problems(Unauthenticated))
async def read_my_slots(actor: CurrentActor, db: Db, ask: Annotated[SlotsAsk, Query()]) -> SlotsRead:
    """When I can meet, whoever it would be with."""
    return await openings.of_mine(db, actor, ask)


@router.post("/pairings/{pairing_id}/holds", status_code=201, response_model=HoldRead, responses=_done)
async def hold_slot(pairing_id: UUID, body: HoldCreate, actor: CurrentActor, db: Db, once: OnceOnly) -> Hold:
    """Hold a time for five minutes while I book it; it replaces what I held before."""

    async def make() -> tuple[UUID, Hold]:
        made = await holds.create(db, actor, pairing_id, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: queries.hold(db, actor, made))


@router.delete("/holds/{hold_id}", status_code=204, responses=_seen)
async def release_hold(hold_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Let a time go that I held."""
    await holds.release(db, actor, hold_id)
