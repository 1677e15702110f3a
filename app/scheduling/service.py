"""What can be done about meetings."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.availability import queries as availability
from app.blocks import queries as blocks
from app.blocks.events import Blocked
from app.core import clock
from app.core.db import emit
from app.core.errors import Conflict, Forbidden, invalid
from app.core.locks import lock
from app.organisations import queries as organisations
from app.pairings import queries as pairings
from app.pairings.events import PairingEnded, ParticipantWentAway
from app.pairings.models import Kind, Pairing, Part
from app.scheduling import calls, holds, news, queries
from app.scheduling.events import MeetingBooked, MeetingCancelled, MeetingDeclined, MeetingProposed
from app.scheduling.models import Booking, Meeting, MeetingStatus
from app.scheduling.schemas import AttendanceRead, MeetingPropose, MeetingRead, StayRead, verbs

GRACE = timedelta(minutes=1)
"""A meeting may start this long ago: "now" takes a moment to arrive."""
HORIZON = timedelta(days=730)


async def present(db: AsyncSession, actor: Actor, meetings: Sequence[Meeting]) -> list[MeetingRead]:
    """The meetings as the actor sees them."""
    apart = await blocks.apart_from(db, actor.account_id)
    found = await pairings.by_ids(db, {meeting.pairing_id for meeting in meetings})
    return [MeetingRead.of(row, found[row.pairing_id], me=actor.account_id, apart=apart) for row in meetings]


async def read(db: AsyncSession, actor: Actor, meeting_id: UUID) -> MeetingRead:
    """One meeting as the actor sees it."""
    return (await present(db, actor, [await queries.get(db, actor, meeting_id, lock=False)]))[0]


async def propose(db: AsyncSession, actor: Actor, pairing_id: UUID, body: MeetingPropose) -> MeetingRead:
    """Propose a time to an active pairing; a circle's lead books it at once."""
    pairing = await pairings.get(db, actor, pairing_id)
    mine = [part for part in pairing.current() if part.person.account_id == actor.account_id]
    if not mine:
        raise Forbidden("not_a_participant", "Only its participants arrange meetings.")
    pairing.must_be_active()
    _must_lie_ahead(body)
    meeting = Meeting(
        pairing_id=pairing.id,
        proposed_by_id=mine[0].membership_id,
        starts_at=body.starts_at,
        ends_at=body.starts_at + timedelta(minutes=body.duration_minutes),
        zone=body.zone,
        title=body.title or None,
    )
    await _must_be_free(db, actor, meeting, pairing)
    db.add(meeting)
    await db.flush()
    audit.record(db, actor.account_id, "meeting.proposed", meeting.id)
    await news.tell(db, meeting)
    if pairing.kind == Kind.CIRCLE and any(part.role == Part.LEAD for part in mine):
        await _book(db, actor, meeting, pairing)
    else:
        await queries.use_up_hold(db, actor.account_id, pairing.id)
        emit(db, MeetingProposed(meeting_id=meeting.id, by_account_id=actor.account_id))
    return await read(db, actor, meeting.id)


def _must_lie_ahead(body: MeetingPropose) -> None:
    if body.starts_at < clock.now() - GRACE:
        raise invalid("/starts_at", "Give a time that lies ahead.", "in_the_past")
    if body.starts_at > clock.now() + HORIZON:
        raise invalid("/starts_at", "Give a time within the next two years.", "too_far_ahead")


def _during(meeting: Meeting) -> Range:  # type: ignore[type-arg]
    return Range(meeting.starts_at, meeting.ends_at, bounds="[)")


async def _must_be_free(db: AsyncSession, actor: Actor, meeting: Meeting, pairing: Pairing) -> None:
    people = {row.account_id: row for row in pairing.people().values()}
    busy = await queries.taken(db, list(people), _during(meeting))
    if actor.account_id in busy:
        raise Conflict("time_taken", "You have another meeting at that time. Choose another time.")
    if busy:
        # Whose time it is follows from a pairing of two; in a circle it stays between them.
        who = "Someone in the circle" if pairing.kind == Kind.CIRCLE else people[next(iter(busy))].name
        raise Conflict("time_taken", f"{who} has another meeting at that time. Choose another time.")
    # Whoever proposed it wants this time, whatever else they held meanwhile.
    proposer = next(
        (row.account_id for row in people.values() if row.id == meeting.proposed_by_id), actor.account_id
    )
    if await queries.held(db, list(people), _during(meeting), besides={actor.account_id, proposer}):
        raise Conflict("time_held", holds.HELD)


