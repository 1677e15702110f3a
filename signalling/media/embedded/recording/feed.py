"""One track on its way into a file: received like any other subscriber's, in the best layer that there is."""

from collections.abc import Callable
from typing import Final

from signalling.media.embedded import rtcp
from signalling.media.embedded.downtrack import DownTrack
from signalling.media.embedded.recording.clock import Clock
from signalling.media.embedded.recording.depacketiser import Depacketiser, Frame
from signalling.media.embedded.track import Track

ASK_SECONDS: Final = 1.0
"""A keyframe is asked for again after so long."""


class Feed:
    """Its frames, and when they were taken. `clock`: monotonic seconds."""

    def __init__(self, track: Track, clock: Callable[[], float]) -> None:
        self.track = track
        self.clock = Clock(track.layers[0].clock_rate)
        self._depacketiser = Depacketiser(track.codec)
        self._down = DownTrack(track, lambda packet: self._depacketiser.take(packet, clock()))
        self._asked = clock()

    def frames(self, now: float, wall: float, behind: float | None) -> list[Frame]:
        """What is complete by now. `behind`: the publisher's clock, see `Publisher.behind`."""
        live = [layer for layer in self.track.layers if layer.is_live(now)]
        if live:
            self._down.want(live[-1])
        frames = self._depacketiser.frames(now)
        if frames:
            self.clock.begin(frames[0].timestamp, frames[0].arrived)
        told = self._down.told
        if told is not None and behind is not None:
            self.clock.report(told.rtp, now - (wall - rtcp.wall(told.ntp) - behind), told.arrived)
        if self._depacketiser.broken and now - self._asked > ASK_SECONDS:
            self._asked = now
            if self._down.wanted is not None:
                self.track.want_keyframe(self._down.wanted)
        return frames

    def close(self) -> None:
        """Receive nothing any more."""
        self._down.close()
