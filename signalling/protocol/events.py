"""Everything that travels on the events socket: one small model per message, one union per direction.

`docs/protocol.md` shows each of them; a test parses its samples with these models.
"""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from signalling.protocol.codes import ErrorCode

VERSION = 1
MAX_FRAME_BYTES = 16 * 1024
MAX_WATCHED = 100

Shown = Literal["online", "away", "hidden"]
Seen = Literal["online", "away", "offline"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# Client to server


class Resume(_Part):
    """Come back after a lost socket: the token of its welcome."""

    token: str


class Hello(_Part):
    """The first frame on every socket: a ticket or a resume, and whether the person is at the device.

    Whatever the ticket or the token looks like, it is refused as one, not as a malformed message.
    """

    type: Literal["hello"] = "hello"
    version: Annotated[int, Field(ge=1, le=1000)]
    ticket: str | None = None
    resume: Resume | None = None
    state: Shown | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.ticket is None) == (self.resume is None):
            raise ValueError("a hello carries either a ticket or a resume")
        return self


class Typing(_Part):
    """I am writing in this conversation, or have stopped. Repeated every few seconds while it lasts."""

    type: Literal["typing"] = "typing"
    stream: UUID
    typing: bool


class Presence(_Part):
    """How others shall see me."""

    type: Literal["presence"] = "presence"
    state: Shown


class Watch(_Part):
    """Tell me of the presence of the people of these conversations. Takes the place of the last one."""

    type: Literal["watch"] = "watch"
    streams: Annotated[tuple[UUID, ...], Field(max_length=MAX_WATCHED)]


class Ping(_Part):
    """Asks for a pong."""

    type: Literal["ping"] = "ping"


ClientMessage = Annotated[Hello | Typing | Presence | Watch | Ping, Field(discriminator="type")]
client_adapter: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


# Server to client


class Welcome(_Part):
    """You are in: now sync."""

    type: Literal["welcome"] = "welcome"
    version: Literal[1] = 1
    resume_token: str
    heartbeat_seconds: float
    grace_seconds: float
    live: bool


class Event(_Part):
    """Something happened in a stream that you hear."""

    type: Literal["event"] = "event"
    stream: UUID
    epoch: str
    seq: Annotated[int, Field(ge=1, le=2**53 - 1)]
    kind: str
    data: dict[str, Any]


class TypingSeen(_Part):
    """Somebody is writing, or has stopped."""

    type: Literal["typing"] = "typing"
    stream: UUID
    membership_id: UUID
    typing: bool


class PresenceSeen(_Part):
    """Whether somebody is there."""

    type: Literal["presence"] = "presence"
    membership_id: UUID
    state: Seen


class Sync(_Part):
    """Something may have gone by: sync."""

    type: Literal["sync"] = "sync"


class Live(_Part):
    """Whether events come at once; while they do not, sync every few seconds."""

    type: Literal["live"] = "live"
    live: bool


class Pong(_Part):
    """Answers a ping."""

    type: Literal["pong"] = "pong"


class Error(_Part):
    """Something you sent was not carried out. `about` is its `type`, when it had a known one."""

    type: Literal["error"] = "error"
    code: ErrorCode
    detail: str
    about: str | None = None


ServerMessage = Annotated[
    Welcome | Event | TypingSeen | PresenceSeen | Sync | Live | Pong | Error, Field(discriminator="type")
]
server_adapter: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)


def text(message: BaseModel) -> bytes:
    """Encode a message."""
    return message.model_dump_json().encode()


SYNC_TEXT = text(Sync())
PONG_TEXT = text(Pong())


def hidden(stream: UUID, epoch: str, seq: int) -> bytes:
    """A number whose content is not for the reader: it only moves the cursor."""
    return text(Event(stream=stream, epoch=epoch, seq=seq, kind="hidden", data={}))
