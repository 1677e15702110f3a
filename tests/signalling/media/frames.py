"""Pictures of a wandering bar, encoded by libavcodec and sent as packets by independent packetisers."""

import random
import struct
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any, Final, NamedTuple

import av
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder

from signalling.media.embedded.recording.sound import SILENCE
from signalling.media.embedded.recording.writer import Sample
from tests.independent.synthetic import FRAMES_PER_SECOND
from tests.signalling.media.recorded import BAR, STEP

CLOCK: Final = 90_000
TICKS: Final = CLOCK // FRAMES_PER_SECOND
KEY_EVERY: Final = 20
_ENCODERS: Final = {
    "vp8": ("libvpx", {"deadline": "realtime", "lag-in-frames": "0", "auto-alt-ref": "0"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "lag-in-frames": "0", "cpu-used": "8"}),
    "h264": ("libx264", {"tune": "zerolatency", "profile": "baseline", "x264-params": "scenecut=0"}),
}


class Encoded(NamedTuple):
    data: bytes
    number: int
    is_key: bool


@cache
def pictures(codec: str, count: int, width: int = 320, height: int = 180) -> tuple[Encoded, ...]:
    """Large enough for several packets each."""
    name, options = _ENCODERS[codec]
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FRAMES_PER_SECOND), FRAMES_PER_SECOND
    encoder.gop_size, encoder.bit_rate, encoder.options = KEY_EVERY, 1_500_000, options
    # Of several threads some never end when the encoder is let go of.
    encoder.thread_count = 1
    drawn = (_picture(number, width, height) for number in range(count))
    found = [packet for picture in drawn for packet in encoder.encode(picture)] + encoder.encode(None)
    return tuple(Encoded(bytes(each), each.pts, each.is_keyframe) for each in found)


def _picture(number: int, width: int, height: int) -> av.VideoFrame:
    bar = number * STEP % (width - BAR)
    bright = b"\x30" * bar + b"\xe0" * BAR + b"\x30" * (width - BAR - bar)
    frame = av.VideoFrame(width, height, "yuv420p")
    # Colours that cannot be foretold make pictures of several packets.
    dice = random.Random(number)
    for place, plane in enumerate(frame.planes):
        row = bright.ljust(plane.line_size, b"\0")
        whole = dice.randbytes(plane.buffer_size) if place else row * plane.height
        plane.update(whole.ljust(plane.buffer_size, b"\0"))
    frame.pts = number
    return frame


def encoded(codec: str, count: int) -> list[Sample]:
    """Pictures and silence for a file."""
    seen = [
        Sample(each.data, each.number * 1000 // FRAMES_PER_SECOND, 0, True, each.is_key)
        for each in pictures(codec, count)
    ]
    heard = [Sample(SILENCE, at, 20, False, True) for at in range(0, count * 1000 // FRAMES_PER_SECOND, 20)]
    return sorted([*seen, *heard], key=lambda each: each.at)


def packets(codec: str, count: int) -> Iterator[bytes]:
    """The same as RTP, by aiortc's packetisers; numbers and times wrap on the way."""
    number, first = 0xFFF0, 0xFFFF_F000
    for picture in pictures(codec, count):
        payloads = _payloads(codec, picture)
        for place, payload in enumerate(payloads):
            marker = 0x80 if place == len(payloads) - 1 else 0
            timestamp = first + picture.number * TICKS & 0xFFFF_FFFF
            yield struct.pack("!BBHII", 0x80, marker | 96, number & 0xFFFF, timestamp, 7) + payload
            number += 1


def _payloads(codec: str, picture: Encoded) -> list[bytes]:
    if codec == "vp8":
        return [bytes(each) for each in Vp8Encoder._packetize(picture.data, picture.number & 0x7FFF)]
    if codec == "h264":
        return [bytes(each) for each in H264Encoder._packetize(H264Encoder._split_bitstream(picture.data))]
    return vp9_payloads(picture)


def vp9_payloads(picture: Encoded, size: int = 1000) -> list[bytes]:
    """RFC 9628, section 4.2: with 15 bits of picture id, not flexible, without layers."""
    parts = [picture.data[at : at + size] for at in range(0, len(picture.data), size)]
    ident = struct.pack("!H", 0x8000 | picture.number)
    predicted = 0 if picture.is_key else 0x40
    return [
        bytes([0x80 | predicted | (0x08 if not place else 0) | (0x04 if place == len(parts) - 1 else 0)])
        + ident
        + part
        for place, part in enumerate(parts)
    ]
