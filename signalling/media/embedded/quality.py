"""How good a connection is, from what is measured: a score from 1 (useless) to 5. Pure, sans-I/O.

Sound: the E-model (ITU-T G.107) reduced to what a network does to speech. The rating R falls by the delay
impairment Id, as approximated by Cole and Rosenbluth ("Voice over IP performance monitoring", 2001), and by
the loss impairment Ie-eff of G.107, equation 7-29, with the parameters of a codec that conceals losses; R
becomes a mean opinion score by G.107, annex B, stretched so that a network without faults gives 5.

Pictures: which part of what was asked for is sent, and how much is missing for good. No standard covers that;
the curve says that a smaller picture harms little, and a torn one much.
"""

from dataclasses import dataclass
from typing import Final

BEST: Final = 5.0
WORST: Final = 1.0
UNIMPAIRED: Final = 93.2
"""R with the defaults of G.107, table 2."""
LOSS_IMPAIRMENT: Final = 95.0
ROBUSTNESS: Final = 15.0
"""Bpl in per cent: between G.711 with concealment (25) and without it (4), as G.113 has them."""
BUFFER: Final = 2.0
"""A receiver waits for about so many times the jitter."""
NOTICED: Final = 0.1773
"""Seconds from mouth to ear from which people interrupt each other."""
TORN: Final = 0.08
"""With such a part of the packets lost for good, half of the picture's worth is gone."""
SOUND_WEIGHT: Final = 0.7
"""The rest is the picture's."""
SMOOTHING: Final = 0.5
"""Weight of the newest score."""
MARGIN: Final = 0.6
"""The shown score changes when the smoothed one is so far away from it."""


@dataclass(frozen=True, slots=True)
class Way:
    """What one direction was like for a while; None where nothing is known, or nothing was sent."""

    sound_loss: float | None = None
    """Parts of what was sent, 0 to 1, here and below."""
    picture_loss: float | None = None
    served: float = 1.0
    """Which part of the pictures that were asked for is sent."""
    jitter: float | None = None
    """Seconds."""


def sound(loss: float, jitter: float, round_trip: float) -> float:
    """Of speech, with such a part lost, and such times in seconds."""
    delay = round_trip / 2 + BUFFER * jitter
    late = 24 * delay + 110 * max(0.0, delay - NOTICED)
    percent = 100 * loss
    torn = LOSS_IMPAIRMENT * percent / (percent + ROBUSTNESS)
    rating = max(0.0, UNIMPAIRED - late - torn)
    return _within(WORST + (BEST - WORST) * (_opinion(rating) - 1) / (_opinion(UNIMPAIRED) - 1))


def _opinion(rating: float) -> float:
    return max(1.0, 1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating))


def picture(loss: float, served: float) -> float:
    """Of pictures, with such a part lost for good, and such a part of what was asked for sent."""
    worth = float(served) ** 0.5 / (1 + loss / TORN)
    return _within(WORST + (BEST - WORST) * worth)


def score(way: Way, round_trip: float | None) -> float | None:
    """Of one direction; None when nothing went that way."""
    heard = None
    if way.sound_loss is not None:
        heard = sound(way.sound_loss, way.jitter or 0.0, round_trip or 0.0)
    seen = None if way.picture_loss is None else picture(way.picture_loss, way.served)
    if heard is None or seen is None:
        return seen if heard is None else heard
    return SOUND_WEIGHT * heard + (1 - SOUND_WEIGHT) * seen


def together(up: Way, down: Way, round_trip: float | None) -> float | None:
    """Of a participant: the worse of both directions."""
    known = [each for way in (up, down) if (each := score(way, round_trip)) is not None]
    return min(known, default=None)


class Steady:
    """A score that people are shown: it follows what is measured, and does not flap."""

    def __init__(self) -> None:
        self.shown: int | None = None
        self.value = BEST
        """Before it is rounded."""

    def update(self, measured: float) -> bool:
        """Take the newest score; returns whether the shown one has changed."""
        before = self.shown
        if before is None:
            self.value = measured
        self.value += SMOOTHING * (measured - self.value)
        if before is None or abs(self.value - before) >= MARGIN:
            self.shown = round(self.value)
        return self.shown != before


def _within(value: float) -> float:
    return min(BEST, max(WORST, value))
