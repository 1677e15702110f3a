"""A client of forwarded calls, version 1, written from docs/protocol.md alone; media by whichever engine."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from typing_extensions import override

from tests.independent.calls_socket import CallsSocket
from tests.independent.figures import Figures

Candidate = dict[str, Any] | None
Trickle = Callable[[Candidate], None]
ANSWER_SECONDS = 1.0  # after a socket was lost and is back, an answer has this long to arrive


class Reading(Protocol):
    """The measuring of one section of the subscribe connection, until it is stopped."""

    @property
    def figures(self) -> Figures: ...
    async def stop(self) -> None: ...


class Publisher(Protocol):
    """The connection on which the client offers and sends."""

    async def offer(self, restart: bool) -> str: ...
    def tracks(self) -> list[dict[str, Any]]: ...
    def send_only(self, sources: set[str]) -> None: ...
    async def take_answer(self, sdp: str) -> None: ...
    def unanswered(self) -> str | None: ...
    async def close(self) -> None: ...


class Subscriber(Protocol):
    """The connection on which the server offers and sends."""

    async def answer(self, sdp: str) -> str: ...
    def read(self, mid: str) -> Reading: ...
    async def close(self) -> None: ...


class Engine(Protocol):
    """A WebRTC stack with a microphone and a camera."""

    def start(self) -> None: ...
    async def stop(self) -> None: ...
    def enable(self, audio: bool, video: bool) -> None: ...
    def publisher(self, trickle: Trickle) -> Publisher: ...
    def subscriber(self, trickle: Trickle) -> Subscriber: ...


class Line:
    """What the client says about one peer connection: each description before its candidates."""

    def __init__(self, pc: str, generation: int, send: Callable[[dict[str, Any]], None]) -> None:
        self._about: dict[str, Any] = {"pc": pc, "generation": generation}
        if pc == "subscribe":
            self._about["to"] = None  # null or left out: the document says the one and shows the other
        self._send = send
        self._waiting: list[Candidate] | None = []

    def describe(self, kind: str, sdp: str, **tracks: Any) -> None:
        self._send({"type": kind, "sdp": sdp, **tracks, **self._about})
        waiting, self._waiting = self._waiting or [], None
        for candidate in waiting:
            self.trickle(candidate)

    def trickle(self, candidate: Candidate) -> None:
        if self._waiting is None:
            self._send({"type": "candidate", "candidate": candidate, **self._about})
        else:
            self._waiting.append(candidate)


class ForwardedClient(CallsSocket):
    """One person in one forwarded call, from the ticket to the end."""

    def __init__(self, ticket: dict[str, Any], engine: Engine, listens_only: bool = False) -> None:
        assert ticket["topology"] == "forwarded", ticket
        super().__init__(ticket)
        self.engine = engine
        self.listens_only = listens_only
        self.media = {"audio": not listens_only, "video": not listens_only}
        self.publisher: Publisher | None = None
        self.publish_generation = 0
        self.subscribe_generation = 0
        self.answers: list[str] = []  # the server's, to what was published
        self.offers: list[dict[str, Any]] = []  # the server's, on subscribe
        self.speakers: list[list[str]] = []
        self.paused: set[tuple[str, str]] = set()
        self._subscriber: Subscriber | None = None
        self._readings: dict[str, tuple[tuple[str, str], Reading]] = {}
        self._view: list[dict[str, Any]] | None = None
        self._background: set[asyncio.Task[None]] = set()

    @property
    def id(self) -> str:
        return str(self.welcome["participant_id"])

    def figures(self, participant_id: str, source: str) -> Figures | None:
        """What is measured of somebody's microphone or camera; nothing when the server does not name it."""
        found = [r.figures for who, r in self._readings.values() if who == (participant_id, source)]
        assert len(found) <= 1, f"{source} of {participant_id} comes twice"
        return found[0] if found else None

    def named(self) -> set[tuple[str, str]]:
        """Whose sound and pictures the last offer on `subscribe` names."""
        return {who for who, _ in self._readings.values()}

    # Publishing.

    async def publish(self) -> None:
        """Begins the next generation of the connection on which microphone and camera are sent."""
        if self.publisher is not None:
            await self.publisher.close()
        self.publish_generation += 1
        self._publish_line = Line("publish", self.publish_generation, self.send)
        self.publisher = self.engine.publisher(self._publish_line.trickle)
        await self.offer()

    async def offer(self, restart: bool = False) -> None:
        """Offers in the present generation what is to be sent now."""
        assert self.publisher is not None
        sdp = await self.publisher.offer(restart)
        self._publish_line.describe("offer", sdp, tracks=self.publisher.tracks())

    async def answered(self, count: int) -> None:
        """Waits until so many offers have been answered in all."""
        await self.until(lambda me: len(me.answers) >= count, f"{count} answers on publish")

    async def _take_answer(self, message: dict[str, Any]) -> None:
        if message["generation"] != self.publish_generation or self.publisher is None:
            return
        if self.publisher.unanswered() is None:
            return  # a second one, to an offer that was repeated
        self.answers.append(message["sdp"])
        await self.publisher.take_answer(message["sdp"])

    # Subscribing.

    def restart_subscribe(self, afresh: bool = False) -> None:
        """Asks for an ICE restart, or for an offer to a new connection."""
        generation = self.subscribe_generation + afresh
        self.send({"type": "restart", "pc": "subscribe", "generation": generation})

    async def _take_offer(self, message: dict[str, Any]) -> None:
        if message["generation"] < self.subscribe_generation:
            return
        self.offers.append(message)
        if message["generation"] > self.subscribe_generation:
            await self._drop_subscriber()
            self.subscribe_generation = message["generation"]
            self._subscribe_line = Line("subscribe", self.subscribe_generation, self.send)
            self._subscriber = self.engine.subscriber(self._subscribe_line.trickle)
        assert self._subscriber is not None
        self._subscribe_line.describe("answer", await self._subscriber.answer(message["sdp"]))
        await self._map({t["mid"]: (t["participant_id"], t["source"]) for t in message["tracks"]})

    async def _map(self, tracks: dict[str, tuple[str, str]]) -> None:
        """Measures what each section carries now; a section that carries another person begins at nothing."""
        assert self._subscriber is not None
        for mid, (who, reading) in list(self._readings.items()):
            if tracks.get(mid) != who:
                del self._readings[mid]
                await reading.stop()
        for mid in tracks.keys() - self._readings.keys():
            self._readings[mid] = tracks[mid], self._subscriber.read(mid)

    async def _drop_subscriber(self) -> None:
        for _, reading in self._readings.values():
            await reading.stop()
        self._readings = {}
        if self._subscriber is not None:
            await self._subscriber.close()
        self._subscriber = None

    def view(self, heights: dict[tuple[str, str], int]) -> None:
        """Says how high the pictures are shown, by participant and source."""
        self._view = [
            {"participant_id": who, "source": source, "height": height}
            for (who, source), height in heights.items()
        ]
        self.send({"type": "view", "tracks": self._view})

    def set_media(self, audio: bool, video: bool) -> None:
        """Mutes or unmutes, and says so."""
        self.engine.enable(audio, video)
        self.media = {"audio": audio, "video": video}
        self.send({"type": "media", **self.media})

    # What the socket asks for.

    @override
    def state(self) -> str:
        engine = type(self.engine).__name__
        sections = {mid: (*who, reading.figures.frames) for mid, (who, reading) in self._readings.items()}
        return f"{super().state()}, {engine=}, {self.id=}, {self.paused=}, {sections=}"

    @override
    async def begin_media(self) -> None:
        self.engine.start()

    @override
    async def take_welcome(self, resumed: bool) -> None:
        assert self.welcome["topology"] == "forwarded", self.welcome
        if resumed:
            if self._view is not None:
                self.send({"type": "view", "tracks": self._view})
            task = asyncio.create_task(self._repeat_offer())
            self._background.add(task)
            task.add_done_callback(self._background.discard)
            return
        await self._drop_subscriber()
        self.subscribe_generation = self.publish_generation = 0
        self._view = None
        if not self.listens_only:
            await self.publish()

    async def _repeat_offer(self) -> None:
        await asyncio.sleep(ANSWER_SECONDS)
        sdp = self.publisher.unanswered() if self.publisher is not None else None
        if self.publisher is not None and sdp is not None:
            self._publish_line.describe("offer", sdp, tracks=self.publisher.tracks())

    @override
    async def take_media_message(self, message: dict[str, Any]) -> None:
        match message["type"], message.get("pc"):
            case "offer", "subscribe":
                assert message["from"] is None, message
                await self._take_offer(message)
            case "answer", "publish":
                assert message["from"] is None, message
                await self._take_answer(message)
            case "offer" | "answer" | "candidate", _:
                raise AssertionError(f"not to be said in a forwarded call: {message}")
            case "speakers", _:
                self.speakers.append(message["participant_ids"])
            case "track_state", _:
                who = message["participant_id"], message["source"]
                (self.paused.add if message["state"] == "paused" else self.paused.discard)(who)

    @override
    async def end_media(self) -> None:
        for task in self._background:
            task.cancel()
        await self._drop_subscriber()
        if self.publisher is not None:
            await self.publisher.close()
        self.publisher = None
        await self.engine.stop()
