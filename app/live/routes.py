"""Streams over HTTP. The events socket is described in the protocol document."""

from fastapi import APIRouter

from app.accounts.auth import CurrentActor, Door
from app.core.db import Db
from app.core.errors import Unauthenticated, Unavailable, problems
from app.live import service
from app.live.schemas import EventsTicketRead, SyncAsk, SyncRead

router = APIRouter(prefix="/v1", tags=["live"])


@router.post(
    "/events/ticket",
    status_code=201,
    response_model=EventsTicketRead,
    responses=problems(Unauthenticated, Unavailable),
)
async def issue_events_ticket(actor: CurrentActor, door: Door, db: Db) -> EventsTicketRead:
    """Leave to open the events socket once, within a minute. See the protocol document for what follows."""
    return await service.ticket(db, actor, door)


@router.post("/sync", response_model=SyncRead, responses=problems(Unauthenticated))
async def sync_streams(body: SyncAsk, actor: CurrentActor, db: Db) -> SyncRead:
    """What happened since: after every welcome, when a number is missing, and once a minute."""
    return await service.sync(db, actor, body)
