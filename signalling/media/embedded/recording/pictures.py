"""The payloads of one picture, joined as a file holds it. Nothing is decoded."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from signalling.media.embedded import vp8
from signalling.media.embedded.recording import sizes
from signalling.media.embedded.rtp import Malformed

_START: Final = b"\x00\x00\x00\x01"
_IDR, _SPS, _STAP_A, _FU_A = 5, 7, 24, 28
_MOST_LAYERS: Final = 8
_AV1_SEQUENCE: Final = 1
_AV1_LEFT_OUT: Final = frozenset({2, 8, 15})
"""Temporal delimiters, tile lists and padding are not kept in files (AV1 in Matroska, section 3)."""


class Picture(NamedTuple):
    """A frame as a file holds it."""

    data: bytes
    size: tuple[int, int] | None
    """Width and height: of frames that need no other."""


def join(codec: str, payloads: Sequence[bytes]) -> Picture:
    """Join all payloads of one picture of that codec (in lower case). Raises `Malformed`."""
    try:
        return _JOINED[codec](payloads)
    except IndexError:
        raise Malformed("A payload ends in its descriptor.") from None


def _vp8(payloads: Sequence[bytes]) -> Picture:
    """RFC 7741, section 4.4."""
    descriptors = [vp8.read(payload) for payload in payloads]
    if [each.begins_frame for each in descriptors] != [True] + [False] * (len(payloads) - 1):
        raise Malformed("A VP8 frame begins once.")
    data = b"".join(payload[each.length :] for each, payload in zip(descriptors, payloads, strict=True))
    return Picture(data, sizes.vp8(data))


def _vp9(payloads: Sequence[bytes]) -> Picture:
    """RFC 9628, section 4: one frame, or one for each spatial layer."""
    frames: list[bytearray] = []
    for payload in payloads:
        begins, length = _vp9_descriptor(payload)
        if begins:
            frames.append(bytearray())
        if not frames:
            raise Malformed("The beginning of the VP9 frame is missing.")
        frames[-1] += payload[length:]
    if len(frames) > _MOST_LAYERS:
        raise Malformed("A VP9 picture has eight frames at most.")
    return Picture(_superframe(frames), sizes.vp9(bytes(frames[0])))


def _vp9_descriptor(payload: bytes) -> tuple[bool, int]:
    """Whether the payload begins a frame, and how long its descriptor is (section 4.2)."""
    first, at = payload[0], 1
    flexible = first & 0x10
    if first & 0x80:
        at += 1 + (payload[at] >> 7)
    if first & 0x20:
        at += 1 if flexible else 2
    if flexible and first & 0x40:
        more = True
        while more:
            more = bool(payload[at] & 1)
            at += 1
    if first & 0x02:
        at = _scalability(payload, at)
    if at >= len(payload):
        raise Malformed("A VP9 payload has more than its descriptor.")
    return bool(first & 0x08), at


def _scalability(payload: bytes, at: int) -> int:
    """Where the scalability structure ends (section 4.2.1)."""
    head = payload[at]
    at += 1
    if head & 0x10:
        at += 4 * ((head >> 5) + 1)
    if head & 0x08:
        count = payload[at]
        at += 1
        for _ in range(count):
            at += 1 + (payload[at] >> 2 & 0x03)
    return at


def _superframe(frames: Sequence[bytearray]) -> bytes:
    """Frames that are shown as one picture, with their index (VP9 bitstream specification, annex B)."""
    if len(frames) == 1:
        return bytes(frames[0])
    mark = bytes([0xC0 | 3 << 3 | len(frames) - 1])
    lengths = b"".join(len(frame).to_bytes(4, "little") for frame in frames)
    return b"".join(frames) + mark + lengths + mark


def _h264(payloads: Sequence[bytes]) -> Picture:
    """RFC 6184, section 5: as a byte stream (ITU-T H.264, annex B), which the muxer turns into Matroska's."""
    units: list[bytes] = []
    fragments: list[bytes] = []
    for payload in payloads:
        kind = payload[0] & 0x1F
        if kind == _FU_A:
            _h264_fragment(payload, fragments, units)
        elif fragments or not 0 < kind <= _STAP_A:
            raise Malformed("The rest of an H.264 unit is missing, or its kind is unknown.")
        elif kind == _STAP_A:
            units += _h264_aggregated(payload)
        else:
            units.append(payload)
    if fragments or not units:
        raise Malformed("The rest of an H.264 unit is missing.")
    return Picture(b"".join(_START + unit for unit in units), _h264_size(units))


