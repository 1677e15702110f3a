"""Reading conversations: those who take part in a pairing now read them, and nobody else."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    ScalarSelect,
    Select,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload

from app.accounts.auth import Actor
from app.blocks import queries as blocks
from app.blocks.models import Block
from app.chat.models import Conversation, Message, ReadMark
from app.chat.schemas import Aspect, ReadingRead, Span
from app.core import clock
from app.core.errors import NotFound
from app.core.streams import Stream
from app.organisations import queries as organisations
from app.organisations.models import Membership
from app.pairings import queries as pairings
from app.pairings.models import Kind, Pairing, Participant, Status
from app.scheduling.models import Meeting, MeetingStatus

_whole = (
    joinedload(Conversation.pairing)
    .selectinload(Pairing.participants)
    .joinedload(Participant.person)
    .joinedload(Membership.organisation),
    joinedload(Conversation.meeting),
)


# Conversations


def heard_by(actor: Actor) -> Select[UUID]:
    """The ids of all conversations that the actor reads; `hearers` says the same from the other side."""
    return select(Conversation.id).where(Conversation.pairing_id.in_(pairings.participating(actor)))


def visible_to(actor: Actor) -> Select[Conversation]:
    """The conversations that the actor reads, with their people."""
    return (
        select(Conversation)
        .where(Conversation.id.in_(heard_by(actor).correlate(None)))
        .options(*_whole)
        .execution_options(populate_existing=True)
    )


def narrowed(
    found: Select[Conversation], pairing_id: UUID | None, meeting_id: UUID | None
) -> Select[Conversation]:
    """Only the conversation of that mentorship itself, or of that meeting."""
    if pairing_id is not None:
        found = found.where(Conversation.pairing_id == pairing_id)
    if meeting_id is not None:
        return found.where(Conversation.meeting_id == meeting_id)
    return found if pairing_id is None else found.where(Conversation.meeting_id.is_(None))


async def get(db: AsyncSession, actor: Actor, conversation_id: UUID) -> Conversation:
    """A conversation visible to the actor, with its people."""
    found = await db.scalar(visible_to(actor).where(Conversation.id == conversation_id))
    if found is None:
        raise NotFound()
    return found


async def must_hear(db: AsyncSession, actor: Actor, conversation_id: UUID) -> None:
    """Raise `NotFound` unless the actor reads the conversation."""
    if await db.scalar(heard_by(actor).where(Conversation.id == conversation_id)) is None:
        raise NotFound()


# Writing: everyone in the conversation waits for it, so its statements are made once. Making one of this size
# takes longer than running it.
_WRITER: Final = Actor(account_id=cast(UUID, bindparam("writer", type_=Uuid())), session_id=UUID(int=0))
"""Whoever writes: stands for the actor in those statements."""


@cache
def _hold() -> Select[UUID]:
    return (
        select(Stream.id)
        .where(Stream.id == bindparam("conversation"), Stream.id.in_(heard_by(_WRITER)))
        .with_for_update(of=Stream, key_share=True)
    )


async def hold(db: AsyncSession, actor: Actor, conversation_id: UUID) -> None:
    """Let nothing else happen in a conversation that the actor reads until this transaction ends.

    Whatever takes part in deciding who may write changes the roster of its stream in the same transaction. So
    the stream is the one lock that all of them meet at, and what is read after this is true until the commit.
    """
    if await db.scalar(_hold(), {"writer": actor.account_id, "conversation": conversation_id}) is None:
        raise NotFound()


class Place(NamedTuple):
    """Where someone is about to write, and as what."""

    pairing_id: UUID
    pairing_status: Status
    meeting_status: MeetingStatus | None
    membership_id: UUID
    said_id: UUID | None
    """What the same person wrote already under the same `client_id`."""


@cache
def _place() -> Select[UUID, str, str | None, UUID, UUID | None]:
    membership = (
        select(Participant.membership_id)
        .where(
            Participant.pairing_id == Conversation.pairing_id,
            Participant.left_at.is_(None),
            Participant.membership_id.in_(organisations.own_ids(_WRITER)),
        )
        .order_by(Participant.membership_id)
        .limit(1)
        .correlate(Conversation)
        .scalar_subquery()
    )
    said = and_(
        Message.author_account_id == _WRITER.account_id,
        Message.client_id == bindparam("client", type_=Uuid()),
    )
    return (
        select(Conversation.pairing_id, Pairing.status, Meeting.status, membership, Message.id)
        .select_from(Conversation)
        .join(Conversation.pairing)
        .outerjoin(Conversation.meeting)
        .outerjoin(Message, said)
        .where(
            Conversation.id == bindparam("conversation"),
            Conversation.id.in_(heard_by(_WRITER).correlate(None)),
        )
    )


async def place(
    db: AsyncSession, actor: Actor, conversation_id: UUID, client_id: UUID | None = None
) -> Place:
    """The conversation after `hold`, and the actor in it."""
    given = {"writer": actor.account_id, "conversation": conversation_id, "client": client_id}
    row = (await db.execute(_place(), given)).first()
    if row is None:
        raise NotFound()
    pairing_id, pairing, meeting, membership_id, said_id = row
    return Place(
        pairing_id, Status(pairing), MeetingStatus(meeting) if meeting else None, membership_id, said_id
    )


_post: Final = Message.__table__.insert()  # type: ignore[attr-defined]


async def post(db: AsyncSession, message: Message) -> None:
    """Store a new message."""
    await db.execute(
        _post, {column.name: getattr(message, column.name) for column in Message.__table__.columns}
    )
    in_hand(db)[message.id] = message


def in_hand(db: AsyncSession) -> dict[UUID, Message]:
    """The messages that this transaction writes, as they will be once it has committed."""
    found: dict[UUID, Message] = db.info.setdefault("messages", {})
    return found


# Those concerned


async def hearers(db: AsyncSession, ids: Collection[UUID]) -> Sequence[Row[UUID, UUID, UUID]]:
    """Conversation, account and membership of everyone who reads these; `heard_by` is the other side."""
    left, right = aliased(Membership), aliased(Membership)
    one, other = aliased(Participant), aliased(Participant)
    apart = exists(
        select(Block.id)
        .join(left, left.account_id == Block.blocker_id)
        .join(right, right.account_id == Block.blocked_id)
        .join(one, and_(one.membership_id == left.id, one.pairing_id == Pairing.id))
        .join(other, and_(other.membership_id == right.id, other.pairing_id == Pairing.id))
        .correlate(Pairing)
    )
    rows = await db.execute(
        select(Conversation.id, Membership.account_id, Membership.id)
        .distinct()
        .join(Pairing, Pairing.id == Conversation.pairing_id)
        .join(Participant, Participant.pairing_id == Pairing.id)
        .join(Membership, Membership.id == Participant.membership_id)
        .where(
            Conversation.id.in_(ids),
            Participant.left_at.is_(None),
            Membership.ended_at.is_(None),
            or_(Pairing.kind == Kind.CIRCLE.value, ~apart),
        )
        .order_by(Conversation.id, Membership.id)
    )
    return rows.all()


async def own_parts(db: AsyncSession, actor: Actor, conversation_id: UUID) -> list[UUID]:
    """The memberships by which the actor is in a conversation."""
    rows = await db.scalars(
        select(Participant.membership_id)
        .distinct()
        .join(Conversation, Conversation.pairing_id == Participant.pairing_id)
        .where(
            Conversation.id == conversation_id,
            Participant.left_at.is_(None),
            Participant.membership_id.in_(organisations.own_ids(actor)),
        )
    )
    return list(rows)


async def people_to_name(db: AsyncSession, actor: Actor, pairing_id: UUID) -> set[UUID]:
    """The memberships that the actor can mention: whoever is there, and not kept apart from the actor."""
    rows = await db.scalars(
        select(Membership.id)
        .join(Participant, Participant.membership_id == Membership.id)
        .where(
            Participant.pairing_id == pairing_id,
            Participant.left_at.is_(None),
            Membership.ended_at.is_(None),
            Membership.account_id.not_in(blocks.kept_apart(actor.account_id)),
        )
    )
    return set(rows)


async def of_pairing(db: AsyncSession, pairing_id: UUID) -> list[Conversation]:
    """The conversation of a pairing and those of its meetings: for reactions."""
    return list(await db.scalars(select(Conversation).where(Conversation.pairing_id == pairing_id)))


async def of_meeting(db: AsyncSession, meeting_id: UUID) -> list[Conversation]:
    """The conversation of a meeting, if it was ever booked: for reactions."""
    return list(await db.scalars(select(Conversation).where(Conversation.meeting_id == meeting_id)))


async def shared(
    db: AsyncSession, left_account: UUID, right_account: UUID
) -> list[tuple[Conversation, UUID]]:
    """The conversations that two people are or were in, with each membership by which they still are."""
    rows = await db.execute(
        select(Conversation, Participant.membership_id)
        .join(Participant, Participant.pairing_id == Conversation.pairing_id)
        .join(Membership, Membership.id == Participant.membership_id)
        .where(
            Conversation.pairing_id.in_(pairings.with_account(left_account)),
            Conversation.pairing_id.in_(pairings.with_account(right_account)),
            Membership.account_id.in_((left_account, right_account)),
            Participant.left_at.is_(None),
        )
    )
    return [(conversation, membership_id) for conversation, membership_id in rows]


# Messages


def _for(actor: Actor) -> ColumnElement[bool]:
    """Not by someone who is kept apart from the actor."""
    return Message.author_account_id.not_in(blocks.kept_apart(actor.account_id))


async def history(
    db: AsyncSession, actor: Actor, conversation_id: UUID, span: Span
) -> tuple[list[Message], bool, bool]:
    """Messages in order, and whether more come before and after. The caller knows that the actor reads it."""
    here = and_(Message.conversation_id == conversation_id, _for(actor))
    found = select(Message).where(here).limit(span.limit + 1)
    if span.after is not None:
        found = found.where(Message.seq > span.after).order_by(Message.seq)
        beyond = Message.seq <= span.after
    elif span.before is not None:
        found = found.where(Message.seq < span.before).order_by(Message.seq.desc())
        beyond = Message.seq >= span.before
    else:
        rows = list(await db.scalars(found.order_by(Message.seq.desc())))
        return rows[: span.limit][::-1], len(rows) > span.limit, False
    rows = list(await db.scalars(found))
    more = len(rows) > span.limit
    others = bool(await db.scalar(select(exists(select(Message.id).where(here, beyond)))))
    rows = rows[: span.limit]
    return (rows, others, more) if span.after is not None else (rows[::-1], more, others)


async def message(db: AsyncSession, actor: Actor, message_id: UUID) -> Message:
    """A message that the actor reads, as it is now."""
    found = await db.scalar(
        select(Message)
        .where(Message.id == message_id, Message.conversation_id.in_(heard_by(actor)), _for(actor))
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound()
    return found


async def one(db: AsyncSession, message_id: UUID) -> Message:
    """A message whoever asks: only for its author."""
    return await db.get_one(Message, message_id, populate_existing=True)


async def messages(db: AsyncSession, ids: Sequence[UUID]) -> list[Message]:
    """Messages by id, for those who hear their conversations."""
    here = in_hand(db)
    missing = [identity for identity in ids if identity not in here]
    found = [here[identity] for identity in ids if identity in here]
    if missing:  # what is being written is not asked for again while everyone waits for it
        found += await db.scalars(select(Message).where(Message.id.in_(missing)))
    return found


# Reading


async def aspects(db: AsyncSession, actor: Actor, ids: Collection[UUID]) -> dict[UUID, Aspect]:
    """Each of these conversations as it stands for the actor.

    In one statement, so that it is one moment: whoever goes on from `head` counts nothing twice.
    """
    up_to = func.coalesce(ReadMark.seq, 0)
    here = and_(Message.conversation_id == Conversation.id, _for(actor))
    mark = and_(ReadMark.conversation_id == Conversation.id, ReadMark.account_id == actor.account_id)
    naming_me = Message.mentions.overlap(_all_memberships(actor))
    waiting = (
        select(func.count().label("unread"), func.count().filter(naming_me).label("mentions"))
        .select_from(Message)
        .where(
            here,
            Message.seq > up_to,
            Message.author_account_id != actor.account_id,
            Message.deleted_at.is_(None),
        )
        .lateral("waiting")
    )
    newest = select(Message).where(here).order_by(Message.seq.desc()).limit(1).lateral("newest")
    last = aliased(Message, newest)
    rows = await db.execute(
        select(Conversation.id, Stream.epoch, Stream.seq, up_to, waiting.c.unread, waiting.c.mentions, last)
        .join(Stream, Stream.id == Conversation.id)
        .outerjoin(ReadMark, mark)
        .join(waiting, true())
        .outerjoin(newest, true())
        .where(Conversation.id.in_(ids))
        .execution_options(populate_existing=True)
    )
    return {
        identity: Aspect(
            epoch, head, last_message, ReadingRead(read_up_to=seq, unread=unread, unread_mentions=mentions)
        )
        for identity, epoch, head, seq, unread, mentions, last_message in rows
    }


def _all_memberships(actor: Actor) -> ScalarSelect[list[UUID]]:
    ids = select(func.array_agg(Membership.id)).where(Membership.account_id == actor.account_id)
    return ids.scalar_subquery()


async def head(db: AsyncSession, conversation_id: UUID) -> int:
    """The number of the newest event."""
    return await db.scalar(select(Stream.seq).where(Stream.id == conversation_id)) or 0


async def move_mark(db: AsyncSession, actor: Actor, conversation_id: UUID, seq: int) -> bool:
    """Put the actor's mark at `seq`; False when it stands there or further on already."""
    mark = insert(ReadMark).values(
        conversation_id=conversation_id, account_id=actor.account_id, seq=seq, updated_at=clock.now()
    )
    moved = mark.on_conflict_do_update(
        index_elements=["conversation_id", "account_id"],
        set_={"seq": mark.excluded.seq, "updated_at": mark.excluded.updated_at},
        where=ReadMark.seq < mark.excluded.seq,
    ).returning(ReadMark.seq)
    return await db.scalar(moved) is not None
