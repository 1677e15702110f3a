"""What can be said of sound and pictures, whichever engine decoded them."""

import math
import time
from array import array

RATE = 48_000
_SIGNS = bytes([0] * 128 + [1] * 128)  # of the high byte of a sample


def tone_samples(tone: float, loudness: int = 9000) -> bytes:
    """One second of a tone, to be repeated: whole Hz fit without a seam."""
    step = 2 * math.pi * round(tone) / RATE
    return array("h", (int(loudness * math.sin(step * i)) for i in range(RATE))).tobytes()


class Figures:
    """How much was seen and heard of somebody, and whether it is what they sent."""

    def __init__(self) -> None:
        self.frames = 0
        self.moved = 0
        self.size = (0, 0)
        self.first_frame_at: float | None = None
        self.samples = 0
        self.energy = 0.0
        self.crossings = 0
        self._row = b""

    def frequency(self) -> float:
        """The pitch of what was heard in Hz: a tone crosses zero twice in each period."""
        return self.crossings / 2 / (self.samples / RATE) if self.samples else 0.0

    def forget_sound(self) -> None:
        """Begins the measuring of sound anew, as after the silence before a connection."""
        self.samples = self.crossings = 0
        self.energy = 0.0

    def saw(self, size: tuple[int, int], row: bytes) -> None:
        """A frame, of which the row in the middle tells whether it differs from the one before."""
        if self.first_frame_at is None:
            self.first_frame_at = time.monotonic()
        self.frames += 1
        self.size = size
        self.moved += row != self._row
        self._row = row

    def heard(self, raw: bytes, channels: int, rate: float) -> None:
        """Interleaved samples of 16 bits: the first channel is enough. Brought to one rate."""
        samples = array("h", raw)[::channels]
        scale = RATE / rate
        self.samples += int(len(samples) * scale)
        self.energy += sum(s * s for s in samples[::4]) * 4 / 32768**2 * scale / RATE
        signs = samples.tobytes()[1::2].translate(_SIGNS)
        self.crossings += signs.count(b"\x00\x01") + signs.count(b"\x01\x00")