def _h264_fragment(payload: bytes, fragments: list[bytes], units: list[bytes]) -> None:
    head = payload[1]
    begins, ends = head & 0x80, head & 0x40
    if bool(begins) is bool(fragments):
        raise Malformed("The fragments of an H.264 unit do not fit together.")
    if begins:
        fragments.append(bytes([payload[0] & 0xE0 | head & 0x1F]))
    fragments.append(payload[2:])
    if ends:
        units.append(b"".join(fragments))
        fragments.clear()


def _h264_aggregated(payload: bytes) -> list[bytes]:
    units, at = [], 1
    while at < len(payload):
        length = int.from_bytes(payload[at : at + 2], "big")
        unit = payload[at + 2 : at + 2 + length]
        if not length or len(unit) < length:
            raise Malformed("An aggregated H.264 unit is incomplete.")
        units.append(unit)
        at += 2 + length
    return units


def _h264_size(units: Sequence[bytes]) -> tuple[int, int] | None:
    """Of a picture that needs no other, from its first slice on, and has its parameters with it."""
    slices = [unit for unit in units if 1 <= unit[0] & 0x1F <= _IDR]
    parameters = [unit for unit in units if unit[0] & 0x1F == _SPS]
    begins = bool(slices) and slices[0][0] & 0x1F == _IDR and slices[0][1] & 0x80
    return sizes.h264(parameters[0]) if begins and parameters else None


def _av1(payloads: Sequence[bytes]) -> Picture:
    """RTP Payload Format for AV1, section 4: as a stream of OBUs that have their lengths."""
    units: list[bytearray] = []
    open_ended = False
    for payload in payloads:
        elements = _av1_elements(payload)
        continues = bool(payload[0] & 0x80)
        if continues is not open_ended or not elements:
            raise Malformed("The fragments of an OBU do not fit together.")
        if continues:
            units[-1] += elements.pop(0)
        units += [bytearray(element) for element in elements]
        open_ended = bool(payload[0] & 0x40)
    if open_ended:
        raise Malformed("The rest of an OBU is missing.")
    return _av1_picture([bytes(unit) for unit in units])


def _av1_elements(payload: bytes) -> list[bytes]:
    """OBUs and parts of them (section 4.3)."""
    count, at = payload[0] >> 4 & 0x03, 1
    elements: list[bytes] = []
    while at < len(payload):
        length = len(payload) - at
        if count == 0 or len(elements) < count - 1:
            length, at = _leb128(payload, at)
        if at + length > len(payload):
            raise Malformed("An OBU is longer than its payload.")
        elements.append(payload[at : at + length])
        at += length
    if count and len(elements) != count:
        raise Malformed("A payload has not as many OBUs as it says.")
    return elements


def _av1_picture(units: Sequence[bytes]) -> Picture:
    parts, size = [], None
    for unit in units:
        kind, head = unit[0] >> 3 & 0x0F, 2 if unit[0] & 0x04 else 1
        body = unit[head:]
        if unit[0] & 0x02:
            length, at = _leb128(unit, head)
            body = unit[at : at + length]
        if kind in _AV1_LEFT_OUT:
            continue
        if kind == _AV1_SEQUENCE:
            size = sizes.av1(body)
        parts += [bytes([unit[0] | 0x02]), unit[1:head], _as_leb128(len(body)), body]
    if not parts:
        raise Malformed("There is nothing to be shown.")
    return Picture(b"".join(parts), size)


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends (AV1, section 4.10.5)."""
    value = 0
    for place in range(8):
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    raise Malformed("A length has eight bytes at most.")


def _as_leb128(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


_JOINED: Final[dict[str, Callable[[Sequence[bytes]], Picture]]] = {
    "vp8": _vp8,
    "vp9": _vp9,
    "h264": _h264,
    "av1": _av1,
}
