"""Where the frames of one stream stand in time: by the publisher's reports, until then by their arrival."""

from typing import Final

STEP: Final = 1.0
"""Seconds of error that are put right at once; smaller ones little by little."""
SLEW: Final = 0.05
"""Of the time that passes."""
PAUSE: Final = 0.5
"""Seconds without a packet: some stacks' timestamps stand still meanwhile."""
FAR: Final = 5.0
"""Seconds between what a timestamp says and when it came: more is not believed."""


class Clock:
    """From RTP timestamps to monotonic seconds of ours. Timestamps do not wrap here."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._anchor: tuple[int, float] | None = None
        self._arrived = 0.0
        self._begun = float("-inf")
        """Reports from before mean something else."""
        self._error = 0.0
        """By how much the clock is to be put forward yet."""
        self._placed = False
        self.reported = False
        """Whether the publisher has told what its timestamps mean."""

    def report(self, timestamp: int, at: float, arrived: float) -> None:
        """The publisher says: that timestamp (32 bits) is that time. Repeating it does no harm."""
        if self._anchor is None or arrived < self._begun:
            return
        since = (timestamp - self._anchor[0] + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        error = at - (self._anchor[1] + since / self._rate)
        if abs(error) > FAR:
            return
        if not self._placed or abs(error) > STEP:
            self._anchor = (self._anchor[0], self._anchor[1] + error)
            error = 0.0
        self.reported = True
        self._error = error

    def begin(self, timestamp: int, arrived: float) -> None:
        """The first frame has come."""
        if self._anchor is None:
            self._anchor, self._arrived = (timestamp, arrived), arrived

    def place(self, timestamp: int, arrived: float) -> float:
        """When the frame of that timestamp was taken, in monotonic seconds of ours."""
        self.begin(timestamp, arrived)
        assert self._anchor is not None
        self._placed = True
        passed, waited = (timestamp - self._anchor[0]) / self._rate, arrived - self._arrived
        self._arrived = arrived
        at = self._anchor[1] + passed
        if abs(at - arrived) > FAR:
            return self._begin_again(timestamp, arrived, arrived)
        if waited > PAUSE and waited - passed > PAUSE:
            return self._begin_again(timestamp, self._anchor[1] + waited, arrived)
        step = max(-SLEW * abs(passed), min(SLEW * abs(passed), self._error))
        self._error -= step
        self._anchor = (timestamp, at + step)
        return at + step

    def _begin_again(self, timestamp: int, at: float, arrived: float) -> float:
        self._anchor, self._error = (timestamp, at), 0.0
        self._begun, self._placed = arrived, False
        return at
