"""Who speaks, by the levels that audio packets carry (RFC 6464): nothing is decoded. Sans-I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

SPEAKING: Final = 50
"""-dBov: louder than this is speech, for people with a microphone in a room."""
BEGIN_SECONDS: Final = 0.25
END_SECONDS: Final = 1.0
MOST_SPEAKERS: Final = 5
LEAD: Final = 6
"""Decibels by which somebody must be louder to be put before who speaks already."""
FLOOR_SECONDS: Final = 1.5
"""Nobody loses the first place sooner while they speak."""
SILENCE: Final = 127


@dataclass(slots=True)
class _Voice:
    loudness: float = SILENCE
    loud_since: float | None = None
    heard_at: float = float("-inf")
    speaks: bool = False


class Speakers:
    """The people who speak in a call, the dominant one first."""

    def __init__(self) -> None:
        self.now: tuple[UUID, ...] = ()
        self._voices: dict[UUID, _Voice] = {}
        self._first_since = float("-inf")

    def update(self, levels: Mapping[UUID, int], now: float) -> bool:
        """Take everybody's present level (0 loudest, 127 silence); returns whether `now` has changed."""
        self._voices = {who: self._voices.get(who) or _Voice() for who in levels}
        for who, level in levels.items():
            _listen(self._voices[who], level, now)
        speaking = {who: voice for who, voice in self._voices.items() if voice.speaks}
        before = [who for who in self.now if who in speaking]
        joined = sorted(speaking.keys() - set(before), key=lambda who: speaking[who].loudness)
        ordered = before + joined
        if len(ordered) > 1 and now - self._first_since >= FLOOR_SECONDS:
            loudest = min(ordered, key=lambda who: speaking[who].loudness)
            if speaking[loudest].loudness + LEAD < speaking[ordered[0]].loudness:
                ordered.remove(loudest)
                ordered.insert(0, loudest)
        found = tuple(ordered[:MOST_SPEAKERS])
        if found[:1] != self.now[:1]:
            self._first_since = now
        changed = found != self.now
        self.now = found
        return changed


def _listen(voice: _Voice, level: int, now: float) -> None:
    # Loudness rises fast and falls slowly, as speech has holes.
    voice.loudness += (level - voice.loudness) * (0.5 if level < voice.loudness else 0.15)
    if level > SPEAKING:
        voice.loud_since = None if now - voice.heard_at > BEGIN_SECONDS else voice.loud_since
    else:
        voice.loud_since = voice.loud_since if voice.loud_since is not None else now
        voice.heard_at = now
        if now - voice.loud_since >= BEGIN_SECONDS:
            voice.speaks = True
    if now - voice.heard_at > END_SECONDS:
        voice.speaks = False
