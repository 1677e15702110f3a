"""RTP packets (RFC 3550, section 5.1) as bytes: read once when they come in, patched when they go out."""

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

_FIXED: Final = struct.Struct("!BBHII")
_PATCHED: Final = struct.Struct("!BHII")
_SSRC: Final = struct.Struct("!I")
_NUMBERS: Final = struct.Struct("!HI")
_ONE_BYTE: Final = 0xBEDE
_TWO_BYTE: Final = 0x100
_MARKER: Final = 0x80
_EXTENDED: Final = 0x10
_PADDED: Final = 0x20


class Malformed(ValueError):
    """Bytes that are not what they should be; the text says which."""


class Header(NamedTuple):
    """What a packet says of itself, and where things are in it."""

    marker: bool
    payload_type: int
    sequence_number: int
    timestamp: int
    """In units of the codec's clock."""
    ssrc: int
    extensions: Mapping[int, slice]
    """By local id (RFC 8285): which bytes of the packet hold its data."""
    payload: slice
    """Which bytes of the packet are the payload, without padding."""


def read(packet: bytes) -> Header:
    """Read a header. Raises `Malformed`."""
    if len(packet) < _FIXED.size:
        raise Malformed("An RTP packet has 12 bytes at least.")
    first, second, sequence_number, timestamp, ssrc = _FIXED.unpack_from(packet)
    if first >> 6 != 2:
        raise Malformed("This is not version 2 of RTP.")
    at = _FIXED.size + 4 * (first & 0x0F)
    extensions: dict[int, slice] = {}
    if first & _EXTENDED:
        at, extensions = _extensions(packet, at)
    # The last byte of padding counts all of it.
    end = len(packet) - (packet[-1] if first & _PADDED else 0)
    if at > end or (first & _PADDED and packet[-1] == 0):
        raise Malformed("The packet ends before its payload, or has more padding than bytes.")
    return Header(
        marker=bool(second & _MARKER),
        payload_type=second & 0x7F,
        sequence_number=sequence_number,
        timestamp=timestamp,
        ssrc=ssrc,
        extensions=extensions,
        payload=slice(at, end),
    )


def _extensions(packet: bytes, at: int) -> tuple[int, dict[int, slice]]:
    """Where they end, and those that can be read."""
    if at + 4 > len(packet):
        raise Malformed("The packet ends before its header extension.")
    profile, words = struct.unpack_from("!HH", packet, at)
    at, end = at + 4, at + 4 + 4 * words
    if end > len(packet):
        raise Malformed("The packet ends in its header extension.")
    if profile == _ONE_BYTE:
        return end, _one_byte(packet, at, end)
    return end, _two_byte(packet, at, end) if profile >> 4 == _TWO_BYTE else {}


def _one_byte(packet: bytes, at: int, end: int) -> dict[int, slice]:
    """RFC 8285, section 4.2."""
    found = {}
    while at < end:
        head = packet[at]
        kind, length = head >> 4, (head & 0x0F) + 1
        at += 1
        if head == 0:
            continue
        if kind in (0, 15):
            # Reserved: nothing that follows can be read.
            break
        if at + length > end:
            raise Malformed("An element is longer than the header extension that it is in.")
        found[kind] = slice(at, at + length)
        at += length
    return found


def _two_byte(packet: bytes, at: int, end: int) -> dict[int, slice]:
    """RFC 8285, section 4.3."""
    found = {}
    while at < end:
        kind = packet[at]
        at += 1
        if kind == 0:
            continue
        if at >= end or at + 1 + packet[at] > end:
            raise Malformed("An element is longer than the header extension that it is in.")
        found[kind] = slice(at + 1, at + 1 + packet[at])
        at += 1 + packet[at]
    return found


def patch(
    packet: bytearray,
    *,
    marker: bool,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
) -> None:
    """Make a packet part of another stream, in place."""
    _PATCHED.pack_into(packet, 1, marker << 7 | payload_type, sequence_number, timestamp, ssrc)


def patch_stream(packet: bytearray, *, payload_type: int, ssrc: int) -> None:
    """Make a packet part of another stream with the same numbers, in place."""
    packet[1] = packet[1] & _MARKER | payload_type
    _SSRC.pack_into(packet, 8, ssrc)


def patch_numbers(packet: bytearray, *, sequence_number: int, timestamp: int) -> None:
    """Renumber a packet of the same stream, in place."""
    _NUMBERS.pack_into(packet, 2, sequence_number, timestamp)


def rename(packet: bytearray, header: Header, extension: int, to: int) -> None:
    """Give an extension the id that the receiver's description has for it, in place. 1 to 14."""
    where = header.extensions.get(extension)
    if where is None:
        return
    # Of one-byte elements one byte stands before the data, of two-byte elements two.
    if _profile(packet) == _ONE_BYTE:
        packet[where.start - 1] = to << 4 | packet[where.start - 1] & 0x0F
    else:
        packet[where.start - 2] = to


def _profile(packet: bytearray) -> int:
    profile: int = struct.unpack_from("!H", packet, _FIXED.size + 4 * (packet[0] & 0x0F))[0]
    return profile


def retransmission(
    packet: bytes, header: Header, *, payload_type: int, sequence_number: int, ssrc: int
) -> bytes:
    """The packet once more, in the stream for that (RFC 4588, section 4); without its padding."""
    head = _head(packet, header, payload_type, sequence_number, ssrc)
    return head + header.sequence_number.to_bytes(2, "big") + packet[header.payload]


def original(packet: bytes, header: Header, *, payload_type: int, ssrc: int) -> bytes | None:
    """The packet that a retransmission holds; None when it is empty, as those are that only probe."""
    body = packet[header.payload]
    if not body:
        return None
    if len(body) < 2:
        raise Malformed("A retransmission names the packet that it repeats.")
    return _head(packet, header, payload_type, int.from_bytes(body[:2], "big"), ssrc) + body[2:]


def _head(packet: bytes, header: Header, payload_type: int, sequence_number: int, ssrc: int) -> bytes:
    """What stands before the payload, as part of another stream; without padding behind it."""
    head = bytearray(packet[: header.payload.start])
    head[0] &= ~_PADDED
    patch(
        head,
        marker=header.marker,
        payload_type=payload_type,
        sequence_number=sequence_number,
        timestamp=header.timestamp,
        ssrc=ssrc,
    )
    return bytes(head)


class Counter:
    """Numbers that begin again at 2 ** bits, as if they did not (RFC 3550, appendix A.1).

    The first one is what it says; each next one is taken for the nearest to the newest.
    """

    def __init__(self, bits: int = 16) -> None:
        self._size = 1 << bits
        self._newest: int | None = None

    def extend(self, number: int) -> int:
        """The number without its wrapping: may be smaller than the newest, and below zero."""
        if self._newest is None:
            self._newest = number
            return number
        half = self._size >> 1
        step = (number - self._newest + half) % self._size - half
        extended = self._newest + step
        self._newest = max(self._newest, extended)
        return extended
