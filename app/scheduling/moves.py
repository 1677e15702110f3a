"""Moving booked meetings to another time: asking, agreeing, refusing."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.core.db import emit
from app.core.errors import Conflict, invalid
from app.core.preconditions import ANY, Seen
from app.pairings.models import Kind, Pairing
from app.scheduling import news, openings, particulars, service
from app.scheduling.events import MeetingMoved, MeetingMoveDeclined, MeetingMoveProposed
from app.scheduling.models import Meeting, MeetingMove, MeetingStatus, MoveStatus
from app.scheduling.schemas import (
    MeetingAccept,
    MeetingRead,
    MeetingReschedule,
    MeetingVerb,
    decides,
    own_parts,
)


async def reschedule(
    db: AsyncSession, actor: Actor, meeting_id: UUID, body: MeetingReschedule, seen: Seen = ANY
) -> tuple[UUID, MeetingRead]:
    """Ask to move a booked meeting; moved at once where nobody needs to be asked. Returns the move's id too.

    Until the others agree, the meeting stays where it is. A later wish takes the place of an earlier one.
    """
    meeting, pairing = await _movable(db, actor, meeting_id)
    seen.must_be(meeting.version)
    service.must_lie_ahead(body.starts_at, "/starts_at")
    span = (body.starts_at, body.starts_at + timedelta(minutes=body.duration_minutes))
    if span == (meeting.starts_at, meeting.ends_at):
        raise invalid("/starts_at", "The meeting is at that time already. Give another one.", "same_time")
    await service.must_be_free(db, actor, pairing, span, meeting.id)
    mine = own_parts(pairing, actor.account_id)
    await service.supersede_move(db, meeting, mine[0].membership_id)
    move = MeetingMove(
        meeting_id=meeting.id,
        proposed_by_id=mine[0].membership_id,
        from_starts_at=meeting.starts_at,
        from_ends_at=meeting.ends_at,
        to_starts_at=span[0],
        to_ends_at=span[1],
        zone=body.zone,
        reason=body.reason or None,
    )
    db.add(move)
    leads = pairing.kind == Kind.CIRCLE and decides(pairing, mine)
    if leads or await openings.needs_no_yes(db, pairing, actor.account_id, *span):
        await _carry_out(db, actor, meeting, pairing, move)
    else:
        meeting.move_id = move.id
        audit.record(db, actor.account_id, "meeting.move_proposed", meeting.id)
        await news.tell(db, meeting)
        emit(
            db,
            MeetingMoveProposed(
                meeting_id=meeting.id, by_account_id=actor.account_id, starts_at=span[0], ends_at=span[1]
            ),
        )
    return move.id, await service.read(db, actor, meeting.id)


async def accept(
    db: AsyncSession,
    actor: Actor,
    meeting_id: UUID,
    body: MeetingAccept = service.ANY_TIME,
    seen: Seen = ANY,
) -> MeetingRead:
    """Agree to a move: the meeting takes the new time, if everybody still has it."""
    meeting, pairing, move = await _waiting(db, actor, meeting_id, "accept_move", seen)
    if body.starts_at not in (None, move.to_starts_at):
        raise Conflict("move_changed", "By now another time is asked for. Read the meeting again and decide.")
    await _carry_out(db, actor, meeting, pairing, move)
    return await service.read(db, actor, meeting.id)


async def decline(db: AsyncSession, actor: Actor, meeting_id: UUID, seen: Seen = ANY) -> MeetingRead:
    """Refuse a move, or take my own wish back: the meeting stays where it is."""
    meeting, pairing, move = await _waiting(db, actor, meeting_id, "decline_move", seen)
    mine = own_parts(pairing, actor.account_id)
    withdrawn = move.proposed_by_id in {part.membership_id for part in mine}
    status = MoveStatus.WITHDRAWN if withdrawn else MoveStatus.DECLINED
    move.decide(meeting, status, mine[0].membership_id)
    audit.record(db, actor.account_id, f"meeting.move_{status}", meeting.id)
    await news.tell(db, meeting)
    emit(
        db,
        MeetingMoveDeclined(meeting_id=meeting.id, by_account_id=actor.account_id, withdrawn=withdrawn),
    )
    return await service.read(db, actor, meeting.id)


async def _movable(db: AsyncSession, actor: Actor, meeting_id: UUID) -> tuple[Meeting, Pairing]:
    """A booked meeting that has not begun, locked, and its pairing."""
    meeting, pairing = await service.changeable(db, actor, meeting_id, MeetingStatus.BOOKED)
    if meeting.begun:
        raise meeting.refusal("meeting_running", "This meeting has begun; it cannot be moved any more.")
    return meeting, pairing


async def _waiting(
    db: AsyncSession, actor: Actor, meeting_id: UUID, verb: MeetingVerb, seen: Seen
) -> tuple[Meeting, Pairing, MeetingMove]:
    """The meeting, and the move of it that waits for an answer which is the actor's to give."""
    meeting, pairing = await _movable(db, actor, meeting_id)
    if meeting.move_id is None:
        raise Conflict("no_move", "Nobody asks to move this meeting, or not any more.")
    move = (await particulars.moves_by_ids(db, [meeting.move_id]))[meeting.move_id]
    if verb == "accept_move" and move.missed:
        raise Conflict("move_over", "The time that was asked for has passed. Ask for another one.")
    service.must_be_theirs(actor, verb, meeting, pairing, move)
    seen.must_be(meeting.version)
    return meeting, pairing, move


async def _carry_out(
    db: AsyncSession, actor: Actor, meeting: Meeting, pairing: Pairing, move: MeetingMove
) -> None:
    await service.take_time(db, actor, meeting, pairing, (move.to_starts_at, move.to_ends_at))
    was = (meeting.starts_at, meeting.ends_at)
    move.decide(meeting, MoveStatus.ACCEPTED, own_parts(pairing, actor.account_id)[0].membership_id)
    meeting.take_place(move.to_starts_at, move.to_ends_at, move.zone)
    audit.record(db, actor.account_id, "meeting.moved", meeting.id)
    await news.tell(db, meeting)
    emit(
        db,
        MeetingMoved(meeting_id=meeting.id, by_account_id=actor.account_id, starts_at=was[0], ends_at=was[1]),
    )
