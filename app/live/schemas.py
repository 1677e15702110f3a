"""What travels about streams."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictInt

from app.core.schemas import Body, Read
from app.core.streams import StreamKind

MOST_CURSORS = 1000
MOST_EVENTS = 500


class EventsTicketRead(Read):
    """Leave to open the events socket once, within a minute."""

    ticket: str
    expires_at: datetime
    socket_url: str = Field(examples=["wss://calls.example.org/events"])


class Cursor(Body):
    """How far a stream is known."""

    stream: UUID
    epoch: Annotated[str, Field(max_length=40, examples=["q3xV9w2a"])]
    seq: Annotated[StrictInt, Field(ge=0, le=2**53 - 1, examples=[41])]


class SyncAsk(Body):
    cursors: Annotated[list[Cursor], Field(max_length=MOST_CURSORS)] = Field(
        default=[], description="What is known already; the last one counts when a stream is named twice."
    )
    limit: Annotated[StrictInt, Field(ge=0, le=MOST_EVENTS)] = Field(
        default=100, description="How many events of one stream at most; 0 asks for the heads alone."
    )


class EventRead(Read):
    """One event, exactly as the socket carries it."""

    type: Literal["event"] = "event"
    stream: UUID
    epoch: str
    seq: int
    kind: str = Field(examples=["message.posted"])
    data: dict[str, Any] = Field(
        description="The message for `message.*`; for other kinds the `id` of what to read again.",
        examples=[{"id": "0192f3c0-0000-7000-8000-000000000000"}],
    )


class StreamRead(Read):
    """A stream that is not where the cursor said."""

    stream: UUID
    kind: StreamKind
    epoch: str
    head: int = Field(description="The number of the newest event.")
    reset: bool = Field(description="Read what the stream is about afresh and go on from `head`.")
    limited: bool = Field(description="More events follow these: ask again.")
    events: list[EventRead]


class SyncRead(Read):
    streams: list[StreamRead] = Field(description="Only those in which something is new.")
    gone: list[UUID] = Field(description="Streams in `cursors` that are not yours to hear.")
