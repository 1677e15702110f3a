"""When a publisher's packets came, for them to find out how much the network carries. Sans-I/O."""

from typing import Final

from signalling.media.embedded import rtcp
from signalling.media.embedded.rtp import Counter

MOST_AT_ONCE: Final = 256
MOST_SPAN: Final = 1024
"""Numbers that one feedback speaks of at most; what lies further apart is not one network's loss."""


class Arrivals:
    """Collects transport-wide sequence numbers, and tells of them when asked."""

    def __init__(self) -> None:
        self._counter = Counter()
        self._received: dict[int, float] = {}
        self._count = 0
        self._next: int | None = None
        """The number after the newest that was told of: what is lost from there on is to be told, too."""

    def take(self, number: int, now: float) -> None:
        """A packet of that number (16 bits) has come; monotonic seconds."""
        if len(self._received) < MOST_AT_ONCE:
            self._received.setdefault(self._counter.extend(number), now)

    @property
    def due(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._received)

    def tell(self, ssrc: int) -> bytes:
        """A feedback packet about what came since the last one; only when it is `due`."""
        newest = max(self._received)
        received = sorted(each for each in self._received.items() if newest - each[0] < MOST_SPAN)
        oldest = received[0][0]
        base = oldest
        if self._next is not None and 0 <= oldest - self._next < MOST_SPAN:
            base = self._next
        self._received.clear()
        self._count += 1
        self._next = newest + 1
        return rtcp.arrivals(
            ssrc, self._count, [(number - base, at) for number, at in received], base & 0xFFFF
        )
