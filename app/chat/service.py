"""What can be done in conversations: say, reword, take back, read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from limits import RateLimitItemPerMinute
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor, Doorkeeper
from app.audit import service as audit
from app.blocks import queries as blocks
from app.blocks.events import Blocked, Unblocked
from app.chat import access, queries
from app.chat.models import SAID_ONCE, Conversation, ConversationKind, Message
from app.chat.queries import Place
from app.chat.schemas import (
    ConversationRead,
    HistoryRead,
    MessageEdit,
    MessageRead,
    MessageSend,
    ReadingRead,
    ReadUpTo,
    Span,
    describe,
)
from app.core import streams
from app.core.db import violates
from app.core.errors import Invalid, invalid
from app.core.locks import lock
from app.core.streams import Address, StreamKind
from app.organisations.events import Rejoined
from app.pairings import queries as pairings
from app.pairings.events import PairingAccepted, PairingEnded, ParticipantWentAway
from app.pairings.models import Kind
from app.scheduling import queries as scheduling
from app.scheduling.events import MeetingBooked, MeetingCancelled, MeetingEdited, MeetingMoved

POSTED, EDITED, DELETED = "message.posted", "message.edited", "message.deleted"
CHANGED, READ = "conversation.changed", "conversation.read"


# Reading


async def present(
    db: AsyncSession, actor: Actor, conversations: Sequence[Conversation]
) -> list[ConversationRead]:
    """The conversations as the actor sees them."""
    apart = await blocks.apart_from(db, actor.account_id)
    aspects = await queries.aspects(db, actor, [row.id for row in conversations])
    return [
        describe(
            row,
            aspects[row.id],
            me=actor.account_id,
            apart=apart,
            may=access.may(row.pairing.status, row.meeting.status if row.meeting else None),
        )
        for row in conversations
    ]


async def read(db: AsyncSession, actor: Actor, conversation_id: UUID) -> ConversationRead:
    """One conversation as the actor sees it."""
    return (await present(db, actor, [await queries.get(db, actor, conversation_id)]))[0]


async def history(db: AsyncSession, actor: Actor, conversation_id: UUID, span: Span) -> HistoryRead:
    """A stretch of what was said, without what was said by people the actor is kept apart from."""
    await queries.must_hear(db, actor, conversation_id)
    rows, before, after = await queries.history(db, actor, conversation_id, span)
    items = [MessageRead.model_validate(row) for row in rows]
    return HistoryRead(items=items, more_before=before, more_after=after)


async def told(db: AsyncSession, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """What events about these messages tell: each message as it is now."""
    return {
        row.id: MessageRead.model_validate(row).model_dump(mode="json")
        for row in await queries.messages(db, ids)
    }


async def mark_read(db: AsyncSession, actor: Actor, conversation_id: UUID, body: ReadUpTo) -> ReadingRead:
    """Move the actor's mark forward, at most to the newest event; their other devices hear of it."""
    await queries.must_hear(db, actor, conversation_id)
    seq = min(body.seq, await queries.head(db, conversation_id))
    if seq > 0 and await queries.move_mark(db, actor, conversation_id, seq):
        _tell(db, await queries.own_parts(db, actor, conversation_id), READ, conversation_id)
    return (await queries.aspects(db, actor, [conversation_id]))[conversation_id].reading


# Writing


async def send(
    db: AsyncSession, actor: Actor, door: Doorkeeper, conversation_id: UUID, body: MessageSend
) -> Message:
    """`say`, as often as one person may."""
    await _spend(door, actor)
    return await say(db, actor, conversation_id, body)


async def say(db: AsyncSession, actor: Actor, conversation_id: UUID, body: MessageSend) -> Message:
    """Post a message. The same `client_id` again is the same message, also at the same moment."""
    await queries.hold(db, actor, conversation_id)
    place = await queries.place(db, actor, conversation_id, body.client_id)
    if place.said_id is not None:
        return _same(await queries.one(db, place.said_id), conversation_id, body)
    access.must_be_open(place)
    message = Message(
        conversation_id=conversation_id,
        seq=0,
        author_account_id=actor.account_id,
        author_id=place.membership_id,
        client_id=body.client_id,
        text=body.text,
        mentions=await access.people_named(db, actor, place, body.mentions),
    )
    streams.announce(db, message.stream, POSTED, message.id, by=actor.account_id)
    (numbered,) = await streams.number(db)
    message.seq, message.posted_at = numbered.seq, numbered.created_at
    try:
        await queries.post(db, message)
    except IntegrityError as error:
        if not violates(error, SAID_ONCE):
            raise
        raise _reused() from None  # at this moment it is being used in another conversation
    return message


def _same(said: Message, conversation_id: UUID, body: MessageSend) -> Message:
    """What was said under this `client_id`; its words may have been changed since."""
    changed = said.deleted or said.edited_at is not None
    if said.conversation_id != conversation_id or (said.text != body.text and not changed):
        raise _reused()
    return said


def _reused() -> Invalid:
    return invalid(
        "/client_id",
        "This client_id was used for another message. Use a new one for a new message.",
        "client_id_reused",
    )


async def edit(
    db: AsyncSession, actor: Actor, door: Doorkeeper, message_id: UUID, body: MessageEdit
) -> Message:
    """Reword a message of one's own."""
    await _spend(door, actor)
    message, place = await _own(db, actor, message_id)
    access.must_be_open(place)
    message.must_stand()
    mentions = message.mentions
    if body.mentions is not None:
        mentions = await access.people_named(db, actor, place, body.mentions)
    if (body.text, mentions) != (message.text, message.mentions):
        message.edit(body.text, mentions)
        audit.record(db, actor.account_id, EDITED, message.id)
        streams.announce(db, message.stream, EDITED, message.id, by=actor.account_id)
    return message


