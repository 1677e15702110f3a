"""What travels about conversations and messages."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictInt

from app.chat.models import Conversation, ConversationKind, Message
from app.core.schemas import Body, Prose, Read
from app.organisations.schemas import PersonBrief
from app.pairings.models import Participant

HIGHEST_SEQ = 2**53 - 1
"""What a client in JavaScript can count to."""
Text = Annotated[Prose, Field(min_length=1, max_length=8000)]
Mentions = Annotated[
    list[UUID], Field(max_length=20, description="Memberships of people in the conversation.")
]
ConversationVerb = Literal["write"]


class MessageSend(Body):
    client_id: UUID = Field(
        description="Chosen by you, new for each message. Sent again, at any time, it is the same message."
    )
    text: Text
    mentions: Mentions = Field(default=[])


class MessageEdit(Body):
    text: Text
    mentions: Mentions | None = Field(default=None, description="Left out, they stay as they are.")


class MessageRead(Read):
    """A message as everyone in the conversation sees it, here and in `message.*` events."""

    id: UUID
    conversation_id: UUID
    seq: int = Field(description="Its place in the conversation; the number of its `message.posted` event.")
    author_id: UUID = Field(description="The membership that wrote it.")
    client_id: UUID
    text: str = Field(description="Empty when deleted.")
    mentions: list[UUID]
    posted_at: datetime
    edited_at: datetime | None
    deleted: bool


class HistoryRead(Read):
    """A stretch of a conversation."""

    items: list[MessageRead] = Field(description="Oldest first.")
    more_before: bool = Field(description="Older messages precede these.")
    more_after: bool = Field(description="Newer messages follow these.")


class ConversationPerson(PersonBrief):
    is_me: bool
    left: bool = Field(description="They were in it; what they wrote is still there.")


class ReadingRead(Read):
    """How far I have read a conversation."""

    read_up_to: int = Field(description="The `seq` up to which I have read; 0 at first.")
    unread: int = Field(description="Messages of others after that, without deleted ones.")
    unread_mentions: int = Field(description="How many of those name me.")


class ReadUpTo(Body):
    seq: Annotated[
        StrictInt,
        Field(ge=0, le=HIGHEST_SEQ, description="The `seq` of the last message seen. It never moves back."),
    ]


class ConversationRead(ReadingRead):
    id: UUID
    kind: ConversationKind
    pairing_id: UUID
    meeting_id: UUID | None
    title: str | None
    starts_at: datetime | None = Field(description="When its meeting begins; null for a mentorship's own.")
    epoch: str = Field(description="Of the conversation's stream; with `head`, the cursor for `/v1/sync`.")
    head: int = Field(description="The number of the newest event in the conversation's stream.")
    people: list[ConversationPerson]
    last_message: MessageRead | None
    may: list[ConversationVerb] = Field(description="What I can do in it now.")
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """Which messages are asked for: the newest, or those next to a place."""

    limit: int
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Aspect:
    """What of a conversation differs from one reader and moment to the next."""

    epoch: str
    head: int
    last_message: Message | None
    reading: ReadingRead


def describe(
    conversation: Conversation,
    aspect: Aspect,
    *,
    me: UUID,
    apart: Collection[UUID],
    may: list[ConversationVerb],
) -> ConversationRead:
    """The conversation as the account `me` sees it, without the people it is kept `apart` from."""
    meeting = conversation.meeting
    last = aspect.last_message
    return ConversationRead(
        id=conversation.id,
        kind=ConversationKind(conversation.kind),
        pairing_id=conversation.pairing_id,
        meeting_id=conversation.meeting_id,
        title=meeting.title if meeting else conversation.pairing.title,
        starts_at=meeting.starts_at if meeting else None,
        epoch=aspect.epoch,
        head=aspect.head,
        people=people(conversation.pairing.participants, me=me, apart=apart),
        last_message=MessageRead.model_validate(last) if last else None,
        may=may,
        created_at=conversation.created_at,
        **aspect.reading.model_dump(),
    )


def people(parts: list[Participant], *, me: UUID, apart: Collection[UUID]) -> list[ConversationPerson]:
    """Everyone who is or was in it, once by each membership that may have written something."""
    present = {part.membership_id for part in parts if part.left_at is None and part.person.ended_at is None}
    rows = {part.membership_id: part.person for part in parts if part.person.account_id not in apart}
    return [
        ConversationPerson(
            **PersonBrief.model_validate(row).model_dump(),
            is_me=row.account_id == me,
            left=membership_id not in present,
        )
        for membership_id, row in rows.items()
    ]
