"""What is in a recorded file, decoded: every picture and every sound, and whether they are what was sent."""

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import av

from signalling.media.port import Recording
from tests.independent.figures import RATE, Figures
from tests.independent.synthetic import FRAMES_PER_SECOND

BRIGHT = 0x88
STEP = 8
"""Pixels by which the bar of `synthetic.Source` wanders in each picture."""
BAR = 32
Bars = tuple[int | None, ...]
"""Where three rows of a picture have their bar, in pixels of the largest size."""
LOUD = 2000


@dataclass
class Played:
    """A file, decoded from its beginning to its end."""

    duration: float | None
    """Seconds, as its header says."""
    shown: list[tuple[float, Bars, tuple[int, int]]] = field(default_factory=list)
    """When each picture is shown, its bars, and its size."""
    bright: list[tuple[float, bool]] = field(default_factory=list)
    """Whether the middle of each picture is bright."""
    heard: list[tuple[float, float]] = field(default_factory=list)
    """From when to when each piece of sound lasts."""
    loud: list[tuple[float, bool]] = field(default_factory=list)
    """Ten milliseconds of sound each, and whether something is heard."""
    tone: Figures = field(default_factory=Figures)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Of the pictures, each change once."""
        found: list[tuple[int, int]] = []
        for _, _, size in self.shown:
            if not found or found[-1] != size:
                found.append(size)
        return found

    @property
    def holes(self) -> list[tuple[float, float]]:
        """Where no sound is, in seconds."""
        before = self.heard[0][1]
        found = []
        for begins, ends in self.heard[1:]:
            if begins - before > 0.025:
                found.append((before, begins))
            before = ends
        return found

    def strangers(self, width: int = 320, slack: int = 3) -> list[tuple[float, Bars]]:
        """Pictures that are not what was sent then: none or more than one bar somewhere, or one elsewhere.

        `slack`: by how many pictures a bar may be late or early.
        """
        period = (width - BAR) // STEP
        # A bar's number less that of its time is always the same, but on a circle.
        phases = [
            (at, bar / STEP - at * FRAMES_PER_SECOND)
            for at, bars, _ in self.shown
            for bar in bars
            if bar is not None
        ]
        first = phases[0][1]
        off = [(at, (phase - first + period / 2) % period - period / 2) for at, phase in phases]
        middle = median(each for _, each in off)
        elsewhere = {at for at, each in off if abs(each - middle) > slack}
        return [(at, bars) for at, bars, _ in self.shown if None in bars or at in elsewhere]


def play(path: Path, width: int = 320) -> Played:
    """Decode a file, of pictures whose largest size has that width. Raises when anything does not decode."""
    with av.open(str(path)) as file:
        played = Played(None if file.duration is None else file.duration / 1_000_000)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in file.decode():
            if isinstance(frame, av.VideoFrame):
                _see(played, frame, width)
            else:
                _hear(played, frame, resampler)
    return played


def _see(played: Played, frame: av.VideoFrame, width: int) -> None:
    plane = frame.planes[0]
    pixels, line = bytes(plane), plane.line_size
    scale = width / frame.width
    bars = tuple(
        _bar(pixels[row * line : row * line + frame.width], scale)
        for row in (frame.height // 4, frame.height // 2, 3 * frame.height // 4)
    )
    assert frame.time is not None
    played.shown.append((frame.time, bars, (frame.width, frame.height)))
    middle = frame.height // 2 * line
    played.bright.append((frame.time, pixels[middle + frame.width // 2] > BRIGHT))


def _bar(row: bytes, scale: float) -> int | None:
    """Where the one bright bar begins, in pixels of the largest size."""
    places = [place for place, value in enumerate(row) if value > BRIGHT]
    if not places:
        return None
    first, last = places[0] * scale, (places[-1] + 1) * scale
    return round(first) if abs(last - first - BAR) <= STEP else None


def _hear(played: Played, frame: Any, resampler: av.AudioResampler) -> None:
    played.heard.append((frame.time, frame.time + frame.samples / frame.sample_rate))
    for piece in resampler.resample(frame):
        raw = bytes(piece.planes[0])[: piece.samples * 2]
        played.tone.heard(raw, 1, RATE)
        samples = array("h", raw)
        for at in range(0, len(samples) - 479, 480):
            loudest = max(map(abs, samples[at : at + 480]))
            played.loud.append((frame.time + at / RATE, loudest > LOUD))


def folder_of(recordings: Path, recording: Recording) -> Path:
    return recordings / str(recording.call_id) / str(recording.take_id)
