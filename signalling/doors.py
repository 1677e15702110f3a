"""What a socket may lead to: a call, or the events of an account. Each door speaks its own protocol."""

from typing import Any, Protocol, TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from signalling.connection import Connection
from signalling.events.hub import EventsHub
from signalling.events.listeners import Listener
from signalling.hub import Hub
from signalling.protocol import events, messages, parts
from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.effects import Refused
from signalling.protocol.peer import MOVES, State
from signalling.stays import Stay

# What events sockets say is small, but each stream that it names makes us look for a roster.
EVENTS_COST = 10
Guest = TypeVar("Guest")


class Invalid(Exception):
    """A frame that is no message of the protocol."""

    def __init__(self, detail: str, about: str | None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.about = about


class Door(Protocol[Guest]):
    """How the gateway's loop lets a socket in, and passes on what it says and how it ends."""

    max_bytes: int
    goodbyes: frozenset[int]
    """Close codes by which a client says that it does not come back."""

    async def enter(self, socket: Connection, raw: str | bytes) -> Guest:
        """Take the first frame. Raises `Invalid` and `Refused`."""

    async def receive(self, guest: Guest, socket: Connection, raw: str) -> None:
        """Take another frame."""

    async def lost(self, guest: Guest, socket: Connection) -> None:
        """The socket is gone."""

    async def left(self, guest: Guest, socket: Connection) -> None:
        """The client has closed the socket."""

    async def drop(self, guest: Guest, socket: Connection, code: CloseCode) -> None:
        """The socket broke the rules."""

    def refuse(self, socket: Connection, refusal: Refused) -> None:
        """Tell why nobody comes in."""

    def cost(self, raw: str | bytes) -> int:
        """How many bytes a frame counts for."""


class CallDoor:
    """Leads to one call."""

    max_bytes = parts.MAX_FRAME_BYTES
    goodbyes = frozenset({1000})

    def __init__(self, hub: Hub, call_id: UUID) -> None:
        self._hub = hub
        self._call_id = call_id

    async def enter(self, socket: Connection, raw: str | bytes) -> Stay:
        hello = parse(messages.client_adapter, raw)
        if not isinstance(hello, messages.Hello) or (State.GREETING, messages.Hello) not in MOVES:
            raise _no_hello()
        return await self._hub.enter(self._call_id, hello, socket)

    async def receive(self, guest: Stay, socket: Connection, raw: str) -> None:
        try:
            message = parse(messages.client_adapter, raw)
        except Invalid as invalid:
            await self._hub.invalid(guest, socket, invalid.detail, invalid.about)
        else:
            await self._hub.receive(guest, socket, message)

    async def lost(self, guest: Stay, socket: Connection) -> None:
        await self._hub.lost(guest, socket)

    async def left(self, guest: Stay, socket: Connection) -> None:
        await self._hub.left(guest, socket)

    async def drop(self, guest: Stay, socket: Connection, code: CloseCode) -> None:
        await self._hub.drop(guest, socket, code)

    def refuse(self, socket: Connection, refusal: Refused) -> None:
        error = messages.Error(code=refusal.error, detail=refusal.detail, about="hello")
        socket.push(messages.frame(0, messages.body(error)))

    def cost(self, raw: str | bytes) -> int:
        return len(raw)


class EventsDoor:
    """Leads to everything that an account hears."""

    max_bytes = events.MAX_FRAME_BYTES
    goodbyes = frozenset({1000, 1001})  # 1001: the page was left

    def __init__(self, hub: EventsHub) -> None:
        self._hub = hub

    async def enter(self, socket: Connection, raw: str | bytes) -> Listener:
        hello = parse(events.client_adapter, raw)
        if not isinstance(hello, events.Hello):
            raise _no_hello()
        return await self._hub.enter(hello, socket)

    async def receive(self, guest: Listener, socket: Connection, raw: str) -> None:
        try:
            message = parse(events.client_adapter, raw)
        except Invalid as invalid:
            self._hub.invalid(guest, invalid.detail, invalid.about)
        else:
            self._hub.receive(guest, message)

    async def lost(self, guest: Listener, socket: Connection) -> None:
        self._hub.lost(guest)

    async def left(self, guest: Listener, socket: Connection) -> None:
        self._hub.end(guest)

    async def drop(self, guest: Listener, socket: Connection, code: CloseCode) -> None:
        self._hub.end(guest, code)

    def refuse(self, socket: Connection, refusal: Refused) -> None:
        error = events.Error(code=refusal.error, detail=refusal.detail, about="hello")
        socket.push(events.text(error))

    def cost(self, raw: str | bytes) -> int:
        return EVENTS_COST * len(raw)


AnyDoor = Door[Any]


def parse(adapter: TypeAdapter[Any], raw: str | bytes) -> Any:
    """Read a frame as a message. Raises `Invalid`."""
    if isinstance(raw, bytes):
        raise Invalid("Messages are JSON in text frames.", None)
    try:
        return adapter.validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] in ("json_invalid", "model_attributes_type", "dict_type"):
            raise Invalid("That is not a JSON object.", None) from None
        about = str(first["loc"][0]) if first["loc"] else None
        where = ".".join(str(part) for part in first["loc"][1:])
        raise Invalid(f"{where}: {first['msg']}" if where else first["msg"][:200], about) from None


def _no_hello() -> Refused:
    detail = "The first message is a hello."
    return Refused(ErrorCode.UNEXPECTED_MESSAGE, CloseCode.PROTOCOL_ERROR, detail)
