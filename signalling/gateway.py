"""The sockets: who may open one, and one loop that reads each of them to its end."""

import asyncio
import json
import re
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from signalling.connection import Connection
from signalling.doors import AnyDoor, CallDoor, EventsDoor, Invalid
from signalling.events.hub import EventsHub
from signalling.hub import Hub
from signalling.presence import Presence
from signalling.protocol.bucket import Bucket
from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.effects import Refused
from signalling.protocol.parts import MAX_FRAME_BYTES
from signalling.settings import Settings

HELLO_SECONDS = 5.0
_CALL_PATH = re.compile(r"^/calls/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$")
_EVENTS_PATH = "/events"
# What the client library closes with when a frame breaks RFC 6455, and we when it breaks our limits.
_RULES_BROKEN = {1002, 1003, 1007, 1009, CloseCode.TOO_LARGE}

log = structlog.get_logger()


class Gateway:
    """Answers HTTP, and leads each socket to its door."""

    def __init__(self, settings: Settings, hub: Hub, events: EventsHub, presence: Presence) -> None:
        self._settings = settings
        self._hub = hub
        self._events = EventsDoor(events)
        self._presence = presence
        self._sockets = 0

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer what is not a socket; None lets the upgrade go on."""
        if request.path == "/healthz":
            return _json(connection, HTTPStatus.OK, {"status": "ok"})
        if request.path == "/readyz":
            reason = self._presence.why_not() or self._presence.why_not_known()
            status = HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE
            return _json(connection, status, {"status": "not ready" if reason else "ready", "reason": reason})
        if request.path != _EVENTS_PATH and not _CALL_PATH.match(request.path):
            return _json(connection, HTTPStatus.NOT_FOUND, {"status": "not found"})
        origins = request.headers.get_all("Origin")
        if origins and (len(origins) > 1 or origins[0] not in self._settings.origins):
            return _json(
                connection, HTTPStatus.FORBIDDEN, {"status": "this origin may not open sockets here"}
            )
        if self._sockets >= self._settings.max_sockets:
            return _json(connection, HTTPStatus.SERVICE_UNAVAILABLE, {"status": "too many sockets"})
        return None

    async def serve(self, socket: ServerConnection) -> None:
        """Own one socket from its first frame to its last."""
        assert isinstance(socket, Connection)
        self._sockets += 1
        door = self._door(socket)
        guest: Any = None
        try:
            guest = await self._greet(door, socket)
            if guest is not None:
                await self._converse(door, guest, socket)
        except ConnectionClosed as closed:
            if guest is not None:
                await self._part(door, guest, socket, closed)
        except Exception:
            log.exception("socket_failed")
            socket.cut(CloseCode.INTERNAL_ERROR)
            if guest is not None:
                await door.lost(guest, socket)
        finally:
            self._sockets -= 1
            await socket.ended()

    def _door(self, socket: Connection) -> AnyDoor:
        path = socket.request.path if socket.request else ""
        match = _CALL_PATH.match(path)
        door: AnyDoor = self._events if match is None else CallDoor(self._hub, UUID(match[1]))
        socket.protocol.max_message_size = door.max_bytes
        if match is None:
            socket.heartbeat = self._settings.events_heartbeat_seconds
        else:
            socket.watch()
        socket.open()
        return door

    async def _greet(self, door: AnyDoor, socket: Connection) -> Any:
        """Wait for the hello and let the socket in, or close it."""
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                raw = await socket.recv()
        except TimeoutError:
            socket.cut(CloseCode.NO_HELLO)
            return None
        try:
            return await door.enter(socket, raw)
        except Invalid as invalid:
            refusal = Refused(ErrorCode.INVALID_MESSAGE, CloseCode.PROTOCOL_ERROR, invalid.detail)
        except Refused as refused:
            refusal = refused
        door.refuse(socket, refusal)
        socket.cut(refusal.close)
        return None

    async def _converse(self, door: AnyDoor, guest: Any, socket: Connection) -> None:
        loop = asyncio.get_running_loop()
        bucket = Bucket(loop.time())
        while True:
            raw = await socket.recv()
            if not bucket.take(loop.time(), door.cost(raw)):
                await door.drop(guest, socket, CloseCode.FLOODING)
                return
            if isinstance(raw, bytes):
                await door.drop(guest, socket, CloseCode.PROTOCOL_ERROR)
                return
            await door.receive(guest, socket, raw)

    async def _part(self, door: AnyDoor, guest: Any, socket: Connection, closed: ConnectionClosed) -> None:
        if closed.sent is not None and closed.sent.code in _RULES_BROKEN:
            await door.drop(guest, socket, CloseCode.PROTOCOL_ERROR)
        elif closed.rcvd is not None and closed.rcvd_then_sent and closed.rcvd.code in door.goodbyes:
            await door.left(guest, socket)
        else:
            await door.lost(guest, socket)


def options(settings: Settings, gateway: Gateway) -> dict[str, Any]:
    """How `websockets.serve` is to be run for this gateway."""
    return {
        "handler": gateway.serve,
        "process_request": gateway.answer,
        "create_connection": partial(Connection, heartbeat=settings.heartbeat_seconds),
        "compression": None,
        "server_header": None,
        "open_timeout": HELLO_SECONDS,
        # Our own pings also count what the client sends by itself.
        "ping_interval": None,
        "close_timeout": 2.0,
        "max_size": MAX_FRAME_BYTES,
        "max_queue": 16,
        # So the transport tells when something waits for a reader, and when nothing does any more.
        "write_limit": 0,
    }


def _json(connection: ServerConnection, status: HTTPStatus, answer: dict[str, Any]) -> Response:
    response = connection.respond(status, json.dumps(answer) + "\n")
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    response.headers["Cache-Control"] = "no-store"
    return response
