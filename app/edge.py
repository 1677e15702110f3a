"""What every request passes on its way in, and every answer on its way out."""

import re
from collections.abc import Collection
from itertools import accumulate
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import BadRequest, TooLarge, answer

MAX_NESTING: Final = 32
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STEPS: Final = {**dict.fromkeys(b"[{", 1), **dict.fromkeys(b"]}", -1)}
_ALL_ELSE: Final = bytes(set(range(256)) - _STEPS.keys())


def nesting(document: bytes | bytearray) -> int:
    """How deep brackets stand in brackets, in JSON or what claims to be; the time it takes is linear."""
    brackets = _STRING.sub(b"", document).translate(None, _ALL_ELSE)
    return max(accumulate(map(_STEPS.__getitem__, brackets), initial=0))


class BodyLimit:
    """Refuses a body that is too large, whether its length is announced or found out, or nested too deep.

    FastAPI's own limit answers an announced length in plain text, before any of our code runs. A parser that
    meets brackets in thousands of brackets uses up the interpreter's stack, and whatever else the interpreter
    does at that moment fails: a collected object's farewell, for one.
    """

    def __init__(self, app: ASGIApp, *, most: int, spared: Collection[str] = ()) -> None:
        """`spared` are paths whose bodies are not JSON, and which look after their length themselves."""
        self._app = app
        self._most = most
        self._spared = frozenset(spared)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._spared:
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:20]) > self._most:
            await answer(TooLarge())(scope, receive, send)
            return
        body = bytearray()

        async def receive_no_more() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            # FastAPI lets this kind of exception through where it reads the body.
            if len(body) > self._most:
                raise HTTPException(TooLarge.status)
            if not message.get("more_body") and nesting(body) > MAX_NESTING:
                raise HTTPException(BadRequest.status)
            return message

        await self._app(scope, receive_no_more, send)


class SafeHeaders:
    """Headers that every answer carries."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]
        if secure:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        private = scope["path"].startswith("/v1/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *self._headers]
                if private and b"cache-control" not in present:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, send_with_headers)
