"""How many pictures a subscriber's network carries, and which are sent over it. Sans-I/O, pure.

The subscriber's own estimate (REMB) and the loss that they report say when it is too much. They cannot say
how much more would fit, as nothing more is sent: so the next layer is tried now and then, and given up for
longer each time that it was too much. Sound is not counted: it always goes, and estimates leave it out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

START: Final = 1_500_000.0
"""Bits per second that are believed in before anything is known."""
MOST_REPORTS: Final = 64
LEAST: Final = 50_000.0
FLOOR: Final = 200_000.0
"""A report of less is believed only when much is lost, too: it follows what is sent, as may be little."""
LOSS_TOO_MUCH: Final = 0.10
LOSS_WEIGHT: Final = 0.3
"""Of the newest report, at most."""
LOSS_PACKETS: Final = 300
"""A report about few packets weighs less: about so many say something."""
FEW_PACKETS: Final = 10
"""Fewer say nothing, not even of a trial."""
DOUBT_SECONDS: Final = 1.0
"""A report is believed when what is sent has been more for so long: estimates lag behind, and shiver."""
GROWTH: Final = 1.01
GROWTH_SECONDS: Final = 1.5
"""Reports that have grown so much in this time are still on their way to what fits: libwebrtc's grow by 8 % a
second at most, and never to more than half as much again as comes."""
TRIAL_SECONDS: Final = 3.0
"""A layer that was tried for so long without trouble fits."""
FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 60.0
"""Between trials, after they went wrong; seconds."""
OVERDRAFT: Final = 0.5
"""A picture as small as can be is worth some doubt about the estimate, which follows what is sent."""
HEADROOM: Final = 1.05
"""What may be sent with respect to what is measured: frames differ in size."""


class Estimate:
    """What is known of one subscriber's network."""

    def __init__(self) -> None:
        self.bitrate = START
        self._reported: float | None = None
        self._reports: dict[frozenset[int], float] = {}
        self._loss = 0.0
        self._beyond_since: float | None = None
        self._grown = 0.0
        self._grown_at = float("-inf")
        self._tried_at = float("-inf")
        self._next_trial = 0.0
        self._wait = FIRST_WAIT
        self._on_trial = False
        self._sent = self._before_trial = 0.0

    def reported(self, bitrate: float, ssrcs: frozenset[int] = frozenset()) -> None:
        """The subscriber's own estimate has come, in bits per second, and which streams it is about.

        Some stacks estimate each stream by itself; then the sum counts.
        """
        for others in [each for each in self._reports if not ssrcs or each & ssrcs or not each]:
            del self._reports[others]
        if len(self._reports) < MOST_REPORTS:
            self._reports[ssrcs] = bitrate
        self._reported = max(LEAST, sum(self._reports.values()))

    def update(self, sent: float, lost: float, packets: int, now: float) -> bool:
        """Whether it is too much: given what was sent (bits per second) and lost since the last time.

        `lost` is a part (0 to 1) of `packets`.
        """
        self._sent = sent
        self._loss += min(LOSS_WEIGHT, packets / LOSS_PACKETS) * (lost - self._loss)
        # What a trial does shows at once; otherwise one report is not much to go by.
        at_once = self._on_trial and packets >= FEW_PACKETS and lost > 2 * LOSS_TOO_MUCH
        losing = at_once or self._loss > LOSS_TOO_MUCH
        reported = self._reported
        if reported is not None and not losing:
            reported = max(FLOOR, reported)
        is_proved = reported is None or reported * HEADROOM >= sent
        if self._is_growing(now) or is_proved:
            self._beyond_since = None
        elif self._beyond_since is None:
            self._beyond_since = now
        beyond = self._beyond_since is not None and now - self._beyond_since >= DOUBT_SECONDS
        too_much = beyond or losing
        if too_much:
            fitting = sent * (1 - 0.5 * self._loss)
            if self._on_trial:
                fitting = min(fitting, self._before_trial)
            self.bitrate = max(LEAST, min(reported, fitting) if beyond and reported else fitting)
            self._fail(now)
        else:
            self.bitrate = max(self.bitrate if reported is None else reported, sent, LEAST)
            if self._on_trial and is_proved and now - self._tried_at >= TRIAL_SECONDS:
                self._on_trial = False
                self._wait = FIRST_WAIT
        return too_much

    def _is_growing(self, now: float) -> bool:
        reported = self._reported or 0.0
        if reported > self._grown * GROWTH:
            self._grown, self._grown_at = reported, now
        elif reported < self._grown:
            self._grown, self._grown_at = reported, float("-inf")
        return now - self._grown_at < GROWTH_SECONDS

    def _fail(self, now: float) -> None:
        # What goes wrong without a trial is the network's own change, and it may change back.
        if self._on_trial:
            self._wait = min(LONGEST_WAIT, 2 * self._wait)
        self._on_trial = False
        self._next_trial = now + self._wait

    def may_try(self, now: float) -> bool:
        """Whether more than what is known to fit may be sent, to see whether it does."""
        return not self._on_trial and now >= self._next_trial

    def trying(self, now: float) -> None:
        """More is sent from now on."""
        self._on_trial = True
        self._tried_at, self._before_trial = now, self._sent


@dataclass(slots=True)
class Demand:
    """One track of pictures that somebody wants to see."""

    bitrates: Sequence[float]
    """Of its layers that can be had now, from the smallest; bits per second."""
    most: int
    """The largest layer that is of use to them, as an index; -1: it is not looked at."""
    weight: float = 1.0
    """Larger ones are served first."""
    current: int = -1
    """What they get now; -1: nothing."""
    granted: int = field(default=-1, init=False)


def allocate(demands: Sequence[Demand], bitrate: float) -> None:
    """Share `bitrate` out: something for everybody, then more for the weightiest."""
    left, spare = bitrate, OVERDRAFT * max(0.0, bitrate)
    ordered = sorted(demands, key=lambda each: -each.weight)
    for demand in ordered:
        demand.granted = -1
        if demand.most >= 0 and demand.bitrates and demand.bitrates[0] <= left + spare:
            demand.granted = 0
            left -= demand.bitrates[0]
    grew = True
    while grew:
        grew = False
        for demand in ordered:
            following = demand.granted + 1
            if not 0 < following <= min(demand.most, len(demand.bitrates) - 1):
                continue
            step = max(0.0, demand.bitrates[following] - demand.bitrates[demand.granted])
            if step <= left:
                demand.granted = following
                left -= step
                grew = True


def hold(demands: Sequence[Demand]) -> None:
    """While the network is not too full, nobody is given less than they have and want."""
    for demand in demands:
        kept = min(demand.current, demand.most, len(demand.bitrates) - 1)
        demand.granted = max(demand.granted, kept)


def try_more(demands: Sequence[Demand]) -> bool:
    """Give the weightiest who wants more the next layer, beyond what is known to fit; whether one does."""
    for demand in sorted(demands, key=lambda each: -each.weight):
        if demand.granted < min(demand.most, len(demand.bitrates) - 1):
            demand.granted += 1
            return True
    return False
