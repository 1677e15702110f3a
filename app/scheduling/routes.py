"""Meetings, call tickets and attendance over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts.auth import CurrentActor, Door
from app.core.db import Db
from app.core.errors import (
    ChangedMeanwhile,
    Conflict,
    Forbidden,
    MustSayWhich,
    NotFound,
    Unauthenticated,
    Unavailable,
    problems,
)
from app.core.idempotency import OnceOnly
from app.core.paging import Page, Paging, fetch
from app.core.preconditions import IfMatch, Tagged, tagged
from app.core.schemas import Instant
from app.pairings import queries as pairings
from app.scheduling import calls, diaries, holds, moves, offers, outcomes, policy, queries, service
from app.scheduling.models import Hold, Meeting, MeetingPolicy
from app.scheduling.schemas import (
    AttendanceRead,
    HistoryRead,
    MeetingAccept,
    MeetingCancel,
    MeetingEdit,
    MeetingPropose,
    MeetingRead,
    MeetingReschedule,
    OutcomeTell,
    PolicyRead,
    PolicySet,
    TicketRead,
)
from app.scheduling.slot_schemas import HoldCreate, HoldRead, SlotsAsk, SlotsRead

router = APIRouter(prefix="/v1", tags=["scheduling"])
_seen = problems(Unauthenticated, NotFound)
_done = problems(Unauthenticated, Forbidden, NotFound, Conflict)
_changed = tagged() | problems(Unauthenticated, NotFound, Conflict, ChangedMeanwhile)


@router.post(
    "/pairings/{pairing_id}/meetings",
    status_code=201,
    response_model=MeetingRead,
    responses=_done | tagged(201),
)
async def propose_meeting(
    pairing_id: UUID, body: MeetingPropose, actor: CurrentActor, db: Db, once: OnceOnly, tag: Tagged
) -> MeetingRead:
    """Propose up to three times; one is booked when the other side accepts. A circle's lead books at once."""

    async def make() -> tuple[UUID, MeetingRead]:
        made = await service.propose(db, actor, pairing_id, body)
        return made.id, made

    return tag(await once.create(db, actor.account_id, make, lambda made: service.read(db, actor, made)))


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


@router.get("/meetings/{meeting_id}", response_model=MeetingRead, responses=_seen | tagged())
async def read_meeting(meeting_id: UUID, actor: CurrentActor, db: Db, tag: Tagged) -> MeetingRead:
    """One meeting."""
    return tag(await service.read(db, actor, meeting_id))


@router.patch(
    "/meetings/{meeting_id}", response_model=MeetingRead, responses=_changed | problems(MustSayWhich)
)
async def edit_meeting(
    meeting_id: UUID, body: MeetingEdit, actor: CurrentActor, db: Db, seen: IfMatch, tag: Tagged
) -> MeetingRead:
    """Change the title or the agenda of a meeting as I read it; `If-Match` is needed."""
    return tag(await service.edit(db, actor, meeting_id, body, seen))


@router.post(
    "/meetings/{meeting_id}/accept", response_model=MeetingRead, responses=_changed | problems(Forbidden)
)
async def accept_meeting(
    meeting_id: UUID,
    actor: CurrentActor,
    db: Db,
    seen: IfMatch,
    tag: Tagged,
    body: MeetingAccept = service.ANY_TIME,
) -> MeetingRead:
    """Accept a proposed time, or pick one of several: it is booked, and nobody is booked twice."""
    return tag(await service.accept(db, actor, meeting_id, body, seen))


@router.post(
    "/meetings/{meeting_id}/decline", response_model=MeetingRead, responses=_changed | problems(Forbidden)
)
async def decline_meeting(
    meeting_id: UUID, actor: CurrentActor, db: Db, seen: IfMatch, tag: Tagged
) -> MeetingRead:
    """Decline what is proposed."""
    return tag(await service.decline(db, actor, meeting_id, seen))


@router.post("/meetings/{meeting_id}/cancel", response_model=MeetingRead, responses=_changed)
async def cancel_meeting(
    meeting_id: UUID,
    actor: CurrentActor,
    db: Db,
    seen: IfMatch,
    tag: Tagged,
    body: MeetingCancel = service.NO_REASON,
) -> MeetingRead:
    """Cancel a meeting: the time is free again, and a call under way ends."""
    return tag(await service.cancel(db, actor, meeting_id, body, seen))


