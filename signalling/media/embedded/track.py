"""A source as everybody else receives it: its layers, and who receives them."""

import secrets
from typing import Final
from uuid import UUID

from signalling.media.embedded.codecs import Forwarded
from signalling.media.embedded.fan import Fan
from signalling.media.embedded.layer import Layer
from signalling.media.embedded.speakers import SILENCE
from signalling.protocol.parts import Source

KEYFRAME_SECONDS: Final = 0.5
"""A publisher is asked for a keyframe of a layer once in this time at most."""


def fresh_ssrc() -> int:
    """A random one (RFC 3550, section 8.1)."""
    return secrets.randbelow((1 << 32) - 2) + 2


class Track:
    """What one participant sends from one source."""

    def __init__(
        self, participant_id: UUID, source: Source, cname: str, forwarded: Forwarded, layers: list[Layer]
    ) -> None:
        self.participant_id = participant_id
        self.source: Source = source
        self.cname = cname
        self.forwarded = forwarded
        self.codec = forwarded.codec.name.lower()
        """Its name in lower case."""
        self.kind = "audio" if self.codec == "opus" else "video"
        self.layers = layers
        """From the smallest to the largest."""
        self.ssrc = fresh_ssrc()
        self.repair_ssrc = fresh_ssrc()
        self.fans = {layer: Fan() for layer in layers}
        self.muted = False
        """Nothing of it is forwarded, whatever comes."""
        self._loudest = SILENCE
        self._asked: dict[Layer, float] = {}
        self._wanted: set[Layer] = set()

    def mute(self, muted: bool) -> None:
        """Forward nothing of it from now on, or go on."""
        if muted is self.muted:
            return
        self.muted = muted
        for layer, fan in self.fans.items():
            if muted:
                fan.hold()
                continue
            fan.release()
            if fan.waiting:
                self.want_keyframe(layer)

    def heard(self, level: int) -> None:
        """A packet says how loud it is, in -dBov: 0 is loudest, 127 silence (RFC 6464)."""
        self._loudest = min(self._loudest, level)

    def level(self) -> int:
        """How loud it was since this was asked last."""
        loudest, self._loudest = self._loudest, SILENCE
        return loudest

    def want_keyframe(self, layer: Layer) -> None:
        """Somebody cannot go on without one; it is asked for at the next `keyframes_due`."""
        if self.kind == "video":
            self._wanted.add(layer)

    def keyframe_came(self, layer: Layer) -> None:
        """Whoever waited for one has it."""
        self._wanted.discard(layer)

    def keyframes_due(self, now: float) -> list[int]:
        """SSRCs to ask a keyframe of now: each rarely, however many want one."""
        due: list[int] = []
        for layer in () if self.muted else list(self._wanted):
            if layer.ssrc is not None and now - self._asked.get(layer, float("-inf")) >= KEYFRAME_SECONDS:
                # It stays wanted until it comes: the request may be lost.
                self._asked[layer] = now
                due.append(layer.ssrc)
        return due
