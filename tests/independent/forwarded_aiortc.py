"""aiortc as the engine of a client of forwarded calls. It gathers before it describes."""

import asyncio
import contextlib
import fractions
import time
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack, VideoStreamTrack
from av import AudioFrame, VideoFrame
from typing_extensions import override

from tests.independent.figures import RATE, Figures, tone_samples
from tests.independent.forwarded_client import Trickle

CHUNK = RATE // 50
SILENCE = bytes(CHUNK * 2)


class Tone(AudioStreamTrack):
    """A tone without end, or silence."""

    def __init__(self, tone: float) -> None:
        super().__init__()
        self.enabled = True
        self._second = tone_samples(tone)
        self._began = time.monotonic()
        self._number = -1

    @override
    async def recv(self) -> AudioFrame:
        self._number += 1
        await asyncio.sleep(max(0.0, self._began + self._number / 50 - time.monotonic()))
        first = self._number % 50 * CHUNK * 2
        frame = AudioFrame(format="s16", layout="mono", samples=CHUNK)
        frame.planes[0].update(self._second[first : first + CHUNK * 2] if self.enabled else SILENCE)
        frame.sample_rate = RATE
        frame.pts = self._number * CHUNK
        frame.time_base = fractions.Fraction(1, RATE)
        return frame


class Wanderer(VideoStreamTrack):
    """A bright bar that wanders through a dark picture."""

    def __init__(self, width: int, height: int, fps: int = 10) -> None:
        super().__init__()
        self.enabled = True
        self._size = (width, height)
        self._fps = fps
        self._began = time.monotonic()
        self._number = -1

    @override
    async def recv(self) -> VideoFrame:
        self._number += 1
        await asyncio.sleep(max(0.0, self._began + self._number / self._fps - time.monotonic()))
        width, height = self._size
        frame = VideoFrame(width, height, "yuv420p")
        bar = (self._number * 8) % (width - 32) if self.enabled else 0
        stride = frame.planes[0].line_size
        row = (b"\x30" * bar + b"\xe0" * 32).ljust(stride, b"\x30")
        frame.planes[0].update(row * height)
        for plane in frame.planes[1:]:
            plane.update(b"\x80" * plane.buffer_size)
        frame.pts = self._number * 90_000 // self._fps
        frame.time_base = fractions.Fraction(1, 90_000)
        return frame


def _connection() -> RTCPeerConnection:
    """Without max-bundle, aiortc 1.16 leaves all but the first picture of an offer on a dead transport."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


class AiortcReading:
    """Measures one remote track."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.figures = Figures()
        self._task = asyncio.create_task(self._read(track))

    async def _read(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, VideoFrame):
                    plane = frame.planes[0]
                    first = frame.height // 2 * plane.line_size
                    row = bytes(plane)[first : first + frame.width]
                    self.figures.saw((frame.width, frame.height), row)
                elif isinstance(frame, AudioFrame):
                    channels = len(frame.layout.channels)
                    raw = bytes(frame.planes[0])[: frame.samples * channels * 2]
                    self.figures.heard(raw, channels, frame.sample_rate)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class AiortcPublisher:
    """Sends the microphone and the camera, each in a section of its own."""

    def __init__(self, microphone: Tone, camera: Wanderer) -> None:
        self.pc = _connection()
        self._sections = {
            "microphone": self.pc.addTransceiver(microphone, direction="sendonly"),
            "camera": self.pc.addTransceiver(camera, direction="sendonly"),
        }
        self._sent = set(self._sections)

    async def offer(self, restart: bool) -> str:
        if restart:
            raise NotImplementedError("aiortc cannot restart ICE")
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    def tracks(self) -> list[dict[str, Any]]:
        return [{"mid": s.mid, "source": name} for name, s in self._sections.items() if name in self._sent]

    def send_only(self, sources: set[str]) -> None:
        """What the next offer says is sent; the other sections become inactive."""
        self._sent = sources
        for name, section in self._sections.items():
            section.direction = "sendonly" if name in sources else "inactive"

    async def take_answer(self, sdp: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    def unanswered(self) -> str | None:
        if self.pc.signalingState != "have-local-offer":
            return None
        return str(self.pc.localDescription.sdp)

    async def close(self) -> None:
        await self.pc.close()


class AiortcSubscriber:
    """Answers the server's offers."""

    def __init__(self) -> None:
        self.pc = _connection()

    async def answer(self, sdp: str) -> str:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return str(self.pc.localDescription.sdp)

    def read(self, mid: str) -> AiortcReading:
        (track,) = (t.receiver.track for t in self.pc.getTransceivers() if t.mid == mid)
        return AiortcReading(track)

    async def close(self) -> None:
        await self.pc.close()


class Aiortc:
    """One person's devices, and the connections that they are used on."""

    def __init__(self, tone: float, size: tuple[int, int] = (320, 180)) -> None:
        self._tone = tone
        self._size = size
        self._enabled = (True, True)
        self._devices: list[tuple[Tone, Wanderer]] = []

    def start(self) -> None:
        """The tracks run when somebody asks them for frames."""

    async def stop(self) -> None:
        for tone, wanderer in self._devices:
            tone.stop()
            wanderer.stop()

    def enable(self, audio: bool, video: bool) -> None:
        self._enabled = (audio, video)
        for tone, wanderer in self._devices:
            tone.enabled, wanderer.enabled = audio, video

    def publisher(self, trickle: Trickle) -> AiortcPublisher:
        self._devices.append((Tone(self._tone), Wanderer(*self._size)))  # a closed connection ends its tracks
        self.enable(*self._enabled)
        return AiortcPublisher(*self._devices[-1])

    def subscriber(self, trickle: Trickle) -> AiortcSubscriber:
        return AiortcSubscriber()
