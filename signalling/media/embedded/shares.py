"""Which layer of each picture one subscriber gets: by what they look at, and what their network carries."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from signalling.media.embedded.bandwidth import Demand, Estimate, allocate, hold, try_more
from signalling.media.embedded.downtrack import DownTrack
from signalling.media.embedded.layer import Layer
from signalling.protocol.messages import TrackState
from signalling.protocol.parts import Viewed

SHARE_SECONDS: Final = 0.25
UNSEEN: Final = 0
LARGEST: Final = 720
"""Lines of the largest layer, where its pictures do not tell."""
NEARLY: Final = 0.85
"""A picture may be enlarged by so much before the next layer is worth it."""
SCREEN_WEIGHT: Final = 10.0
SPEAKER_WEIGHT: Final = 2.0


class Shares:
    """Decides again and again, and remembers what it told."""

    def __init__(self) -> None:
        self.estimate = Estimate()
        self._views: dict[tuple[UUID, str], int] = {}
        self._due = float("-inf")
        self._asked, self._served = 0, 0.0

    def take_served(self) -> float | None:
        """Which part of the wanted pictures was granted since this was asked last; None: none was."""
        asked, served = self._asked, self._served
        self._asked, self._served = 0, 0.0
        return served / asked if asked else None

    def look(self, tracks: Sequence[Viewed]) -> None:
        """How large each picture is shown from now on."""
        self._views = {(each.participant_id, each.source): each.height for each in tracks}
        self._due = float("-inf")

    def share(self, downs: Sequence[DownTrack], dominant: UUID | None, now: float) -> list[TrackState]:
        """Set what each track is to forward; returns what has to be told."""
        if now < self._due:
            return []
        self._due = now + SHARE_SECONDS
        pictures = [down for down in downs if down.track.kind == "video" and not down.track.muted]
        sent = sum(down.measure(now) for down in pictures)
        lost, packets = _lost(downs)
        too_much = self.estimate.update(sent, lost, packets, now)
        layers = [[layer for layer in down.track.layers if layer.is_live(now)] for down in pictures]
        demands = [
            self._demand(down, live, dominant, now) for down, live in zip(pictures, layers, strict=True)
        ]
        allocate(demands, self.estimate.bitrate)
        if not too_much:
            hold(demands)
            if self.estimate.may_try(now) and try_more(demands):
                self.estimate.trying(now)
        wanted = [each for each in demands if each.most >= 0 and each.bitrates]
        self._asked += len(wanted)
        self._served += sum((1 + min(each.granted, each.most)) / (1 + each.most) for each in wanted)
        told = []
        for down, live, demand in zip(pictures, layers, demands, strict=True):
            if not live:
                continue
            down.want(live[demand.granted] if demand.granted >= 0 else None)
            paused = demand.granted < 0 <= demand.most
            if paused is not down.paused:
                down.paused = paused
                told.append(_told(down))
        return told

    def _demand(self, down: DownTrack, live: Sequence[Layer], dominant: UUID | None, now: float) -> Demand:
        track = down.track
        height = self._views.get((track.participant_id, track.source))
        weight = (height or LARGEST) / 1000
        if track.source == "screen":
            weight += SCREEN_WEIGHT
        elif track.participant_id == dominant:
            weight += SPEAKER_WEIGHT
        wanted = down.wanted
        return Demand(
            bitrates=[layer.rate.measure(now) for layer in live],
            most=_of_use(track.layers, live, height),
            weight=weight,
            current=live.index(wanted) if wanted in live and wanted is not None else -1,
        )


def _lost(downs: Sequence[DownTrack]) -> tuple[float, int]:
    """Which part of how many packets has been reported lost since this was asked last."""
    taken = [down.take_loss() for down in downs]
    sent = sum(packets for _, packets in taken)
    return sum(share * packets for share, packets in taken) / max(1, sent), sent


def _of_use(layers: Sequence[Layer], live: Sequence[Layer], height: int | None) -> int:
    """The smallest layer that fills so many lines, as an index of those that are live."""
    if height == UNSEEN:
        return -1
    if height is None:
        return len(live) - 1
    for index, layer in enumerate(live):
        if _lines(layers, layer) >= NEARLY * height:
            return index
    return len(live) - 1


def _lines(layers: Sequence[Layer], layer: Layer) -> float:
    if layer.height is not None:
        return layer.height
    below_top = len(layers) - 1 - layers.index(layer)
    return (layers[-1].height or LARGEST) / float(1 << below_top)


def _told(down: DownTrack) -> TrackState:
    return TrackState(
        participant_id=down.track.participant_id,
        source=down.track.source,
        state="paused" if down.paused else "active",
    )
