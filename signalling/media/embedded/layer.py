"""One RTP stream that a publisher sends: what is missing of it, what is kept of it, how well it arrives.

Sans-I/O: packets, reports and the time go in; the numbers to ask for, and what to report, come out.
"""

from dataclasses import dataclass
from typing import Final

from signalling.media.embedded import rtcp
from signalling.media.embedded.rate import Rate
from signalling.media.embedded.rtp import Counter

KEPT: Final = 512
"""Packets of a stream that can be sent again: at 150 a second more than three seconds."""
MOST_MISSING: Final = 128
"""With more than that missing at once, only a new keyframe helps."""
MOST_TRIES: Final = 8
PATIENCE: Final = 1.0
"""Seconds after which a missing packet is of no use any more."""
LIVE_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Gap:
    since: float
    next_try: float
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report: this RTP timestamp was this time at the publisher's (RFC 3550, section 6.4.1)."""

    ntp: int
    rtp: int
    arrived: float
    """Monotonic seconds."""


class Layer:
    """One encoding of a track; audio and plain video have one."""

    def __init__(self, rid: str, clock_rate: int) -> None:
        self.rid = rid
        self.clock_rate = clock_rate
        self.ssrc: int | None = None
        self.report: Report | None = None
        self.incarnation = 0
        """Counts the SSRCs that this layer has had: numbers of one mean nothing in another."""
        self.seen = float("-inf")
        """When the newest packet came; monotonic seconds."""
        self.rate = Rate()
        self.height: int | None = None
        """Of its pictures, as far as they tell without being decoded."""
        self._begin()

    def _begin(self) -> None:
        self._counter = Counter()
        self._kept: list[tuple[int, bytes] | None] = [None] * KEPT
        self._missing: dict[int, _Gap] = {}
        self._first: int | None = None
        self._highest = 0
        self._received = 0
        self._reported = (0, 0)
        self._transit: float | None = None
        self._jitter = 0.0

    def bind(self, ssrc: int) -> None:
        """From here on packets of this SSRC are the layer; those of an earlier one are forgotten."""
        if ssrc != self.ssrc:
            self.ssrc = ssrc
            self.report = None
            self.incarnation += 1
            self._begin()

    def is_live(self, now: float) -> bool:
        """Whether packets come."""
        return now - self.seen < LIVE_SECONDS

    def take(self, sequence_number: int, timestamp: int, octets: int, now: float) -> tuple[int, bool] | None:
        """Count a packet; returns its number without wrapping, and whether packets before it are now missing.

        None when it came before, or is older than anything that is asked for.
        """
        number = self._counter.extend(sequence_number)
        self.seen = now
        if self._first is None:
            self._first = self._highest = number
            self._count(octets)
            return number, False
        if number <= self._highest:
            if self._missing.pop(number, None) is None:
                return None
            self._count(octets)
            return number, False
        gap = number - self._highest - 1
        for each in range(number - min(gap, MOST_MISSING), number):
            self._missing[each] = _Gap(now, now)
        while len(self._missing) > MOST_MISSING:
            del self._missing[next(iter(self._missing))]
        self._highest = number
        self._count(octets)
        self._measure(timestamp, now)
        return number, gap > 0

    @property
    def arrivals(self) -> tuple[int, int]:
        """How many packets were to come since the SSRC is known, and how many of them are missing."""
        if self._first is None:
            return 0, 0
        expected = self._highest - self._first + 1
        return expected, max(0, expected - self._received)

    @property
    def jitter(self) -> float:
        """In seconds."""
        return self._jitter / self.clock_rate

    def keep(self, number: int, packet: bytes) -> None:
        """Remember a packet, so that it can be sent again."""
        self._kept[number % KEPT] = (number, packet)

    def kept(self, number: int) -> bytes | None:
        """The packet of that number, if it still is there."""
        found = self._kept[number % KEPT]
        return found[1] if found is not None and found[0] == number else None

    def to_ask_for(self, now: float, again_after: float) -> list[int]:
        """Which missing packets to ask for now (16 bits); `again_after`: seconds until the next try."""
        if not self._missing:
            return []
        wanted = []
        for number, gap in list(self._missing.items()):
            if now - gap.since > PATIENCE or gap.tries >= MOST_TRIES:
                del self._missing[number]
            elif gap.next_try <= now:
                gap.tries += 1
                gap.next_try = now + again_after
                wanted.append(number & 0xFFFF)
        return wanted

    @property
    def hopeless(self) -> bool:
        """So much is missing that only a keyframe helps. Asking forgets what was missing."""
        if len(self._missing) < MOST_MISSING:
            return False
        self._missing.clear()
        return True

    def reception(self, now: float) -> rtcp.RtcpReceiverInfo | None:
        """A report block about this layer (RFC 3550, section 6.4.1 and appendix A.3)."""
        if self.ssrc is None or self._first is None:
            return None
        expected = self._highest - self._first + 1
        before_expected, before_received = self._reported
        interval, got = expected - before_expected, self._received - before_received
        self._reported = (expected, self._received)
        lost_now = max(0, interval - got)
        report = self.report
        return rtcp.RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=min(255, lost_now * 256 // interval) if interval > 0 else 0,
            packets_lost=max(0, min(0x7F_FFFF, expected - self._received)),
            highest_sequence=self._highest & 0xFFFF_FFFF,
            jitter=int(self._jitter) & 0xFFFF_FFFF,
            lsr=rtcp.middle(report.ntp) if report else 0,
            dlsr=min(0xFFFF_FFFF, int((now - report.arrived) * 65536)) if report else 0,
        )

    def _count(self, octets: int) -> None:
        self._received += 1
        self.rate.octets += octets

    def _measure(self, timestamp: int, now: float) -> None:
        """Jitter as RFC 3550, appendix A.8, has it."""
        transit = now * self.clock_rate - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            # A timestamp that wrapped or began anew says nothing.
            if difference < self.clock_rate:
                self._jitter += (difference - self._jitter) / 16
        self._transit = transit