@router.post("/meetings/{meeting_id}/reschedule", response_model=MeetingRead, responses=_changed)
async def reschedule_meeting(
    meeting_id: UUID,
    body: MeetingReschedule,
    actor: CurrentActor,
    db: Db,
    once: OnceOnly,
    seen: IfMatch,
    tag: Tagged,
) -> MeetingRead:
    """Ask to move a booked meeting; it stays where it is until the others agree.

    A circle's lead moves it at once. What cannot be moved (409) names its `successor`, if it has one.
    """
    return tag(
        await once.create(
            db,
            actor.account_id,
            lambda: moves.reschedule(db, actor, meeting_id, body, seen),
            lambda _: service.read(db, actor, meeting_id),
        )
    )


@router.post(
    "/meetings/{meeting_id}/move/accept", response_model=MeetingRead, responses=_changed | problems(Forbidden)
)
async def accept_move(
    meeting_id: UUID,
    actor: CurrentActor,
    db: Db,
    seen: IfMatch,
    tag: Tagged,
    body: MeetingAccept = service.ANY_TIME,
) -> MeetingRead:
    """Agree to the move that is asked for: the new time is taken, the old one is free again."""
    return tag(await moves.accept(db, actor, meeting_id, body, seen))


@router.post(
    "/meetings/{meeting_id}/move/decline",
    response_model=MeetingRead,
    responses=_changed | problems(Forbidden),
)
async def decline_move(
    meeting_id: UUID, actor: CurrentActor, db: Db, seen: IfMatch, tag: Tagged
) -> MeetingRead:
    """Refuse the move that is asked for, or take my own wish back: the meeting stays where it is."""
    return tag(await moves.decline(db, actor, meeting_id, seen))


@router.put("/meetings/{meeting_id}/outcome", response_model=MeetingRead, responses=_changed)
async def tell_outcome(
    meeting_id: UUID, body: OutcomeTell, actor: CurrentActor, db: Db, seen: IfMatch, tag: Tagged
) -> MeetingRead:
    """Say whether we met, once the meeting has begun: it counts more than what attendance shows."""
    return tag(await outcomes.tell(db, actor, meeting_id, body, seen))


@router.get("/meetings/{meeting_id}/history", response_model=HistoryRead, responses=_seen)
async def read_meeting_history(meeting_id: UUID, actor: CurrentActor, db: Db) -> HistoryRead:
    """What happened to a meeting: proposed, booked, moved, cancelled, by whom and when."""
    return await outcomes.history(db, actor, meeting_id)


@router.get("/organisations/{organisation_id}/meeting-policy", response_model=PolicyRead, responses=_seen)
async def read_meeting_policy(organisation_id: UUID, actor: CurrentActor, db: Db) -> MeetingPolicy:
    """What one of my organisations calls late and absent."""
    return await policy.read(db, actor, organisation_id)


@router.put(
    "/organisations/{organisation_id}/meeting-policy",
    response_model=PolicyRead,
    responses=problems(Unauthenticated, Forbidden, NotFound),
)
async def set_meeting_policy(
    organisation_id: UUID, body: PolicySet, actor: CurrentActor, db: Db
) -> MeetingPolicy:
    """Say what an organisation that I coordinate calls late and absent."""
    return await policy.write(db, actor, organisation_id, body)


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
    return await outcomes.attendance(db, actor, meeting_id)


@router.get("/pairings/{pairing_id}/slots", response_model=SlotsRead, responses=_done)
async def read_slots(
    pairing_id: UUID, actor: CurrentActor, db: Db, ask: Annotated[SlotsAsk, Query()]
) -> SlotsRead:
    """When we can meet: times that suit both, or at least half of a circle."""
    return await offers.of_pairing(db, actor, pairing_id, ask)


@router.get("/me/slots", response_model=SlotsRead, responses=problems(Unauthenticated))
async def read_my_slots(actor: CurrentActor, db: Db, ask: Annotated[SlotsAsk, Query()]) -> SlotsRead:
    """When I can meet, whoever it would be with."""
    return await offers.of_mine(db, actor, ask)


@router.post("/pairings/{pairing_id}/holds", status_code=201, response_model=HoldRead, responses=_done)
async def hold_slot(pairing_id: UUID, body: HoldCreate, actor: CurrentActor, db: Db, once: OnceOnly) -> Hold:
    """Hold a time for five minutes while I book it; it replaces what I held before."""

    async def make() -> tuple[UUID, Hold]:
        made = await holds.create(db, actor, pairing_id, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: diaries.hold(db, actor, made))


@router.delete("/holds/{hold_id}", status_code=204, responses=_seen)
async def release_hold(hold_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Let a time go that I held."""
    await holds.release(db, actor, hold_id)
