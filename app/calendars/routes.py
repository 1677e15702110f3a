"""Feeds, invitations and their answers over HTTP."""

import hashlib
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from app.accounts.auth import FEW_TRIES, CurrentActor, Door, Doorkeeper
from app.calendars import replies, service
from app.calendars.schemas import (
    CalendarFeedMade,
    CalendarFeedRead,
    CalendarSettingsRead,
    CalendarSettingsWrite,
    InboundRead,
    MeetingRepliesRead,
)
from app.core import crypto
from app.core.db import Db
from app.core.errors import NotFound, TooLarge, TooManyRequests, Unauthenticated, problems
from app.core.limits import TRIES_PER_CLIENT

router = APIRouter(tags=["calendars"])
INBOUND: Final = "/v1/inbound-mail"
_mine = problems(Unauthenticated)
_CALENDAR: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/calendar": {"schema": {"type": "string"}}}},
    304: {},
}


@router.get("/v1/calendar-settings", response_model=CalendarSettingsRead, responses=_mine)
async def read_calendar_settings(actor: CurrentActor, db: Db) -> CalendarSettingsRead:
    """What I want of calendars."""
    return await service.settings(db, actor)


@router.put("/v1/calendar-settings", response_model=CalendarSettingsRead, responses=_mine)
async def edit_calendar_settings(
    body: CalendarSettingsWrite, actor: CurrentActor, db: Db
) -> CalendarSettingsRead:
    """Say whether mails carry invitations; what was invited before is kept right either way."""
    return await service.change_settings(db, actor, body)


@router.get("/v1/calendar-feed", response_model=CalendarFeedRead, responses=_mine)
async def read_calendar_feed(actor: CurrentActor, db: Db) -> CalendarFeedRead:
    """Whether I have a feed of my meetings to subscribe to."""
    return await service.feed(db, actor)


@router.post("/v1/calendar-feed", status_code=201, response_model=CalendarFeedMade, responses=_mine)
async def make_calendar_feed(actor: CurrentActor, db: Db) -> CalendarFeedMade:
    """Make a feed, or give it another secret address; the old address ends at once."""
    return await service.make_feed(db, actor)


@router.delete("/v1/calendar-feed", status_code=204, responses=_mine)
async def end_calendar_feed(actor: CurrentActor, db: Db) -> None:
    """End the feed: nothing can be read at its address any more."""
    await service.end_feed(db, actor)


@router.get(
    "/v1/meetings/{meeting_id}/replies",
    response_model=MeetingRepliesRead,
    responses=problems(Unauthenticated, NotFound),
)
async def read_meeting_replies(meeting_id: UUID, actor: CurrentActor, db: Db) -> MeetingRepliesRead:
    """What the calendars of those in the meeting said to its invitation."""
    return await service.meeting_replies(db, actor, meeting_id)


@router.head("/calendars/{secret}.ics", include_in_schema=False, dependencies=FEW_TRIES)
@router.get(
    "/calendars/{secret}.ics",
    response_class=Response,
    responses=_CALENDAR | problems(NotFound, TooManyRequests),
    dependencies=FEW_TRIES,
)
async def fetch_calendar(
    secret: str,
    db: Db,
    if_none_match: Annotated[str | None, Header(description="The ETag of what I have.")] = None,
) -> Response:
    """The meetings of whoever made this address, for calendar programs: the address is the key."""
    return _feed(await service.read_feed(db, secret), if_none_match)


def _feed(text: str, known: str | None) -> Response:
    body = text.encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if known is not None and (
        known.strip() == "*" or tag in known.replace("W/", "").replace(" ", "").split(",")
    ):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)


@router.post(INBOUND, response_model=InboundRead, include_in_schema=False)
async def receive_mail(
    request: Request, door: Door, db: Db, authorization: Annotated[str, Header()] = ""
) -> InboundRead:
    """A mail that came to the calendar address, from the operator's mail server."""
    await _must_be_the_mail_server(door, request, authorization)
    return await service.receive(db, await _whole(request), door.keys)


async def _must_be_the_mail_server(door: Doorkeeper, request: Request, authorization: str) -> None:
    secret = door.settings.inbound_mail_secret
    if not secret:
        raise NotFound()
    if not crypto.same(authorization.encode(), f"Bearer {secret}".encode()):
        client = request.client.host if request.client else "unknown"
        await door.limits.spend(TRIES_PER_CLIENT, "inbound", client)
        raise Unauthenticated("mail_server_refused", "This door is for the operator's mail server.")


async def _whole(request: Request) -> bytes:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > replies.MOST_BYTES:
            raise TooLarge("mail_too_large", f"A message may hold {replies.MOST_BYTES // 1024**2} MiB.")
    return bytes(raw)
