"""A publisher whose sound and picture can be decoded, for servers that do: 640x360, 30 pictures a second."""

import math
import random
from fractions import Fraction
from typing import ClassVar, Final

from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder
from av import AudioFrame, VideoFrame
from typing_extensions import override

from bench.sfu.publisher import PER_PICTURE, Publisher

PICTURES: Final = 60
"""Sent again and again, from the keyframe on."""
BITRATE: Final = 1_250_000
"""As the filler has."""
WIDTH, HEIGHT = 640, 360


def _pictures() -> list[list[bytes]]:
    encoder = Vp8Encoder()
    encoder.target_bitrate = BITRATE
    return [encoder.encode(_picture(number), force_keyframe=number == 0)[0] for number in range(PICTURES)]


def _picture(number: int) -> VideoFrame:
    """Noise, of which an encoder keeps as much as its bit rate allows."""
    frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    noise = bytes(128 + (each & 31) for each in random.Random(number).randbytes(WIDTH * HEIGHT))
    for plane, content in zip(frame.planes, (noise, bytes([128]), bytes([128])), strict=True):
        size = plane.line_size * plane.height
        plane.update((content * (size // len(content) + 1))[:size])
    frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
    return frame


def _sounds() -> list[bytes]:
    encoder, found = OpusEncoder(), []
    for number in range(50):
        frame = AudioFrame("s16", "stereo", 960)
        tone = (int(9000 * math.sin(0.06 * (number * 960 + at))) for at in range(960))
        frame.planes[0].update(b"".join(2 * each.to_bytes(2, "little", signed=True) for each in tone))
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, Fraction(1, 48000)
        found += encoder.encode(frame)[0]
    return found


class EncodedPublisher(Publisher):
    """Sends each picture as a burst, in as many packets as it has."""

    pictures: ClassVar[list[list[bytes]]] = []
    sounds: ClassVar[list[bytes]] = []

    @classmethod
    def prepare(cls) -> None:
        """Encode what all of them send."""
        cls.pictures, cls.sounds = _pictures(), _sounds()

    @override
    def tick(self) -> None:
        ticks = self._ticks = self._ticks + 1
        if ticks % PER_PICTURE == 0:
            self._picture += 1
            payloads = self.pictures[self._picture % len(self.pictures)]
            for payload in payloads:
                self.video.fill(payload)
                self._send(self.video, self._picture * 3000, marker=payload is payloads[-1])
        if ticks % 3 == 0:
            self.audio.fill(self.sounds[self.audio.sent % len(self.sounds)])
            self._send(self.audio, self.audio.sent * 960, marker=False)
