"""Conversations over HTTP. What happens in them is heard on the events socket."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from app.accounts.auth import CurrentActor, Door
from app.chat import queries, service
from app.chat.models import Conversation, Message
from app.chat.schemas import (
    HIGHEST_SEQ,
    ConversationRead,
    HistoryRead,
    MessageEdit,
    MessageRead,
    MessageSend,
    ReadingRead,
    ReadUpTo,
    Span,
)
from app.core.db import Db
from app.core.errors import Conflict, Forbidden, NotFound, TooManyRequests, Unauthenticated, invalid, problems
from app.core.paging import Page, Paging, fetch

router = APIRouter(prefix="/v1", tags=["chat"])
_seen = problems(Unauthenticated, NotFound)


async def _span(
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 50,
    before: Annotated[
        int | None, Query(ge=0, le=HIGHEST_SEQ, description="The last ones with a lower `seq`.")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=HIGHEST_SEQ, description="The first ones with a higher `seq`.")
    ] = None,
) -> Span:
    if before is not None and after is not None:
        raise invalid("/query/after", "Give before or after, not both.", "before_or_after")
    return Span(limit=limit, before=before, after=after)


@router.get("/conversations", response_model=Page[ConversationRead], responses=problems(Unauthenticated))
async def list_conversations(
    actor: CurrentActor,
    db: Db,
    paging: Paging,
    pairing_id: Annotated[
        UUID | None, Query(description="Only the conversation of this mentorship itself.")
    ] = None,
    meeting_id: Annotated[UUID | None, Query(description="Only the conversation of this meeting.")] = None,
) -> Page[ConversationRead]:
    """The conversations of my mentorships and meetings."""
    statement = queries.narrowed(queries.visible_to(actor), pairing_id, meeting_id)
    rows, cursor = await fetch(db, statement, Conversation.id, paging)
    return Page(items=await service.present(db, actor, rows), next_cursor=cursor)


@router.get("/conversations/{conversation_id}", response_model=ConversationRead, responses=_seen)
async def read_conversation(conversation_id: UUID, actor: CurrentActor, db: Db) -> ConversationRead:
    """One conversation."""
    return await service.read(db, actor, conversation_id)


@router.get("/conversations/{conversation_id}/messages", response_model=HistoryRead, responses=_seen)
async def read_messages(
    conversation_id: UUID, actor: CurrentActor, db: Db, span: Annotated[Span, Depends(_span)]
) -> HistoryRead:
    """What was said: the newest messages, or those before or after a place."""
    return await service.history(db, actor, conversation_id, span)


@router.post(
    "/conversations/{conversation_id}/messages",
    status_code=201,
    response_model=MessageRead,
    responses=problems(Unauthenticated, NotFound, Conflict, TooManyRequests),
)
async def send_message(
    conversation_id: UUID, body: MessageSend, actor: CurrentActor, door: Door, db: Db
) -> Message:
    """Say something; repeat it with the same `client_id` until it is answered, and it is said once."""
    return await service.send(db, actor, door, conversation_id, body)


@router.patch(
    "/messages/{message_id}",
    response_model=MessageRead,
    responses=problems(Unauthenticated, Forbidden, NotFound, Conflict, TooManyRequests),
)
async def edit_message(
    message_id: UUID, body: MessageEdit, actor: CurrentActor, door: Door, db: Db
) -> Message:
    """Reword a message of mine; everyone sees that it was edited."""
    return await service.edit(db, actor, door, message_id, body)


@router.delete(
    "/messages/{message_id}", status_code=204, responses=problems(Unauthenticated, Forbidden, NotFound)
)
async def delete_message(message_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Take a message of mine back, at any time; that something was said stays visible."""
    await service.delete(db, actor, message_id)


@router.post("/conversations/{conversation_id}/read", response_model=ReadingRead, responses=_seen)
async def mark_read(conversation_id: UUID, body: ReadUpTo, actor: CurrentActor, db: Db) -> ReadingRead:
    """Note how far I have read; a mark never moves back, nor past the newest event."""
    return await service.mark_read(db, actor, conversation_id, body)
