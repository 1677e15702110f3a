"""Members of a forwarded call: libwebrtc at both of their connections, the engine without its sockets."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Protocol, Self
from uuid import UUID, uuid4

import webrtc
from typing_extensions import override

from signalling.media.embedded.engine import EmbeddedEngine
from signalling.media.embedded.ice import Address
from signalling.media.port import Admission, OnRecorded
from signalling.protocol.messages import Answer, AnswerFrom, Offer, OfferFrom, Quality, Speakers, Told
from signalling.protocol.parts import PublishedTrack, Viewed
from signalling.protocol.parts import Source as Kind
from tests.independent.synthetic import Meter, Source
from tests.signalling.media.networks import SERVER, Place

with contextlib.suppress(webrtc.InvalidStateError):
    webrtc.allow_loopback()


LAYERS = [
    webrtc.RTCRtpEncodingParameters(rid="q", scale_resolution_down_by=4, max_bitrate=150_000),
    webrtc.RTCRtpEncodingParameters(rid="h", scale_resolution_down_by=2, max_bitrate=500_000),
    webrtc.RTCRtpEncodingParameters(rid="f", max_bitrate=1_500_000),
]


def described(kind: str, sdp: str) -> webrtc.RTCSessionDescriptionInit:
    return webrtc.RTCSessionDescriptionInit.from_json({"type": kind, "sdp": sdp})


class Watch(Meter):
    """Remembers when each picture came that differs from the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    @override
    def saw(self, size: tuple[int, int], row: bytes) -> None:
        moved = self.moved
        super().saw(size, row)
        if self.moved > moved:
            self.times.append(time.monotonic())


class Meeting(Protocol):
    """What a member knows of the call."""

    id: UUID
    engine: Any


class Member:
    """Somebody in the call. What the engine says to them is carried out in order."""

    def __init__(self, call: Meeting, tone: float = 440.0) -> None:
        self.id = uuid4()
        self.call = call
        self.tone = tone
        self.source = Source(tone, 320, 180)
        self._sending = False
        self.meters: dict[tuple[UUID, str], Watch] = {}
        """By participant and source."""
        self.carried: dict[str, tuple[UUID, str]] = {}
        self.publish: webrtc.RTCPeerConnection | None = None
        self.subscribe: webrtc.RTCPeerConnection | None = None
        self.generation = 0
        self.offers: list[OfferFrom] = []
        self.answered: list[OfferFrom] = []
        self.speakers: list[tuple[UUID, ...]] = []
        self.qualities: list[Quality] = []
        self.answering = True
        self._heard: asyncio.Queue[Told] = asyncio.Queue()
        self._task = asyncio.create_task(self._listen())

    def hear(self, signal: Told) -> None:
        self._heard.put_nowait(signal)

    async def enter(self, *, may_publish: bool = True) -> Self:
        await self.call.engine.admit(Admission(self.call.id, self.id, may_publish))
        return self

    async def send(self, simulcast: tuple[int, int] | None = None, generation: int = 1) -> Self:
        """Publish sound and picture; in three layers, if their largest size is given."""
        if simulcast is not None:
            self.source = Source(self.tone, *simulcast)
        if not self._sending:
            self._sending = True
            self.source.start()
        self.publish = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(ice_servers=[]))
        sendonly = webrtc.RTCRtpTransceiverInit(direction="sendonly")
        self.publish.add_transceiver(self.source.audio, sendonly)
        layered = webrtc.RTCRtpTransceiverInit(direction="sendonly", send_encodings=LAYERS)
        self.publish.add_transceiver(self.source.video, layered if simulcast else sendonly)
        await self.offer(generation)
        return self

    async def offer(self, generation: int = 1) -> None:
        assert self.publish is not None
        await self.publish.set_local_description()
        assert self.publish.local_description is not None
        await self.say_offer(self.publish.local_description.sdp, generation)

    async def say_offer(self, sdp: str, generation: int = 1) -> None:
        tracks = (PublishedTrack(mid="0", source="microphone"), PublishedTrack(mid="1", source="camera"))
        offer = Offer(pc="publish", generation=generation, sdp=sdp, tracks=tracks)
        await self.call.engine.signal(self.call.id, self.id, offer)

    async def _listen(self) -> None:
        while True:
            signal = await self._heard.get()
            if isinstance(signal, AnswerFrom):
                assert self.publish is not None
                await self.publish.set_remote_description(described("answer", signal.sdp))
            elif isinstance(signal, Speakers):
                self.speakers.append(signal.participant_ids)
            elif isinstance(signal, Quality):
                self.qualities.append(signal)
            elif isinstance(signal, OfferFrom):
                self.offers.append(signal)
                if self.answering:
                    await self.answer(signal)

    async def answer(self, offer: OfferFrom) -> None:
        if offer.generation > self.generation:
            if self.subscribe is not None:
                self.subscribe.close()
            self.generation = offer.generation
            self.subscribe = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(ice_servers=[]))
            self.subscribe.on("track", self._arrived)
        assert self.subscribe is not None
        self.carried = {each.mid: (each.participant_id, each.source) for each in offer.tracks or ()}
        await self.subscribe.set_remote_description(described("offer", offer.sdp))
        await self.subscribe.set_local_description()
        assert self.subscribe.local_description is not None
        answer = Answer(pc="subscribe", generation=offer.generation, sdp=self.subscribe.local_description.sdp)
        await self.call.engine.signal(self.call.id, self.id, answer)
        self.answered.append(offer)

    def _arrived(self, event: Any) -> None:
        carried = self.carried[event.transceiver.mid]
        meter = self.meters.setdefault(carried, Watch())
        meter.watch(event.track)

    def frames(self, other: "Member") -> int:
        meter = self.meters.get((other.id, "camera"))
        return meter.moved if meter else 0

    def size(self, other: "Member") -> tuple[int, int]:
        meter = self.meters.get((other.id, "camera"))
        return meter.size if meter else (0, 0)

    async def look(self, other: "Member", height: int) -> None:
        """Show their picture that large, in lines."""
        viewed = [Viewed(participant_id=other.id, source="camera", height=height)]
        await self.call.engine.look(self.call.id, self.id, viewed)

    async def mute(self, *sources: Kind) -> None:
        """Have these silenced, and nothing else; we go on sending."""
        await self.call.engine.mute(self.call.id, self.id, frozenset(sources))

    async def received(self, kind: str) -> int:
        """Packets of sound (`audio`) or picture (`video`) that came in."""
        assert self.subscribe is not None
        return sum(
            each.packets_received or 0
            for each in (await self.subscribe.get_stats()).values()
            if isinstance(each, webrtc.RTCInboundRtpStreamStats) and each.kind == kind
        )

    def pitch(self, other: "Member") -> float:
        meter = self.meters.get((other.id, "microphone"))
        return meter.frequency() if meter else 0.0

    async def leave(self) -> None:
        await self.call.engine.dismiss(self.call.id, self.id)
        await self.stop()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for meter in self.meters.values():
            await meter.stop()
        for pc in (self.publish, self.subscribe):
            if pc is not None:
                pc.close()
        await self.source.stop()


