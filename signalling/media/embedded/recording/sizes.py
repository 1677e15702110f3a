"""How large the pictures of a stream are, as its headers say. Nothing is decoded."""

from typing import Final

from signalling.media.embedded.rtp import Malformed

_VP9_SYNC: Final = 0x498342
_VP9_RGB: Final = 7
_H264_HIGH: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose parameter sets say more (ITU-T H.264, section 7.3.2.1.1)."""
MOST: Final = 16384
"""Pixels on each side."""


class Bits:
    """Reads numbers bit by bit."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits as a number. Raises `Malformed` when there are fewer."""
        if count > self._left:
            raise Malformed("The header ends too early.")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """An unsigned Exp-Golomb code, also AV1's `uvlc`."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise Malformed("A number in the header has too many bits.")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        """A signed Exp-Golomb code."""
        code = self.golomb()
        return code + 1 >> 1 if code & 1 else -(code >> 1)


def vp8(frame: bytes) -> tuple[int, int] | None:
    """Width and height that a keyframe tells (RFC 6386, section 9.1); None for other frames."""
    if len(frame) < 10 or frame[0] & 1:
        return None
    if frame[3:6] != b"\x9d\x01\x2a":
        raise Malformed("A VP8 keyframe has a start code.")
    sides = int.from_bytes(frame[6:8], "little"), int.from_bytes(frame[8:10], "little")
    return _checked(sides[0] & 0x3FFF, sides[1] & 0x3FFF)


def vp9(frame: bytes) -> tuple[int, int] | None:
    """Width and height that a keyframe tells (VP9 bitstream specification, section 6.2); None for others."""
    bits = Bits(frame[:32])
    if bits.take(2) != 2:
        raise Malformed("A VP9 frame begins with its mark.")
    profile = bits.take(1) | bits.take(1) << 1
    if profile == 3:
        bits.take(1)
    shows_existing = bits.take(1)
    if shows_existing or bits.take(1):
        return None
    bits.take(2)
    if bits.take(24) != _VP9_SYNC:
        raise Malformed("A VP9 keyframe has a start code.")
    if profile >= 2:
        bits.take(1)
    if bits.take(3) != _VP9_RGB:
        bits.take(1 if profile in (0, 2) else 4)
    elif profile in (1, 3):
        bits.take(1)
    return _checked(bits.take(16) + 1, bits.take(16) + 1)


def h264(parameters: bytes) -> tuple[int, int]:
    """Width and height of a sequence parameter set, with its NAL header (section 7.3.2.1.1)."""
    bits = Bits(parameters[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    chroma = _h264_high(bits) if profile in _H264_HIGH else 1
    bits.golomb()
    _h264_order(bits)
    bits.golomb()
    bits.take(1)
    columns, rows = bits.golomb() + 1, bits.golomb() + 1
    fields = 1 if bits.take(1) else 2
    if fields == 2:
        bits.take(1)
    bits.take(1)
    width, height = 16 * columns, 16 * rows * fields
    if bits.take(1):
        step_x = 2 if chroma in (1, 2) else 1
        step_y = (2 if chroma == 1 else 1) * fields
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width, height = width - step_x * (left + right), height - step_y * (top + bottom)
    return _checked(width, height)


def _h264_high(bits: Bits) -> int:
    """The part that only the high profiles have; returns the chroma format."""
    chroma = bits.golomb()
    if chroma == 3:
        bits.take(1)
    bits.golomb()
    bits.golomb()
    bits.take(1)
    if bits.take(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _scaling_list(bits, 16 if number < 6 else 64)
    return chroma


def _scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


def _h264_order(bits: Bits) -> None:
    """In which order pictures are shown."""
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(min(255, bits.golomb())):
            bits.golomb()


def av1(sequence: bytes) -> tuple[int, int]:
    """Width and height of a sequence header, without its OBU header (AV1, section 5.5.1)."""
    bits = Bits(sequence[:512])
    bits.take(4)
    if bits.take(1):
        bits.take(5)
    else:
        _av1_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return _checked(bits.take(width_bits) + 1, bits.take(height_bits) + 1)


def _av1_operating_points(bits: Bits) -> None:
    delay_bits = 0
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            bits.golomb()
        if bits.take(1):
            delay_bits = bits.take(5) + 1
            bits.take(42)
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_display_delay and bits.take(1):
            bits.take(4)


def _checked(width: int, height: int) -> tuple[int, int]:
    if not (0 < width <= MOST and 0 < height <= MOST):
        raise Malformed("No picture has that size.")
    return width, height
