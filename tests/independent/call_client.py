"""A client of the calls socket, version 1, for direct calls; written from docs/protocol.md alone."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any, Self

import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.independent.peer import Peer
from tests.independent.synthetic import Source


class CallClient:
    """One person in one call, from the ticket to the end."""

    def __init__(
        self, ticket: dict[str, Any], tone: float = 440.0, size: tuple[int, int] = (320, 240)
    ) -> None:
        self.began = time.monotonic()
        self.source = Source(tone, *size)
        self.media = {"audio": True, "video": True}
        self.peers: dict[str, Peer] = {}
        self.roster: dict[str, dict[str, Any]] = {}
        self.welcome: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.ended: str | None = None
        self.closed_with: int | None = None
        self.last_seq = 0
        self.failure: BaseException | None = None
        # Nothing of what is sent arrives any more, though nobody has noticed yet.
        self.losing = False
        self._ticket = ticket
        self._socket: ClientConnection | None = None
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(self) -> Self:
        """Opens the socket with the ticket; afterwards the welcome and who was there are known."""
        self.source.start()
        await self._open({"ticket": self._ticket["ticket"]})
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
        self._socket = await connect(self._ticket["socket_url"], proxy=None, open_timeout=5)
        hello = {"type": "hello", "version": 1, "media": self.media, **proof}
        await self._socket.send(json.dumps(hello))
        first = json.loads(await asyncio.wait_for(self._socket.recv(), 5))
        if first["type"] != "welcome":
            self.errors.append(first)
            raise ConnectionRefusedError(f"{first.get('code')}: {first.get('detail')}")
        await self._take_welcome(first)
        self._tasks = [
            asyncio.create_task(self._read(self._socket)),
            asyncio.create_task(self._write(self._socket)),
            asyncio.create_task(self._beat()),
        ]

    async def _take_welcome(self, welcome: dict[str, Any]) -> None:
        self.log.append(welcome)
        self.welcome = welcome
        self.last_seq = welcome["seq"]
        present = {p["id"]: p for p in welcome["participants"]}
        kept = present.keys() if welcome["resumed"] else set()  # of an earlier stay nothing goes on
        for gone in self.peers.keys() - kept:
            await self._forget(gone)
        self.roster = present
        for participant in present.values():
            self._peer(participant, offering=not welcome["resumed"]).socket_is_back()

    def _peer(self, participant: dict[str, Any], offering: bool) -> Peer:
        if participant["id"] not in self.peers:
            peer = Peer(participant, offering, self._ticket, self.source, self.send)
            self.peers[participant["id"]] = peer
        return self.peers[participant["id"]]

    async def _forget(self, participant_id: str) -> None:
        self.roster.pop(participant_id, None)
        peer = self.peers.pop(participant_id, None)
        if peer is not None:
            await peer.close()

    def send(self, message: dict[str, Any]) -> None:
        """Puts a message in line; the order of calling is the order on the wire."""
        self._outgoing.put_nowait(message)

    def set_media(self, audio: bool, video: bool) -> None:
        """Mutes or unmutes, and says so."""
        self.source.audio.enabled = audio
        self.source.video.enabled = video
        self.media = {"audio": audio, "video": video}
        self.send({"type": "media", **self.media})

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
                self._peer(message["participant"], offering=False)  # ready for the newcomer's offer
            case "participant_left":
                await self._forget(message["participant_id"])
            case "participant_media" if message["participant_id"] in self.roster:
                media = {kind: message[kind] for kind in ("audio", "video")}
                self.roster[message["participant_id"]].update(media)
            case "participant_connection" if message["participant_id"] in self.roster:
                self.roster[message["participant_id"]]["state"] = message["state"]
                if message["state"] == "online":
                    self.peers[message["participant_id"]].socket_is_back()
            case "offer" | "answer" | "candidate" if message["from"] in self.peers:
                await self.peers[message["from"]].receive(message)
            case "error":
                self.errors.append(message)
            case "ended":
                self.ended = message["reason"]

    async def until(self, true: Callable[[Self], object], what: str, seconds: float = 10.0) -> None:
        """Waits for something to become true of this client."""
        deadline = time.monotonic() + seconds
        while not true(self):
            if self.failure is not None:
                raise self.failure
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s: {what}; errors: {self.errors}")
            async with self._changed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)

    def other(self) -> Peer:
        """The peer of a call of two."""
        (peer,) = self.peers.values()
        return peer

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
        for participant_id in list(self.peers):
            await self._forget(participant_id)
        await self.source.stop()

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