class Call:
    """A call on an engine of its own, which is made with `options` and tells of recordings."""

    def __init__(
        self, host: str = "127.0.0.1", on_recorded: OnRecorded | None = None, **options: Any
    ) -> None:
        self.id = uuid4()
        self.members: list[Member] = []
        self.ears: dict[UUID, Callable[[Told], None]] = {}
        """Of everybody in the call; not all of them are members in this process."""
        self.engine = EmbeddedEngine(self._deliver, host=host, port=0, **options)
        if on_recorded is not None:
            self.engine.tell_recordings(on_recorded)

    def _deliver(self, call_id: UUID, to: UUID, signal: Told) -> None:
        assert call_id == self.id
        self.ears[to](signal)

    @property
    def address(self) -> Address:
        """Where the engine is bound."""
        assert self.engine._site is not None
        return self.engine._site.port.address

    def destinations(self, member_id: UUID) -> tuple[Address, Address]:
        """Where what belongs to somebody's `publish` and to their `subscribe` is sent."""
        participant = self.engine._calls[self.id].participants[member_id]
        assert participant._publish is not None
        assert participant._subscribe is not None
        publish = participant._publish.path.ice.destination
        subscribe = participant._subscribe.path.ice.destination
        assert publish is not None
        assert subscribe is not None
        return publish, subscribe

    def announce(self, address: str) -> None:
        """Name another address in descriptions from here on."""
        assert self.engine._site is not None
        self.engine._site.announce([address])

    async def join(self, tone: float = 440.0) -> Member:
        """Somebody who listens, and sends nothing yet."""
        member = Member(self, tone)
        self.meet(member)
        return await member.enter()

    def meet(self, member: Member) -> None:
        """What the engine says to them is theirs from here on."""
        self.members.append(member)
        self.ears[member.id] = member.hear


@asynccontextmanager
async def call(place: Place | None = None, *, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Call]:
    """On loopback, or on the network of that place."""
    made = Call(host if place is None else SERVER, **options)
    with nullcontext() if place is None else place.entered():
        await made.engine.open()
    try:
        yield made
    finally:
        await made.engine.close()
        for member in made.members:
            await member.stop()
