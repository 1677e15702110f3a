"""How meetings went and what happened to them: what people say of it, and what they read."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.blocks import queries as blocks
from app.core.errors import Conflict
from app.core.preconditions import ANY, Seen
from app.organisations import queries as organisations
from app.pairings import queries as pairings
from app.scheduling import news, particulars, queries, service
from app.scheduling.history import History
from app.scheduling.models import MeetingStatus
from app.scheduling.schemas import (
    AttendanceRead,
    HistoryRead,
    MeetingRead,
    OutcomeTell,
    StayRead,
    Viewer,
    own_parts,
)


async def tell(
    db: AsyncSession, actor: Actor, meeting_id: UUID, body: OutcomeTell, seen: Seen = ANY
) -> MeetingRead:
    """Say whether a meeting that has begun took place; that counts more than what attendance shows."""
    meeting = await queries.get(db, actor, meeting_id)
    pairing = await pairings.one(db, meeting.pairing_id)
    pairing.must_be_active()
    if meeting.status != MeetingStatus.BOOKED:
        raise meeting.refusal(f"meeting_{meeting.status}", f"This meeting is {meeting.status}.")
    if not meeting.begun:
        raise Conflict("meeting_ahead", "This meeting has not begun. Say how it went afterwards.")
    seen.must_be(meeting.version)
    meeting.went(body.held, [], "person")
    meeting.outcome_note = body.note or None
    meeting.outcome_by_id = own_parts(pairing, actor.account_id)[0].membership_id
    audit.record(db, actor.account_id, "meeting.outcome_told", meeting.id)
    await news.tell(db, meeting)
    return await service.read(db, actor, meeting.id)


async def attendance(db: AsyncSession, actor: Actor, meeting_id: UUID) -> AttendanceRead:
    """Who was in the call, from when to when."""
    meeting = await queries.get(db, actor, meeting_id, lock=False)
    stays = await queries.attendance(db, meeting.id)
    people = await organisations.by_ids(db, {stay.membership_id for stay in stays})
    apart = await blocks.apart_from(db, actor.account_id)
    mine = await queries.qualities(db, meeting.id, actor.account_id)
    return AttendanceRead(
        items=[
            StayRead(
                membership_id=stay.membership_id,
                name=people[stay.membership_id].name,
                joined_at=stay.joined_at,
                left_at=stay.left_at,
                reason=stay.reason,
                quality=mine.get(stay.id),
            )
            for stay in stays
            if people[stay.membership_id].account_id not in apart
        ]
    )


async def history(db: AsyncSession, actor: Actor, meeting_id: UUID) -> HistoryRead:
    """What happened to a meeting, by whom and when, as the actor may know it."""
    meeting = await queries.get(db, actor, meeting_id, lock=False)
    pairing = await pairings.one(db, meeting.pairing_id)
    viewer = Viewer(actor.account_id, await blocks.apart_from(db, actor.account_id))
    moves = await particulars.moves(db, meeting.id)
    options = (await particulars.options(db, [meeting.id])).get(meeting.id, ())
    return HistoryRead(items=History(meeting, pairing, viewer).tell(moves, options))
