"""The sockets: who may open one, and one loop that reads each of them to its end."""

import asyncio
import json
import re
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from signalling.connection import Connection
from signalling.hub import Hub
from signalling.presence import Presence
from signalling.protocol.bucket import Bucket
from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.effects import Refused
from signalling.protocol.messages import ClientMessage, Error, Hello, body, client_adapter, frame
from signalling.protocol.peer import MOVES, State
from signalling.settings import Settings
from signalling.stays import Stay

HELLO_SECONDS = 5.0
_CALL_PATH = re.compile(r"^/calls/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$")
# What the client library closes with when a frame breaks RFC 6455, and we when it breaks our limits.
_RULES_BROKEN = {1002, 1003, 1007, 1009, CloseCode.TOO_LARGE}

log = structlog.get_logger()


class Invalid(Exception):
    """A frame that is no message of the protocol."""

    def __init__(self, detail: str, about: str | None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.about = about


class Gateway:
    """Answers HTTP, and carries calls sockets to the hub."""

    def __init__(self, settings: Settings, hub: Hub, presence: Presence) -> None:
        self._settings = settings
        self._hub = hub
        self._presence = presence
        self._sockets = 0

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer what is not a calls socket; None lets the upgrade go on."""
        if request.path == "/healthz":
            return _json(connection, HTTPStatus.OK, {"status": "ok"})
        if request.path == "/readyz":
            reason = self._presence.why_not()
            status = HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE
            return _json(connection, status, {"status": "not ready" if reason else "ready", "reason": reason})
        if not _CALL_PATH.match(request.path):
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
        stay: Stay | None = None
        try:
            socket.watch()
            stay = await self._greet(socket)
            if stay is not None:
                await self._converse(socket, stay)
        except ConnectionClosed as closed:
            if stay is not None:
                await self._part(socket, stay, closed)
        except Exception:
            log.exception("socket_failed")
            socket.cut(CloseCode.INTERNAL_ERROR)
            if stay is not None:
                await self._hub.lost(stay, socket)
        finally:
            self._sockets -= 1
            await socket.ended()

    async def _greet(self, socket: Connection) -> Stay | None:
        """Wait for the hello and let the socket in, or close it."""
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                raw = await socket.recv()
        except TimeoutError:
            socket.cut(CloseCode.NO_HELLO)
            return None
        try:
            hello = _parse(raw)
            if not isinstance(hello, Hello) or (State.GREETING, Hello) not in MOVES:
                detail = "The first message is a hello."
                raise Refused(ErrorCode.UNEXPECTED_MESSAGE, CloseCode.PROTOCOL_ERROR, detail)
            return await self._hub.enter(_call_id(socket), hello, socket)
        except Invalid as invalid:
            refusal = Refused(ErrorCode.INVALID_MESSAGE, CloseCode.PROTOCOL_ERROR, invalid.detail)
        except Refused as refused:
            refusal = refused
        error = Error(code=refusal.error, detail=refusal.detail, about="hello")
        socket.push(frame(0, body(error)))
        socket.cut(refusal.close)
        return None

    async def _converse(self, socket: Connection, stay: Stay) -> None:
        loop = asyncio.get_running_loop()
        bucket = Bucket(loop.time())
        while True:
            raw = await socket.recv()
            if not bucket.take(loop.time(), len(raw)):
                await self._hub.drop(stay, socket, CloseCode.FLOODING)
                return
            if isinstance(raw, bytes):
                await self._hub.drop(stay, socket, CloseCode.PROTOCOL_ERROR)
                return
            try:
                message = _parse(raw)
            except Invalid as invalid:
                await self._hub.invalid(stay, socket, invalid.detail, invalid.about)
            else:
                await self._hub.receive(stay, socket, message)

    async def _part(self, socket: Connection, stay: Stay, closed: ConnectionClosed) -> None:
        if closed.sent is not None and closed.sent.code in _RULES_BROKEN:
            await self._hub.drop(stay, socket, CloseCode.PROTOCOL_ERROR)
        elif closed.rcvd is not None and closed.rcvd_then_sent and closed.rcvd.code == CloseCode.NORMAL:
            await self._hub.left(stay, socket)
        else:
            await self._hub.lost(stay, socket)


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
        "max_size": 64 * 1024,
        "max_queue": 16,
    }


def _call_id(socket: Connection) -> UUID:
    match = _CALL_PATH.match(socket.request.path if socket.request else "")
    assert match is not None
    return UUID(match[1])


def _parse(raw: str | bytes) -> ClientMessage:
    if isinstance(raw, bytes):
        raise Invalid("Messages are JSON in text frames.", None)
    try:
        return client_adapter.validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] in ("json_invalid", "model_attributes_type", "dict_type"):
            raise Invalid("That is not a JSON object.", None) from None
        about = str(first["loc"][0]) if first["loc"] else None
        where = ".".join(str(part) for part in first["loc"][1:])
        raise Invalid(f"{where}: {first['msg']}" if where else first["msg"][:200], about) from None


def _json(connection: ServerConnection, status: HTTPStatus, answer: dict[str, Any]) -> Response:
    response = connection.respond(status, json.dumps(answer) + "\n")
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    response.headers["Cache-Control"] = "no-store"
    return response
