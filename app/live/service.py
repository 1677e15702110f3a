"""What can be done with streams: hear them, and catch up."""

import random
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.accounts.auth import Actor, Doorkeeper
from app.blocks import queries as blocks
from app.core import clock, nodes, outbox
from app.core.errors import Unauthenticated, Unavailable
from app.core.streams import Address, Stream, StreamEvent
from app.live import queries
from app.live.schemas import Cursor, EventRead, EventsTicketRead, StreamRead, SyncAsk, SyncRead
from signalling.contracts.tickets import TICKET_SECONDS, EventsTicket, issue_events_ticket

MOST_AT_ONCE = 2000
"""Events in one answer, over all streams."""


async def ticket(db: AsyncSession, actor: Actor, door: Doorkeeper) -> EventsTicketRead:
    """Leave to open the events socket. Raises `Unavailable` when no node lives."""
    # A sign-out that is under way goes first: a ticket must not be signed that nobody would revoke.
    if not await accounts.hold_session(db, actor.session_id):
        raise Unauthenticated("session_ended", "You were signed out. Sign in again.")
    found = await nodes.live(db)
    if not found:
        raise Unavailable(
            "no_events_server", "No events server is reachable at the moment. Try again shortly."
        )
    account = await accounts.by_id(db, actor.account_id)
    issued = clock.now()
    signed = issue_events_ticket(
        EventsTicket(
            account_id=actor.account_id,
            session_id=actor.session_id,
            shown=account.show_presence,
            shown_version=account.show_presence_version,
        ),
        key=door.keys.signing,
        issuer=door.settings.issuer,
        now=issued.timestamp(),
    )
    return EventsTicketRead(
        ticket=signed,
        expires_at=issued + timedelta(seconds=TICKET_SECONDS),
        socket_url=f"{random.choice(found).url}/events",
    )


async def sync(db: AsyncSession, actor: Actor, body: SyncAsk) -> SyncRead:
    """What happened since the cursors, with what the actor may see at this moment."""
    heard = await queries.heard_by(db, actor)
    heads = await queries.heads(db, heard)
    cursors = {cursor.stream: cursor for cursor in body.cursors}
    behind = {
        address.id: cursors[address.id].seq
        for address in heard
        if address.id in cursors and _is_behind(cursors[address.id], heads[address.id])
    }
    rows = await queries.after(db, behind, body.limit, MOST_AT_ONCE)
    events = await _tell(db, actor, rows, heads)
    found = [
        _stream(address, heads[address.id], cursors.get(address.id), events.get(address.id, []))
        for address in heard
        if not _is_there(cursors.get(address.id), heads[address.id])
    ]
    return SyncRead(streams=found, gone=sorted(cursors.keys() - heads.keys()))


def _is_there(cursor: Cursor | None, head: Stream) -> bool:
    return cursor is not None and cursor.epoch == head.epoch and cursor.seq == head.seq


def _is_behind(cursor: Cursor, head: Stream) -> bool:
    """Whether events lead from the cursor to the head; otherwise the stream was reset."""
    return cursor.epoch == head.epoch and head.floor <= cursor.seq < head.seq


def _stream(address: Address, head: Stream, cursor: Cursor | None, events: list[EventRead]) -> StreamRead:
    follows = cursor is not None and _is_behind(cursor, head)
    newest = max(head.seq, events[-1].seq) if events else head.seq
    return StreamRead(
        stream=address.id,
        kind=address.kind,
        epoch=head.epoch,
        head=newest,
        reset=not follows,
        limited=follows and (events[-1].seq if events else 0) < newest,
        events=events,
    )


async def _tell(
    db: AsyncSession, actor: Actor, rows: Sequence[StreamEvent], heads: dict[UUID, Stream]
) -> dict[UUID, list[EventRead]]:
    """The events as the actor may see them; what is not for them keeps its number only."""
    if not rows:
        return {}
    apart = await blocks.apart_from(db, actor.account_id)
    told: dict[UUID, list[EventRead]] = {}
    for row, (kind, data) in zip(rows, await outbox.contents(db, rows), strict=True):
        if row.by_account_id in apart:
            kind, data = outbox.HIDDEN, {}
        epoch = heads[row.stream_id].epoch
        event = EventRead.model_validate(outbox.message(row.stream_id, epoch, row, kind, data))
        told.setdefault(row.stream_id, []).append(event)
    return told
