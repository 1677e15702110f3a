"""Whether a payload begins a frame that needs no other: where a subscriber can begin to watch."""

from collections.abc import Callable
from typing import Final

from signalling.media.embedded import vp8
from signalling.media.embedded.rtp import Malformed

_IDR: Final = 5
_SPS: Final = 7
_STAP_A: Final = 24
_FU_A: Final = 28


def _vp8(payload: bytes) -> bool:
    return vp8.read(payload).begins_keyframe


def _vp9(payload: bytes) -> bool:
    """RFC 9628, section 4.2: not predicted, the beginning of a frame, of the lowest spatial layer."""
    first = payload[0]
    predicted, layered, begins = first & 0x40, first & 0x20, first & 0x08
    if predicted or not begins:
        return False
    if not layered:
        return True
    at = 1 + (1 + (payload[1] >> 7) if first & 0x80 else 0)
    return payload[at] >> 1 & 0x07 == 0


def _h264(payload: bytes) -> bool:
    """RFC 6184, section 5: parameter sets stand before each picture that is complete in itself."""
    kind = payload[0] & 0x1F
    if kind == _STAP_A:
        return payload[3] & 0x1F in (_SPS, _IDR)
    if kind == _FU_A:
        return bool(payload[1] & 0x80) and payload[1] & 0x1F in (_SPS, _IDR)
    return kind in (_SPS, _IDR)


def _av1(payload: bytes) -> bool:
    """RTP Payload Format for AV1, section 4.4: the first packet of a coded video sequence."""
    return bool(payload[0] & 0x08)


_BEGINS: Final[dict[str, Callable[[bytes], bool]]] = {"vp8": _vp8, "vp9": _vp9, "h264": _h264, "av1": _av1}


def begins(codec: str, payload: bytes) -> bool:
    """Whether this payload of that codec (in lower case) begins such a frame. Audio always does.

    Raises `Malformed`.
    """
    read = _BEGINS.get(codec)
    if read is None:
        return True
    try:
        return read(payload)
    except IndexError:
        raise Malformed("The payload ends in its descriptor.") from None
