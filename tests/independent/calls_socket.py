"""A client of the calls socket, version 1: what direct and forwarded calls have in common."""

import asyncio
import contextlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import websockets
from websockets.asyncio.client import ClientConnection, connect


class CallsSocket(ABC):
    """One person's stay in one call: the socket, the roster and the numbering, but no media."""

    open_seconds = 5.0
    """How long the socket may take to open, and the welcome to come."""

    def __init__(self, ticket: dict[str, Any]) -> None:
        self.began = time.monotonic()
        self.ticket = ticket
        self.media = {"audio": True, "video": True}
        self.roster: dict[str, dict[str, Any]] = {}
        self.welcome: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.ended: str | None = None
        self.closed_with: int | None = None
        self.last_seq = 0
        self.failure: BaseException | None = None
        # Nothing of what is sent arrives any more, though nobody has noticed yet.
        self.losing = False
        self._socket: ClientConnection | None = None
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(self) -> Self:
        """Opens the socket with the ticket; afterwards the welcome and who was there are known."""
        await self.begin_media()
        await self._open({"ticket": self.ticket["ticket"]})
        return self

    async def lose_socket(self) -> None:
        """Cuts the connection without a word, as a network that goes away does."""
        assert self._socket is not None
        self._socket.transport.abort()
        await self._stop_tasks()
        self.losing = False

    async def resume(self) -> None:
        """Takes the stay up again on a new socket."""
        token = {"token": self.welcome["resume_token"], "last_seq": self.last_seq}
        await self._open({"resume": token})

    async def _open(self, proof: dict[str, Any]) -> None:
        self._socket = await connect(self.ticket["socket_url"], proxy=None, open_timeout=self.open_seconds)
        hello = {"type": "hello", "version": 1, "media": self.media, **proof}
        await self._socket.send(json.dumps(hello))
        first = json.loads(await asyncio.wait_for(self._socket.recv(), self.open_seconds))
        if first["type"] != "welcome":
            self.errors.append(first)
            raise ConnectionRefusedError(f"{first.get('code')}: {first.get('detail')}")
        self.log.append(first)
        self.welcome = first
        self.last_seq = first["seq"]
        self.roster = {p["id"]: p for p in first["participants"]}
        while not first["resumed"] and not self._outgoing.empty():
            self._outgoing.get_nowait()  # it was about the earlier stay
        await self.take_welcome(first["resumed"])
        self._tasks = [
            asyncio.create_task(self._read(self._socket)),
            asyncio.create_task(self._write(self._socket)),
            asyncio.create_task(self._beat()),
        ]

    def send(self, message: dict[str, Any]) -> None:
        """Puts a message in line; the order of calling is the order on the wire."""
        self.said.append(message)
        self._outgoing.put_nowait(message)

    async def _write(self, socket: ClientConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                message = await self._outgoing.get()
                if not self.losing:
                    await socket.send(json.dumps(message))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.welcome["heartbeat_seconds"])
            self.send({"type": "ping"})

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                await self._take(json.loads(text))
                async with self._changed:
                    self._changed.notify_all()
        except websockets.ConnectionClosedError:
            pass
        except Exception as error:
            self.failure = error
        self.closed_with = socket.close_code
        async with self._changed:
            self._changed.notify_all()

    async def _take(self, message: dict[str, Any]) -> None:
        self.log.append(message)
        if message["type"] == "pong":
            return
        assert message["seq"] == self.last_seq + 1, f"a hole before {message}"
        self.last_seq = message["seq"]
        match message["type"]:
            case "participant_joined":
                self.roster[message["participant"]["id"]] = message["participant"]
                await self.joined(message["participant"])
            case "participant_left":
                self.roster.pop(message["participant_id"], None)
                await self.left(message["participant_id"])
            case "participant_media" if message["participant_id"] in self.roster:
                media = {kind: message[kind] for kind in ("audio", "video")}
                self.roster[message["participant_id"]].update(media)
            case "participant_connection" if message["participant_id"] in self.roster:
                self.roster[message["participant_id"]]["state"] = message["state"]
                if message["state"] == "online":
                    self.is_back(message["participant_id"])
            case "error":
                self.errors.append(message)
            case "ended":
                self.ended = message["reason"]
            case _:
                await self.take_media_message(message)

    async def until(self, true: Callable[[Self], object], what: str, seconds: float = 10.0) -> None:
        """Waits for something to become true of this client."""
        deadline = time.monotonic() + seconds
        while not true(self):
            if self.failure is not None:
                raise self.failure
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s: {what}; {self.state()}")
            async with self._changed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)

    def state(self) -> str:
        """What is worth knowing when something does not come."""
        return f"errors: {self.errors}"

    async def leave(self) -> None:
        """Leaves as a person does, and waits for the server's last word."""
        self.send({"type": "leave"})
        await self.until(lambda me: me.closed_with is not None, "the socket closes", 5)
        await self.close()

    async def close(self) -> None:
        """Gives everything back; harmless when repeated."""
        if self._socket is not None:
            await self._socket.close()
        await self._stop_tasks()
        await self.end_media()

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    # What the topology decides.

    @abstractmethod
    async def begin_media(self) -> None: ...

    @abstractmethod
    async def end_media(self) -> None: ...

    @abstractmethod
    async def take_welcome(self, resumed: bool) -> None: ...

    @abstractmethod
    async def take_media_message(self, message: dict[str, Any]) -> None:
        """An offer, an answer, a candidate, or what else the topology knows."""

    # What it may wish to hear.

    async def joined(self, participant: dict[str, Any]) -> None:  # noqa: B027
        """Somebody has come."""

    async def left(self, participant_id: str) -> None:  # noqa: B027
        """Somebody has gone."""

    def is_back(self, participant_id: str) -> None:  # noqa: B027
        """The socket of somebody else works again."""
