"""A client of the events socket, version 1, written from docs/protocol.md (sections 12 to 20) alone."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self

import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.independent.mirror import Mirror, backoff
from tests.independent.outbox import Outbox
from tests.independent.rest import Refused, Rest, Unreachable

NEW_TICKET = {4400: 2.0, 4410: 0.0, 4411: 2.0}  # and how long to wait at most
TYPING_AGAIN, TYPING_FORGOTTEN = 3.0, 6.0


class EventsClient:
    """What one person sees of their conversations, kept up to date by one socket."""

    def __init__(self, rest: Rest, state: str = "online", longest_wait: float = 30.0) -> None:
        self.rest = rest
        self.state = state
        self.mirror = Mirror(rest, self._pulse)
        self.outbox = Outbox(rest, backoff, self._pulse)
        self.presence: dict[str, str] = {}
        self._longest_wait = longest_wait
        self.stopped: str | None = None  # why it stays away
        # What the tests look at.
        self.heard: list[dict[str, Any]] = []
        self.welcomes = 0
        self.proofs: list[str] = []
        self.errors: list[dict[str, Any]] = []
        self.closes: list[int] = []
        self.failure: BaseException | None = None
        self.losing = 0  # so many events get lost on their way
        self._watched: list[str] = []
        self._typed: dict[str, float] = {}
        self._typing: dict[tuple[str, str], float] = {}
        self._token: str | None = None
        self._url = ""
        self._socket: ClientConnection | None = None
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def settled(self) -> bool:
        """Connected, and the sync that the last welcome asks for has been applied."""
        return self._socket is not None and self.mirror.in_step

    # From outside.

    async def __aenter__(self) -> Self:
        for work in (self._stay_connected(), self.mirror.run(), self.outbox.run()):
            self._tasks.append(asyncio.create_task(self._guarded(work)))
        await self.until(lambda me: me.settled, "the first sync is applied")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket is not None:
            await self._socket.close()  # 1000 says that nobody is coming back
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, true: Callable[[Self], object], what: str, seconds: float = 5.0) -> None:
        """Waits for something to become true of this client."""
        deadline = time.monotonic() + seconds
        while not true(self):
            if self.failure is not None:
                raise self.failure
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s: {what}; {self.errors=} {self.closes=}")
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 0.1)

    def typing(self, conversation_id: str) -> set[str]:
        """The memberships that type there at the moment."""
        now = time.monotonic()
        here = {who: until for (where, who), until in self._typing.items() if where == conversation_id}
        return {who for who, until in here.items() if until > now}

    async def type(self, conversation_id: str, typing: bool = True) -> None:
        """To be called at each key: it is told when it is new, and every 3 seconds."""
        now = time.monotonic()
        if typing and now - self._typed.get(conversation_id, -TYPING_AGAIN) < TYPING_AGAIN:
            return
        self._typed[conversation_id] = now if typing else -TYPING_AGAIN
        await self.send({"type": "typing", "stream": conversation_id, "typing": typing})

    async def watch(self, *conversation_ids: str) -> None:
        self._watched = list(conversation_ids)
        self.presence.clear()
        await self.send({"type": "watch", "streams": self._watched})

    async def become(self, state: str) -> None:
        self.state = state
        await self.send({"type": "presence", "state": state})

    async def send(self, message: dict[str, Any]) -> None:
        """Says it if there is a socket; nothing that is said there has to arrive."""
        if self._socket is not None:
            with contextlib.suppress(websockets.ConnectionClosed):
                await self._socket.send(json.dumps(message))

    def lose_socket(self) -> None:
        """Cuts the connection without a word, as a network that goes away does."""
        assert self._socket is not None
        self._socket.transport.abort()

    # The socket.

    async def _stay_connected(self) -> None:
        tries = 0
        while self.stopped is None:
            welcomed, pause = False, 0.0
            try:
                async with await self._open() as socket:
                    welcomed = await self._read(socket)
            except Refused as refused:
                if refused.status == 401:
                    self.stopped = "sign in again"
            except (Unreachable, OSError, TimeoutError, websockets.WebSocketException):
                self._token = None  # whoever cannot reach the node needs another, or the node afresh
            else:
                pause = self._closed(socket.close_code or 1006)
            self._socket = None
            self._pulse()
            tries = 0 if welcomed else tries + 1
            await asyncio.sleep(pause * random.random() + min(backoff(tries), self._longest_wait))

    async def _open(self) -> ClientConnection:
        if self._token is None:
            ticket = await self.rest.events_ticket()
            self._url = ticket["socket_url"]
            proof: dict[str, Any] = {"ticket": ticket["ticket"]}
        else:
            proof = {"resume": {"token": self._token}}
        socket = await connect(self._url, proxy=None, open_timeout=5, ping_interval=None)
        self.proofs += proof
        await socket.send(json.dumps({"type": "hello", "version": 1, "state": self.state, **proof}))
        return socket

    async def _read(self, socket: ClientConnection) -> bool:
        """Until the socket's end; whether there was a welcome."""
        heartbeat, beating = 5.0, None
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                try:
                    message = json.loads(await asyncio.wait_for(socket.recv(), 3 * heartbeat))
                except TimeoutError:
                    socket.transport.abort()  # closing with 1000 would give up the token
                    break
                if message["type"] == "event" and self.losing:
                    self.losing -= 1
                    continue
                if message["type"] == "welcome":
                    heartbeat = message["heartbeat_seconds"]
                    beating = asyncio.create_task(self._beat(heartbeat))
                    await self._welcomed(socket, message)
                self._take(message)
                self._pulse()
        if beating is not None:
            beating.cancel()
        return beating is not None

    async def _beat(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.send({"type": "ping"})

    async def _welcomed(self, socket: ClientConnection, welcome: dict[str, Any]) -> None:
        self._token = welcome["resume_token"]
        self.welcomes += 1
        self._socket = socket
        self.mirror.live = welcome["live"]
        self.mirror.hold()
        self.presence.clear()
        if self._watched:
            await self.send({"type": "watch", "streams": self._watched})

    def _closed(self, code: int) -> float:
        """Decides how to come back, and how long to wait before."""
        self.closes.append(code)
        if code in NEW_TICKET:
            self._token = None
        elif code == 1000 or 4500 <= code < 4600:
            self.stopped = str(code)
        return NEW_TICKET.get(code, 0.0)

    def _take(self, message: dict[str, Any]) -> None:
        self.heard.append(message)
        match message["type"]:
            case "event":
                self.mirror.take(message)
                if message["kind"] == "message.posted":  # whoever has spoken does not type any more
                    self._typing.pop((message["stream"], message["data"]["author_id"]), None)
            case "sync":
                self.mirror.sync_with_the_crowd()
            case "live":
                self.mirror.live = message["live"]
                self.mirror.sync_soon()
            case "presence":
                self.presence[message["membership_id"]] = message["state"]
            case "typing":
                until = time.monotonic() + TYPING_FORGOTTEN if message["typing"] else 0.0
                self._typing[message["stream"], message["membership_id"]] = until
            case "error":
                self.errors.append(message)

    def _pulse(self) -> None:
        self._changed.set()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.failure = error
            self._pulse()