async def _book(db: AsyncSession, actor: Actor, meeting: Meeting, pairing: Pairing) -> None:
    """Take the time from everyone in it, or from nobody."""
    accounts = {row.account_id for row in pairing.people().values()}
    await lock(db, "booking", *accounts)
    await _must_be_free(db, actor, meeting, pairing)
    meeting.move("accept")
    plans = await availability.plans(db, accounts, pairing.id)
    db.add_all(
        Booking(
            meeting_id=meeting.id,
            account_id=account_id,
            during=_during(meeting),
            before_minutes=plan.schedule.buffer_before_minutes,
            after_minutes=plan.schedule.buffer_after_minutes,
        )
        for account_id, plan in plans.items()
    )
    await queries.use_up_hold(db, actor.account_id, pairing.id)
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict("time_taken", "That time has just been taken. Choose another time.") from None
    audit.record(db, actor.account_id, "meeting.booked", meeting.id)
    await news.tell(db, meeting)
    emit(db, MeetingBooked(meeting_id=meeting.id, by_account_id=actor.account_id))


async def _decidable(
    db: AsyncSession, actor: Actor, meeting_id: UUID, verb: str, *states: MeetingStatus
) -> tuple[Meeting, Pairing]:
    """The meeting and its pairing: 409 outside `states`, 403 when `verb` is for someone else."""
    meeting = await queries.get(db, actor, meeting_id)
    pairing = await pairings.one(db, meeting.pairing_id)
    pairing.must_be_active()
    if meeting.status not in states:
        raise Conflict(f"meeting_{meeting.status}", f"This meeting is {meeting.status}.")
    if meeting.over:
        raise Conflict("meeting_over", "This meeting lies in the past.")
    if verb not in verbs(meeting, pairing, actor.account_id):
        raise Forbidden("not_yours_to_decide", "This is for someone else in this meeting to do.")
    return meeting, pairing


async def accept(db: AsyncSession, actor: Actor, meeting_id: UUID) -> MeetingRead:
    """Say yes to a proposed time: it is booked for everyone in it."""
    meeting, pairing = await _decidable(db, actor, meeting_id, "accept", MeetingStatus.PROPOSED)
    await _book(db, actor, meeting, pairing)
    return await read(db, actor, meeting.id)


async def decline(db: AsyncSession, actor: Actor, meeting_id: UUID) -> MeetingRead:
    """Say no to a proposed time."""
    meeting, _ = await _decidable(db, actor, meeting_id, "decline", MeetingStatus.PROPOSED)
    meeting.move("decline")
    audit.record(db, actor.account_id, "meeting.declined", meeting.id)
    await news.tell(db, meeting)
    emit(db, MeetingDeclined(meeting_id=meeting.id, by_account_id=actor.account_id))
    return await read(db, actor, meeting.id)


async def cancel(db: AsyncSession, actor: Actor, meeting_id: UUID) -> MeetingRead:
    """Cancel a meeting: the time is free again, and a call under way ends."""
    meeting, _ = await _decidable(
        db, actor, meeting_id, "cancel", MeetingStatus.PROPOSED, MeetingStatus.BOOKED
    )
    await _cancel(db, meeting, actor.account_id)
    return await read(db, actor, meeting.id)


async def _cancel(db: AsyncSession, meeting: Meeting, by_account_id: UUID | None) -> None:
    meeting.move("cancel")
    await queries.free(db, meeting.id)
    audit.record(db, by_account_id, "meeting.cancelled", meeting.id)
    await news.tell(db, meeting)
    emit(db, MeetingCancelled(meeting_id=meeting.id, by_account_id=by_account_id))
    call = await queries.call_of_meeting(db, meeting.id)
    if call is not None:
        await calls.end(db, call)


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


async def pairing_ended(db: AsyncSession, event: PairingEnded) -> None:
    """An ended pairing meets no more: what is booked is cancelled and a call under way ends at once."""
    for meeting in await queries.open_of_pairing(db, event.pairing_id):
        await _cancel(db, meeting, None)
    for call in await queries.calls_of_pairing(db, event.pairing_id):
        await calls.end(db, call)


async def keep_apart(db: AsyncSession, event: Blocked) -> None:
    """A circle outlives a block between two of its people, but not the call that they are in together."""
    for pairing in await pairings.circles_of_both(db, event.blocker_id, event.blocked_id):
        for call in await queries.calls_of_pairing(db, pairing):
            await calls.end(db, call)


async def participant_left(db: AsyncSession, event: ParticipantWentAway) -> None:
    """Whoever left a circle has that time back, and is put out of a call that is under way."""
    for meeting in await queries.open_of_pairing(db, event.pairing_id):
        await queries.free(db, meeting.id, event.account_id)
    for call in await queries.calls_of_pairing(db, event.pairing_id):
        await calls.remove(db, call, event.membership_ids)
