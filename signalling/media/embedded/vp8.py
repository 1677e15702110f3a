"""What stands before each piece of a VP8 frame (RFC 7741, section 4.2): enough to forward it."""

from typing import Final, NamedTuple

from signalling.media.embedded.rtp import Malformed

_LONG: Final = 0x80


class Descriptor(NamedTuple):
    """The VP8 payload descriptor of one packet."""

    begins_frame: bool
    begins_keyframe: bool
    picture_id: int | None
    """7 or 15 bits."""
    long_picture_id: bool
    tl0_picture_index: int | None
    temporal_layer: int | None
    picture_id_at: int
    """Where in the payload it stands, if it does."""
    tl0_picture_index_at: int
    length: int
    """Of the descriptor; the frame follows."""


def read(payload: bytes) -> Descriptor:
    """Read the descriptor at the beginning of a payload. Raises `Malformed`."""
    try:
        return _read(payload)
    except IndexError:
        raise Malformed("The payload ends in its VP8 descriptor.") from None


def _read(payload: bytes) -> Descriptor:
    first, at = payload[0], 1
    flags = 0
    if first & 0x80:
        flags, at = payload[1], 2
    picture_id, long, picture_id_at = None, False, at
    if flags & 0x80:
        picture_id, long = payload[at], bool(payload[at] & _LONG)
        if long:
            picture_id = (picture_id & 0x7F) << 8 | payload[at + 1]
        at += 1 + long
    tl0, tl0_at = None, at
    if flags & 0x40:
        tl0 = payload[at]
        at += 1
    temporal_layer = None
    if flags & 0x30:
        if flags & 0x20:
            temporal_layer = payload[at] >> 6
        else:
            payload[at]
        at += 1
    begins = bool(first & 0x10) and first & 0x07 == 0
    return Descriptor(
        begins_frame=begins,
        # RFC 6386, section 9.1: the lowest bit of a frame says that it needs others.
        begins_keyframe=begins and not payload[at] & 1,
        picture_id=picture_id,
        long_picture_id=long,
        tl0_picture_index=tl0,
        temporal_layer=temporal_layer,
        picture_id_at=picture_id_at,
        tl0_picture_index_at=tl0_at,
        length=at,
    )


def height(payload: bytes, descriptor: Descriptor) -> int | None:
    """How many lines the picture has that a keyframe begins (RFC 6386, section 9.1)."""
    at = descriptor.length
    if (
        not descriptor.begins_keyframe
        or payload[at + 3 : at + 6] != b"\x9d\x01\x2a"
        or len(payload) < at + 10
    ):
        return None
    return int.from_bytes(payload[at + 8 : at + 10], "little") & 0x3FFF


def patch(
    packet: bytearray, at: int, descriptor: Descriptor, *, picture_id: int, tl0_picture_index: int
) -> None:
    """Renumber the picture of the payload that begins at `at`, in place, where it has numbers."""
    if descriptor.picture_id is not None:
        where = at + descriptor.picture_id_at
        if descriptor.long_picture_id:
            packet[where : where + 2] = (0x8000 | picture_id & 0x7FFF).to_bytes(2, "big")
        else:
            packet[where] = picture_id & 0x7F
    if descriptor.tl0_picture_index is not None:
        packet[at + descriptor.tl0_picture_index_at] = tl0_picture_index & 0xFF
