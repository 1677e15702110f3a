"""What can be done about feeds, invitations and their answers."""

from typing import Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.accounts.auth import Actor
from app.blocks import queries as blocks
from app.calendars import addresses, ics, invitations, news, queries, replies
from app.calendars.events import CalendarSaidNo
from app.calendars.models import Answer, CalendarFeed, MeetingInvitation, MeetingReply
from app.calendars.replies import Letter, Reply
from app.calendars.schemas import (
    CalendarFeedMade,
    CalendarFeedRead,
    CalendarSettingsRead,
    CalendarSettingsWrite,
    InboundRead,
    MeetingRepliesRead,
    MeetingReplyRead,
)
from app.core import clock, crypto
from app.core.crypto import KeyRing
from app.core.db import emit
from app.core.errors import NotFound, invalid
from app.pairings import queries as pairings
from app.pairings.models import Pairing, Status
from app.scheduling import queries as scheduling
from app.scheduling.models import Meeting, MeetingStatus
from app.settings import get_settings

log = structlog.get_logger()
_ANSWERS: Final = {"ACCEPTED": Answer.ACCEPTED, "DECLINED": Answer.DECLINED, "TENTATIVE": Answer.TENTATIVE}


async def settings(db: AsyncSession, actor: Actor) -> CalendarSettingsRead:
    """What the actor wants of calendars."""
    return CalendarSettingsRead.model_validate(await queries.settings(db, actor.account_id))


async def change_settings(
    db: AsyncSession, actor: Actor, body: CalendarSettingsWrite
) -> CalendarSettingsRead:
    """Say whether mails carry invitations from now on."""
    await queries.set_invitations(db, actor.account_id, wanted=body.invitations)
    return CalendarSettingsRead(invitations=body.invitations)


async def feed(db: AsyncSession, actor: Actor) -> CalendarFeedRead:
    """Whether the actor has a feed; its secret cannot be read again."""
    found = await queries.feed(db, actor.account_id)
    return CalendarFeedRead(created_at=found.created_at if found else None)


async def make_feed(db: AsyncSession, actor: Actor) -> CalendarFeedMade:
    """Make a feed, or give the one there is another address: the old one ends."""
    secret = crypto.new_secret()
    made = CalendarFeed(account_id=actor.account_id, digest=crypto.digest(secret))
    await queries.keep_feed(db, made)
    url = f"{get_settings().public_url}/calendars/{secret}.ics"
    return CalendarFeedMade(url=url, created_at=made.created_at)


async def end_feed(db: AsyncSession, actor: Actor) -> None:
    """Nothing is read at its address any more."""
    await queries.end_feed(db, actor.account_id)


async def read_feed(db: AsyncSession, secret: str) -> str:
    """The calendar that this secret opens: what its owner sees of their meetings at this moment."""
    found = await queries.feed_at(db, crypto.digest(secret))
    if found is None:
        raise NotFound()
    owner = Actor(account_id=found.account_id, session_id=UUID(int=0))  # no session: the secret stands for it
    meetings = await queries.fed(db, owner)
    known = await pairings.by_ids(db, {meeting.pairing_id for meeting in meetings})
    apart = await blocks.apart_from(db, owner.account_id)
    entries = [invitations.entry(row, known[row.pairing_id], owner.account_id, apart) for row in meetings]
    return ics.feed(entries, name="Mentorspan")


async def meeting_replies(db: AsyncSession, actor: Actor, meeting_id: UUID) -> MeetingRepliesRead:
    """What the calendars of those in a meeting said to it."""
    meeting = await scheduling.get(db, actor, meeting_id, lock=False)
    pairing = await pairings.one(db, meeting.pairing_id)
    said = await queries.replies(db, meeting.id)
    apart = await blocks.apart_from(db, actor.account_id)
    return MeetingRepliesRead(
        items=[
            MeetingReplyRead(
                membership_id=row.id,
                name=row.name,
                is_me=row.account_id == actor.account_id,
                status=Answer(said[row.account_id].reply.status),
                at=said[row.account_id].reply.at,
                outdated=said[row.account_id].outdated,
            )
            for row in pairing.people().values()
            if row.account_id in said and row.account_id not in apart
        ]
    )


class Taken(NamedTuple):
    """What became of a mail."""

    taken: bool
    reason: str | None = None
    """Why it had no effect."""


