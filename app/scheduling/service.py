"""What can be done about meetings."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
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
from app.core.errors import Conflict, Forbidden, NotFound, invalid
from app.core.locks import lock
from app.core.preconditions import ANY, Seen
from app.pairings import queries as pairings
from app.pairings.events import PairingEnded, ParticipantWentAway
from app.pairings.models import Kind, Pairing
from app.scheduling import calls, diaries, holds, news, openings, particulars, queries
from app.scheduling.events import (
    MeetingBooked,
    MeetingCancelled,
    MeetingDeclined,
    MeetingEdited,
    MeetingProposed,
)
from app.scheduling.models import (
    GRACE,
    Booking,
    Meeting,
    MeetingMove,
    MeetingOption,
    MeetingStatus,
    MoveStatus,
)
from app.scheduling.schemas import (
    Hanging,
    MeetingAccept,
    MeetingCancel,
    MeetingEdit,
    MeetingPropose,
    MeetingRead,
    MeetingVerb,
    Viewer,
    decides,
    own_parts,
    verbs,
)

HORIZON: Final = timedelta(days=730)
ANY_TIME: Final = MeetingAccept()
NO_REASON: Final = MeetingCancel()
Span = tuple[datetime, datetime]


async def present(db: AsyncSession, actor: Actor, meetings: Sequence[Meeting]) -> list[MeetingRead]:
    """The meetings as the actor sees them."""
    viewer = Viewer(actor.account_id, await blocks.apart_from(db, actor.account_id))
    found = await pairings.by_ids(db, {meeting.pairing_id for meeting in meetings})
    moves = await particulars.moves_by_ids(db, {row.move_id for row in meetings if row.move_id})
    proposed = {row.id for row in meetings if row.status == MeetingStatus.PROPOSED}
    options = await particulars.options(db, proposed)
    return [
        MeetingRead.of(
            row,
            found[row.pairing_id],
            Hanging(moves.get(row.move_id) if row.move_id else None, options.get(row.id, ())),
            viewer,
        )
        for row in meetings
    ]


async def read(db: AsyncSession, actor: Actor, meeting_id: UUID) -> MeetingRead:
    """One meeting as the actor sees it."""
    return (await present(db, actor, [await queries.get(db, actor, meeting_id, lock=False)]))[0]


async def propose(db: AsyncSession, actor: Actor, pairing_id: UUID, body: MeetingPropose) -> MeetingRead:
    """Propose times to an active pairing; booked at once where nobody needs to be asked."""
    pairing = await pairings.get(db, actor, pairing_id)
    mine = own_parts(pairing, actor.account_id)
    if not mine:
        raise Forbidden("not_a_participant", "Only its participants arrange meetings.")
    pairing.must_be_active()
    leads = pairing.kind == Kind.CIRCLE and decides(pairing, mine)
    spans = _spans(body, leads=leads)
    replaced = await _replaced(db, actor, pairing, body.instead_of)
    meeting = Meeting(
        pairing_id=pairing.id,
        proposed_by_id=mine[0].membership_id,
        starts_at=spans[0][0],
        ends_at=spans[0][1],
        zone=body.zone,
        title=body.title or None,
        agenda=body.agenda or None,
        instead_of_id=body.instead_of,
    )
    for span in spans:
        await must_be_free(db, actor, pairing, span, meeting.id, mine[0].membership_id)
    db.add(meeting)
    await db.flush()
    if len(spans) > 1:
        db.add_all(
            MeetingOption(meeting_id=meeting.id, place=place, starts_at=span[0])
            for place, span in enumerate(spans)
        )
    if replaced is not None:
        replaced.successor_id = meeting.id
        await news.tell(db, replaced)
    if leads or (len(spans) == 1 and await openings.needs_no_yes(db, pairing, actor.account_id, *spans[0])):
        audit.record(db, actor.account_id, "meeting.proposed", meeting.id)
        await _book(db, actor, meeting, pairing, spans[0])
    else:
        await diaries.use_up_hold(db, actor.account_id, pairing.id)
        await tell_proposed(db, meeting, actor.account_id)
    return await read(db, actor, meeting.id)


async def tell_proposed(db: AsyncSession, meeting: Meeting, by: UUID) -> None:
    """Everybody hears that a meeting is proposed, by one of them."""
    audit.record(db, by, "meeting.proposed", meeting.id)
    await news.tell(db, meeting)
    emit(db, MeetingProposed(meeting_id=meeting.id, by_account_id=by))


def _spans(body: MeetingPropose, *, leads: bool) -> list[Span]:
    """The times that are proposed, all of one length."""
    if leads and body.options:
        raise invalid("/options", "You book for everybody at once: name one time.", "one_time_only")
    starts = [body.starts_at, *body.options]
    for place, start in enumerate(starts):
        pointer = f"/options/{place - 1}" if place else "/starts_at"
        must_lie_ahead(start, pointer)
        if start in starts[:place]:
            raise invalid(pointer, "Name each time once.", "named_twice")
    length = timedelta(minutes=body.duration_minutes)
    return [(start, start + length) for start in starts]


def must_lie_ahead(start: datetime, pointer: str) -> None:
    """422 for what has passed, or lies too far away."""
    if start < clock.now() - GRACE:
        raise invalid(pointer, "Give a time that lies ahead.", "in_the_past")
    if start > clock.now() + HORIZON:
        raise invalid(pointer, "Give a time within the next two years.", "too_far_ahead")


async def _replaced(
    db: AsyncSession, actor: Actor, pairing: Pairing, meeting_id: UUID | None
) -> Meeting | None:
    """The meeting whose place a new one takes: one that did not take place, once."""
    if meeting_id is None:
        return None
    unknown = invalid("/instead_of", "Name a meeting of this mentorship.", "not_its_meeting")
    try:
        found = await queries.get(db, actor, meeting_id)
    except NotFound:
        raise unknown from None
    if found.pairing_id != pairing.id:
        raise unknown
    if found.successor_id is not None:
        raise found.refusal("already_replaced", "This meeting has been replaced already.")
    if not (found.missed or found.status in (MeetingStatus.CANCELLED, MeetingStatus.DECLINED)):
        raise Conflict(
            "meeting_stands",
            "Only what was cancelled, declined or missed is replaced. Reschedule or cancel this meeting.",
        )
    return found


async def must_be_free(
    db: AsyncSession, actor: Actor, pairing: Pairing, span: Span, meeting_id: UUID, asked_by: UUID
) -> None:
    """409 when somebody in it has something else at that time; the meeting itself is not in its own way.

    Nor is what the membership `asked_by` holds: it asked for this time, whatever else it held meanwhile.
    """
    people = {row.account_id: row for row in pairing.people().values()}
    busy = await queries.taken(db, list(people), Range(*span, bounds="[)"), besides=meeting_id)
    if actor.account_id in busy:
        raise Conflict("time_taken", "You have another meeting at that time. Choose another time.")
    if busy:
        # Whose time it is follows from a pairing of two; in a circle it stays between them.
        who = "Someone in the circle" if pairing.kind == Kind.CIRCLE else people[next(iter(busy))].name
        raise Conflict("time_taken", f"{who} has another meeting at that time. Choose another time.")
    asking = {row.account_id for row in people.values() if row.id == asked_by}
    if await diaries.held(db, list(people), Range(*span, bounds="[)"), besides={actor.account_id, *asking}):
        raise Conflict("time_held", holds.HELD)


async def take_time(
    db: AsyncSession, actor: Actor, meeting: Meeting, pairing: Pairing, span: Span, asked_by: UUID
) -> None:
    """Take the time from everyone in it, or from nobody; what the meeting had taken before is free again."""
    accounts = {row.account_id for row in pairing.people().values()}
    await lock(db, "booking", *accounts)
    await must_be_free(db, actor, pairing, span, meeting.id, asked_by)
    await queries.free(db, meeting.id)
    await diaries.use_up_hold(db, actor.account_id, pairing.id)
    await put_down(db, meeting, pairing, span)


async def put_down(db: AsyncSession, meeting: Meeting, pairing: Pairing, span: Span) -> None:
    """Write the time down in every diary; their locks are held, and the constraint has the last word."""
    accounts = {row.account_id for row in pairing.people().values()}
    plans = await availability.plans(db, accounts, pairing.id)
    db.add_all(
        Booking(
            meeting_id=meeting.id,
            account_id=account_id,
            during=Range(*span, bounds="[)"),
            before_minutes=plan.schedule.buffer_before_minutes,
            after_minutes=plan.schedule.buffer_after_minutes,
        )
        for account_id, plan in plans.items()
    )
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict("time_taken", "That time has just been taken. Choose another time.") from None


async def _book(db: AsyncSession, actor: Actor, meeting: Meeting, pairing: Pairing, span: Span) -> None:
    await take_time(db, actor, meeting, pairing, span, meeting.proposed_by_id)
    meeting.starts_at, meeting.ends_at = span
    meeting.move("accept", own_parts(pairing, actor.account_id)[0].membership_id)
    await tell_booked(db, meeting, actor.account_id)


async def tell_booked(db: AsyncSession, meeting: Meeting, by: UUID, series_id: UUID | None = None) -> None:
    """Everybody hears that a meeting is booked, by one of them."""
    audit.record(db, by, "meeting.booked", meeting.id)
    await news.tell(db, meeting)
    emit(db, MeetingBooked(meeting_id=meeting.id, by_account_id=by, series_id=series_id))


async def changeable(
    db: AsyncSession, actor: Actor, meeting_id: UUID, *states: MeetingStatus
) -> tuple[Meeting, Pairing]:
    """The meeting, locked, and its pairing: 409 outside `states`."""
    meeting = await queries.get(db, actor, meeting_id)
    pairing = await pairings.one(db, meeting.pairing_id)
    pairing.must_be_active()
    meeting.must_be(*states)
    return meeting, pairing


def must_be_theirs(
    actor: Actor, verb: MeetingVerb, meeting: Meeting, pairing: Pairing, move: MeetingMove | None = None
) -> None:
    """403 when `verb` is for someone else."""
    if verb not in verbs(meeting, pairing, actor.account_id, move):
        raise Forbidden("not_yours_to_decide", "This is for someone else in this meeting to do.")


async def accept(
    db: AsyncSession, actor: Actor, meeting_id: UUID, body: MeetingAccept = ANY_TIME, seen: Seen = ANY
) -> MeetingRead:
    """Say yes to a proposed time, or to one of several: it is booked for everyone in it."""
    meeting, pairing = await changeable(db, actor, meeting_id, MeetingStatus.PROPOSED)
    must_be_theirs(actor, "accept", meeting, pairing)
    seen.must_be(meeting.version)
    starts = (await particulars.options(db, [meeting.id])).get(meeting.id, [meeting.starts_at])
    start = _picked(starts, body.starts_at)
    await _book(db, actor, meeting, pairing, (start, start + (meeting.ends_at - meeting.starts_at)))
    return await read(db, actor, meeting.id)


def _picked(starts: Sequence[datetime], picked: datetime | None) -> datetime:
    """The one of the proposed times that is meant, if it still lies ahead."""
    if picked is None and len(starts) == 1:
        return starts[0]
    if picked not in starts or picked is None:
        there = ", ".join(f"{start:%Y-%m-%dT%H:%M:%SZ}" for start in starts)
        raise invalid("/starts_at", f"Pick one of the proposed times: {there}.", "pick_one")
    if len(starts) > 1 and picked < clock.now() - GRACE:
        raise invalid("/starts_at", "That time has passed. Pick one that lies ahead.", "in_the_past")
    return picked


async def decline(db: AsyncSession, actor: Actor, meeting_id: UUID, seen: Seen = ANY) -> MeetingRead:
    """Say no to what is proposed."""
    meeting, pairing = await changeable(db, actor, meeting_id, MeetingStatus.PROPOSED)
    must_be_theirs(actor, "decline", meeting, pairing)
    seen.must_be(meeting.version)
    meeting.move("decline", own_parts(pairing, actor.account_id)[0].membership_id)
    audit.record(db, actor.account_id, "meeting.declined", meeting.id)
    await news.tell(db, meeting)
    emit(db, MeetingDeclined(meeting_id=meeting.id, by_account_id=actor.account_id))
    return await read(db, actor, meeting.id)


async def edit(
    db: AsyncSession, actor: Actor, meeting_id: UUID, body: MeetingEdit, seen: Seen
) -> MeetingRead:
    """Give a meeting another title or agenda, if it is as it was when it was read."""
    meeting, _ = await changeable(db, actor, meeting_id, MeetingStatus.PROPOSED, MeetingStatus.BOOKED)
    seen.must_be(meeting.version, needed=True)
    given = {name: value or None for name, value in body.model_dump(exclude_unset=True).items()}
    changed = {name for name, value in given.items() if value != getattr(meeting, name)}
    if "agenda" in changed:
        meeting.agenda = given["agenda"]
    if "title" in changed:
        meeting.retitle(given["title"])
        emit(db, MeetingEdited(meeting_id=meeting.id, by_account_id=actor.account_id))
    if changed:
        audit.record(db, actor.account_id, "meeting.edited", meeting.id)
        await news.tell(db, meeting)
    return await read(db, actor, meeting.id)


async def cancel(
    db: AsyncSession, actor: Actor, meeting_id: UUID, body: MeetingCancel = NO_REASON, seen: Seen = ANY
) -> MeetingRead:
    """Cancel a meeting: the time is free again, and a call under way ends."""
    meeting, pairing = await changeable(db, actor, meeting_id, MeetingStatus.PROPOSED, MeetingStatus.BOOKED)
    seen.must_be(meeting.version)
    mine = own_parts(pairing, actor.account_id)[0]
    if meeting.status == MeetingStatus.BOOKED:
        place = mine.person.organisation_id
        meeting.late = (await particulars.policies(db, [place]))[place].makes_late(meeting.starts_at)
    meeting.cancel_reason = body.reason or None
    await call_off(db, meeting, actor.account_id, mine.membership_id)
    return await read(db, actor, meeting.id)


async def call_off(
    db: AsyncSession,
    meeting: Meeting,
    by_account_id: UUID | None,
    by_id: UUID | None,
    series_id: UUID | None = None,
) -> None:
    """Cancel a meeting that may be cancelled, by the membership `by_id` or by what became of its pairing."""
    await supersede_move(db, meeting, by_id)
    meeting.move("cancel", by_id)
    await queries.free(db, meeting.id)
    audit.record(db, by_account_id, "meeting.cancelled", meeting.id)
    await news.tell(db, meeting)
    emit(db, MeetingCancelled(meeting_id=meeting.id, by_account_id=by_account_id, series_id=series_id))
    call = await queries.call_of_meeting(db, meeting.id)
    if call is not None:
        await calls.end(db, call)


async def supersede_move(db: AsyncSession, meeting: Meeting, by_id: UUID | None) -> None:
    """A move that waits for a yes waits for it no more: something else has happened."""
    if meeting.move_id is not None:
        waiting = await particulars.moves_by_ids(db, [meeting.move_id])
        waiting[meeting.move_id].decide(meeting, MoveStatus.SUPERSEDED, by_id)
        await db.flush()


async def pairing_ended(db: AsyncSession, event: PairingEnded) -> None:
    """An ended pairing meets no more: what is booked is cancelled and a call under way ends at once."""
    for meeting in await queries.open_of_pairing(db, event.pairing_id):
        await call_off(db, meeting, None, None)
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
