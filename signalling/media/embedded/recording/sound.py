"""Opus packets as a file holds them: how long they are, and what stands where none came."""

from typing import Final

from signalling.media.embedded.rtp import Malformed

SILENCE: Final = b"\xfc\xff\xfe"
"""20 ms in which nothing is heard: a CELT frame, stereo, whose first bit says that it is silent."""
SILENCE_SECONDS: Final = 0.02
_SILK: Final = (0.01, 0.02, 0.04, 0.06)
_CELT: Final = (0.0025, 0.005, 0.01, 0.02)
_LONGEST: Final = 0.12


def seconds(packet: bytes) -> float:
    """How long a packet is heard (RFC 6716, section 3). Raises `Malformed`."""
    if not packet:
        raise Malformed("An Opus packet has a byte at least.")
    configuration, count = packet[0] >> 3, (1, 2, 2, 0)[packet[0] & 0x03]
    if not count:
        if len(packet) < 2:
            raise Malformed("The Opus packet does not say how many frames it has.")
        count = packet[1] & 0x3F
    if configuration < 12:
        each = _SILK[configuration & 3]
    else:
        each = _SILK[configuration & 1] if configuration < 16 else _CELT[configuration & 3]
    if not 0 < count * each <= _LONGEST + 1e-9:
        raise Malformed("An Opus packet is 120 ms long at most.")
    return count * each