async def delete(db: AsyncSession, actor: Actor, message_id: UUID) -> None:
    """Take a message of one's own back, also after the mentorship ended; a tombstone stays."""
    message, _ = await _own(db, actor, message_id)
    if not message.deleted:
        message.delete()
        audit.record(db, actor.account_id, DELETED, message.id)
        streams.announce(db, message.stream, DELETED, message.id, by=actor.account_id)


async def _own(db: AsyncSession, actor: Actor, message_id: UUID) -> tuple[Message, Place]:
    """A message of the actor's own, in its conversation, which is held: 404 unseen, 403 another's."""
    message = await queries.message(db, actor, message_id)
    access.must_be_author(message, actor)
    await queries.hold(db, actor, message.conversation_id)
    place = await queries.place(db, actor, message.conversation_id)
    message = await queries.message(db, actor, message_id)  # as it is, now that it is held
    queries.in_hand(db)[message.id] = message
    return message, place


async def _spend(door: Doorkeeper, actor: Actor) -> None:
    limit = RateLimitItemPerMinute(door.settings.messages_per_minute)
    await door.limits.spend(limit, "message", str(actor.account_id))


# Reactions. Those of scheduling come first: they wait for bookings that are under way.


async def pairing_accepted(db: AsyncSession, event: PairingAccepted) -> None:
    """A mentorship has a conversation from its beginning."""
    await _open(db, Conversation(kind=ConversationKind.PAIRING.value, pairing_id=event.pairing_id))


async def meeting_booked(db: AsyncSession, event: MeetingBooked) -> None:
    """A meeting has a conversation from its booking."""
    meeting = await scheduling.one(db, event.meeting_id)
    await _open(
        db,
        Conversation(
            kind=ConversationKind.MEETING.value, pairing_id=meeting.pairing_id, meeting_id=meeting.id
        ),
    )


async def _open(db: AsyncSession, conversation: Conversation) -> None:
    # A block between two of a circle that is under way must find this conversation, or be found by it. In a
    # pair it waits for the pairing's row, which is held here.
    pairing = await pairings.one(db, conversation.pairing_id)
    if pairing.kind == Kind.CIRCLE:
        await lock(db, "block", *(row.account_id for row in pairing.people().values()))
    db.add(conversation)
    await db.flush()
    await streams.ensure(db, [conversation.stream])
    await _tell_all(db, [conversation])


async def pairing_ended(db: AsyncSession, event: PairingEnded) -> None:
    """An ended mentorship can be read and not written in."""
    await _settle(db, await queries.of_pairing(db, event.pairing_id))


async def meeting_cancelled(db: AsyncSession, event: MeetingCancelled) -> None:
    """What was said around a cancelled meeting can be read and not written in."""
    await _settle(db, await queries.of_meeting(db, event.meeting_id))


async def meeting_shown_anew(db: AsyncSession, event: MeetingMoved | MeetingEdited) -> None:
    """The conversation of a meeting shows its title and when it begins."""
    await _tell_all(db, await queries.of_meeting(db, event.meeting_id))


async def participant_left(db: AsyncSession, event: ParticipantWentAway) -> None:
    """Whoever left a circle hears nothing of it any more."""
    found = await queries.of_pairing(db, event.pairing_id)
    await _settle(db, found)
    for conversation in found:
        _tell(db, event.membership_ids, CHANGED, conversation.id)


async def rejoined(db: AsyncSession, event: Rejoined) -> None:
    """Whoever is in an organisation again hears what they still take part in."""
    rows = await pairings.onlookers(db, pairings.naming(event.membership_id))
    for pairing_id in {row.pairing_id for row in rows if row.membership_id == event.membership_id}:
        await _settle(db, await queries.of_pairing(db, pairing_id))


async def _settle(db: AsyncSession, conversations: Sequence[Conversation]) -> None:
    """Who may write or hear has changed: see `queries.hold`."""
    for conversation in conversations:
        streams.change_roster(db, conversation.stream)
    await _tell_all(db, conversations)


async def keep_apart(db: AsyncSession, event: Blocked | Unblocked) -> None:
    """What two people have together is closed to both; in a circle they stop hearing each other. Or again."""
    left, right = event.blocker_id, event.blocked_id
    if (right, left) in await blocks.pairs_among(db, (left, right)):
        return  # they were apart and stay it
    for conversation, membership_id in await queries.shared(db, left, right):
        streams.change_roster(db, conversation.stream)
        _tell(db, [membership_id], CHANGED, conversation.id)


async def _tell_all(db: AsyncSession, conversations: Sequence[Conversation]) -> None:
    """That these are not as they were, to those who take part."""
    for pairing_id in {conversation.pairing_id for conversation in conversations}:
        people = await pairings.taking_part(db, pairing_id)
        for conversation in conversations:
            if conversation.pairing_id == pairing_id:
                _tell(db, people, CHANGED, conversation.id)


def _tell(db: AsyncSession, membership_ids: Iterable[UUID], kind: str, conversation_id: UUID) -> None:
    for membership_id in membership_ids:
        streams.announce(db, Address(StreamKind.MEMBERSHIP, membership_id), kind, conversation_id)
