"""RTCP (RFC 3550, RFC 4585): what is read with aiortc, what it lacks, and the clock that reports speak of."""

import struct
from collections.abc import Sequence
from typing import Final

from aiortc.rtp import (
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    unpack_remb_fci,
)

__all__ = [
    "AnyRtcpPacket",
    "RtcpByePacket",
    "RtcpPsfbPacket",
    "RtcpReceiverInfo",
    "RtcpRrPacket",
    "RtcpRtpfbPacket",
    "RtcpSenderInfo",
    "RtcpSrPacket",
]

OWN_SSRC: Final = 1
"""By which we speak of what we receive; nothing is sent by it."""
NACK: Final = 1
PLI: Final = 1
FIR: Final = 4
APPLICATION: Final = 15
_TRANSPORT_FEEDBACK: Final = 15
_NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""
_TICK: Final = 0.00025
"""The unit of arrival times in transport-wide feedback, in seconds."""
_REFERENCE_TICKS: Final = 256


def read(data: bytes) -> list[AnyRtcpPacket]:
    """The packets of a compound packet; none when it is malformed."""
    try:
        return RtcpPacket.parse(data)
    except (ValueError, struct.error, IndexError):
        return []


def estimate_of(packet: RtcpPsfbPacket) -> tuple[float, frozenset[int]] | None:
    """What a subscriber says they can receive (REMB): bits per second, and of which SSRCs."""
    try:
        bitrate, ssrcs = unpack_remb_fci(packet.fci)
    except (ValueError, struct.error, IndexError):
        return None
    return float(bitrate), frozenset(ssrcs)


def ntp(wall: float) -> int:
    """A time in seconds since 1970 as a 64-bit NTP timestamp."""
    return int((wall + _NTP_EPOCH) * (1 << 32)) & 0xFFFF_FFFF_FFFF_FFFF


def wall(timestamp: int) -> float:
    """The seconds since 1970 of a 64-bit NTP timestamp."""
    return timestamp / (1 << 32) - _NTP_EPOCH


def middle(timestamp: int) -> int:
    """The 32 bits in the middle of an NTP timestamp, as reports repeat them."""
    return timestamp >> 16 & 0xFFFF_FFFF


def description(ssrc: int, cname: str) -> bytes:
    """Whose stream this is (SDES)."""
    return bytes(RtcpSdesPacket([RtcpSourceInfo(ssrc, [(1, cname.encode())])]))


def keyframe_request(ssrc: int) -> bytes:
    """Ask for a picture that needs no other (PLI)."""
    return _RECEIVER + bytes(RtcpPsfbPacket(PLI, OWN_SSRC, ssrc))


def missing(ssrc: int, numbers: Sequence[int]) -> bytes:
    """Ask for packets again (NACK)."""
    # aiortc packs numbers that ascend; where they wrap they do not.
    return _RECEIVER + bytes(RtcpRtpfbPacket(NACK, OWN_SSRC, ssrc, sorted(numbers)))


_RECEIVER: Final = bytes(RtcpRrPacket(OWN_SSRC))
"""A compound packet begins with a report (RFC 3550, section 6.1)."""


def arrivals(ssrc: int, count: int, received: Sequence[tuple[int, float]], base: int) -> bytes:
    """Tell when packets came (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).

    `base` is the first transport-wide sequence number to speak of; `received` are steps from there,
    ascending, with times in seconds; `count` numbers the feedback.
    """
    ticks = {step: round(at / _TICK) for step, at in received}
    reference = round(received[0][1] / _TICK) // _REFERENCE_TICKS
    before = reference * _REFERENCE_TICKS
    symbols, deltas = [], bytearray()
    for step in range(max(ticks) + 1):
        at = ticks.get(step)
        if at is None:
            symbols.append(0)
            continue
        delta = at - before
        before = at
        if 0 <= delta <= 0xFF:
            symbols.append(1)
            deltas.append(delta)
        else:
            symbols.append(2)
            deltas += struct.pack("!h", max(-0x8000, min(0x7FFF, delta)))
    head = struct.pack("!HHI", base, len(symbols), (reference & 0xFF_FFFF) << 8 | count & 0xFF)
    return _RECEIVER + _packed(ssrc, head + _chunks(symbols) + deltas)


def _chunks(symbols: list[int]) -> bytes:
    """Seven statuses of two bits in each chunk."""
    chunks = bytearray()
    for at in range(0, len(symbols), 7):
        part = symbols[at : at + 7]
        chunk = 0xC000
        for place, symbol in enumerate(part):
            chunk |= symbol << 12 - 2 * place
        chunks += chunk.to_bytes(2, "big")
    return bytes(chunks)


def _packed(ssrc: int, fci: bytes) -> bytes:
    padding = -len(fci) % 4
    if padding:
        fci += bytes(padding - 1) + bytes([padding])
    first = 0x80 | (0x20 if padding else 0) | _TRANSPORT_FEEDBACK
    return struct.pack("!BBHII", first, 205, 2 + len(fci) // 4, OWN_SSRC, ssrc) + fci
