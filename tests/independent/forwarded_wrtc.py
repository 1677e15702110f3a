"""libwebrtc, by PyPI wrtc, as the engine of a client of forwarded calls."""

import re
from typing import Any

import webrtc

from tests.independent.forwarded_client import Trickle
from tests.independent.peer import loopback_only, on_loopback  # which also lets libwebrtc use loopback
from tests.independent.synthetic import Meter, Source


def _connection(ticket: dict[str, Any], trickle: Trickle) -> webrtc.RTCPeerConnection:
    """A peer connection as the ticket wants it, whose candidates on loopback are told."""
    servers = [webrtc.RTCIceServer(**server) for server in ticket["ice_servers"]]
    configuration = webrtc.RTCConfiguration(ice_servers=servers, ice_transport_policy=ticket["ice_policy"])
    pc = webrtc.RTCPeerConnection(configuration)

    def tell(event: Any) -> None:
        if event.candidate is None:
            trickle(None)
        elif on_loopback(event.candidate.candidate):
            trickle(event.candidate.to_json())

    pc.on("icecandidate", tell)
    return pc


def _description(kind: str, sdp: str) -> webrtc.RTCSessionDescriptionInit:
    return webrtc.RTCSessionDescriptionInit.from_json({"type": kind, "sdp": sdp})


def in_long_pieces(answer: str) -> str:
    """The answer as if it asked for packets of 60 ms of sound each (RFC 8866, section 6.4)."""
    return re.sub(r"(m=audio .*?\r\n)(?=m=|$)", r"\1a=ptime:60\r\n", answer, flags=re.DOTALL)


class WrtcPublisher:
    """Sends the microphone and the camera, each in a section of its own."""

    def __init__(
        self,
        pc: webrtc.RTCPeerConnection,
        source: Source,
        layers: list[webrtc.RTCRtpEncodingParameters],
        is_frugal: bool,
    ) -> None:
        self.pc = pc
        self._is_frugal = is_frugal
        sound = webrtc.RTCRtpTransceiverInit(direction="sendonly", streams=[source.stream])
        picture = webrtc.RTCRtpTransceiverInit(
            direction="sendonly", streams=[source.stream], send_encodings=layers
        )
        self._sections = {
            "microphone": pc.add_transceiver(source.audio, sound),
            "camera": pc.add_transceiver(source.video, picture),
        }
        self._sent = set(self._sections)

    async def offer(self, restart: bool) -> str:
        if restart:
            self.pc.restart_ice()
        await self.pc.set_local_description()
        assert self.pc.local_description is not None
        return loopback_only(self.pc.local_description.sdp)

    def tracks(self) -> list[dict[str, Any]]:
        return [{"mid": s.mid, "source": name} for name, s in self._sections.items() if name in self._sent]

    def send_only(self, sources: set[str]) -> None:
        """What the next offer says is sent; the other sections become inactive."""
        self._sent = sources
        for name, section in self._sections.items():
            section.direction = webrtc.RTCRtpTransceiverDirection(
                "sendonly" if name in sources else "inactive"
            )

    async def take_answer(self, sdp: str) -> None:
        wanted = in_long_pieces(sdp) if self._is_frugal else sdp
        await self.pc.set_remote_description(_description("answer", wanted))

    def unanswered(self) -> str | None:
        description = self.pc.pending_local_description
        return loopback_only(description.sdp) if description is not None else None

    async def close(self) -> None:
        self.pc.close()


class WrtcReading:
    """Measures one remote track."""

    def __init__(self, track: webrtc.MediaStreamTrack, is_frugal: bool) -> None:
        self.figures = Meter(0.05 if is_frugal else 0.0)
        self.figures.watch(track)

    async def stop(self) -> None:
        await self.figures.stop()


class WrtcSubscriber:
    """Answers the server's offers."""

    def __init__(self, pc: webrtc.RTCPeerConnection, is_frugal: bool) -> None:
        self.pc = pc
        self._is_frugal = is_frugal

    async def answer(self, sdp: str) -> str:
        await self.pc.set_remote_description(_description("offer", sdp))
        await self.pc.set_local_description()
        assert self.pc.local_description is not None
        return loopback_only(self.pc.local_description.sdp)

    def read(self, mid: str) -> WrtcReading:
        (track,) = (t.receiver.track for t in self.pc.get_transceivers() if t.mid == mid)
        assert track is not None
        return WrtcReading(track, self._is_frugal)

    async def close(self) -> None:
        self.pc.close()


class Wrtc:
    """One person's devices, and the connections that they are used on.

    Where many share a machine they are frugal: sound goes out in longer pieces, pictures are small,
    and what is heard is sampled.
    """

    def __init__(
        self,
        ticket: dict[str, Any],
        tone: float,
        size: tuple[int, int] = (320, 180),
        layers: list[webrtc.RTCRtpEncodingParameters] | None = None,
        is_frugal: bool = False,
    ) -> None:
        self._is_frugal = is_frugal
        self._ticket = ticket
        small = [webrtc.RTCRtpEncodingParameters(max_bitrate=80_000)]
        self._layers = layers or (small if is_frugal else [])
        self.source = Source(tone, *size, fps=10)

    def start(self) -> None:
        self.source.start()

    async def stop(self) -> None:
        await self.source.stop()

    def enable(self, audio: bool, video: bool) -> None:
        self.source.audio.enabled = audio
        self.source.video.enabled = video

    def publisher(self, trickle: Trickle) -> WrtcPublisher:
        return WrtcPublisher(_connection(self._ticket, trickle), self.source, self._layers, self._is_frugal)

    def subscriber(self, trickle: Trickle) -> WrtcSubscriber:
        return WrtcSubscriber(_connection(self._ticket, trickle), self._is_frugal)