async def take_in(db: AsyncSession, raw: bytes, keys: KeyRing) -> Taken:
    """Take in a mail that came to the calendar address; raises `replies.Unreadable`.

    What is not a right answer to an invitation of ours has no effect; it is never answered, for a machine
    that answers machines never ends.
    """
    letter = replies.read(raw)
    if not letter.replies:
        return _ignored("counter" if "COUNTER" in letter.methods else "no_reply")
    results = [await _take_in(db, reply, letter, keys) for reply in letter.replies]
    return next((result for result in results if result.taken), results[0])


async def receive(db: AsyncSession, raw: bytes, keys: KeyRing) -> InboundRead:
    """`take_in`, as the HTTP door answers it."""
    try:
        taken = await take_in(db, raw, keys)
    except replies.Unreadable:
        raise invalid("", "Send one message as RFC 5322 has it.", "mail_unreadable") from None
    return InboundRead(taken=taken.taken, reason=taken.reason)


def _ignored(reason: str, meeting: Meeting | None = None) -> Taken:
    # Never an address: the log says which rule it was, and of which meeting.
    log.info("calendar_reply_ignored", reason=reason, meeting=str(meeting.id) if meeting else None)
    return Taken(False, reason)


async def _take_in(db: AsyncSession, reply: Reply, letter: Letter, keys: KeyRing) -> Taken:
    subject = addresses.subject_of(reply.uid)
    meeting = await queries.answerable(db, subject) if subject else None
    if meeting is None or subject is None:
        return _ignored("unknown_meeting")
    pairing = await pairings.one(db, meeting.pairing_id)
    people = [row.account_id for row in pairing.people().values() if row.ended_at is None]
    whose = addresses.holder(keys.refresh, subject, letter.tokens, people)
    if whose is None:
        return _ignored("not_its_reply_address", meeting)
    invitation = (await queries.invitations(db, meeting.id)).get(whose)
    email = (await accounts.emails_of(db, {whose}))[whose]
    why = _refusal(meeting, pairing, reply, invitation, email)
    if why is not None or invitation is None:
        return _ignored(why or "not_invited", meeting)
    answer = _ANSWERS.get(reply.answers[email.casefold()])
    if answer is None:
        return _ignored("no_answer", meeting)
    return await _keep(db, meeting, pairing, whose, _row(meeting, whose, reply, answer))


def _refusal(
    meeting: Meeting, pairing: Pairing, reply: Reply, invitation: MeetingInvitation | None, email: str
) -> str | None:
    """Why this cannot be an answer to what was sent to this person, if it cannot."""
    if meeting.status != MeetingStatus.BOOKED or pairing.status != Status.ACTIVE:
        return f"meeting_{meeting.status}" if meeting.status != MeetingStatus.BOOKED else "pairing_over"
    if meeting.over:
        return "meeting_over"
    if invitation is None:
        return "not_invited"
    if reply.recurrence is not None:
        return "not_in_a_series"
    if reply.sequence < invitation.asked:
        return "old_sequence"
    if reply.sequence > invitation.sequence:
        return "unknown_sequence"
    if email.casefold() not in reply.answers:
        # Somebody to whom the invitation was forwarded: not the one who was asked.
        return "another_address"
    return None


def _row(meeting: Meeting, account_id: UUID, reply: Reply, answer: Answer) -> MeetingReply:
    now = clock.now()
    return MeetingReply(
        meeting_id=meeting.id,
        account_id=account_id,
        status=answer.value,
        sequence=reply.sequence,
        at=min(reply.stamp or now, now),
    )


async def _keep(
    db: AsyncSession, meeting: Meeting, pairing: Pairing, account_id: UUID, new: MeetingReply
) -> Taken:
    """Store it in place of an older one, and say so."""
    said = (await queries.replies(db, meeting.id)).get(account_id)
    row = new
    if said is None:
        db.add(new)
    else:
        row = said.reply
        if (new.sequence, new.at) < (row.sequence, row.at):
            return _ignored("older_than_known", meeting)
        if (new.status, new.sequence) == (row.status, row.sequence):
            return _ignored("known_already", meeting)
        row.status, row.sequence, row.at = new.status, new.sequence, new.at
    await news.tell(db, meeting.id, pairing, account_id)
    if row.status == Answer.DECLINED and row.told_sequence != row.sequence:
        row.told_sequence = row.sequence
        emit(db, CalendarSaidNo(meeting_id=meeting.id, by_account_id=account_id))
    return Taken(True)
