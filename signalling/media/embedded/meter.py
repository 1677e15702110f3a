"""What one participant's connections are like: reads the counters that are kept anyway, every few seconds.

Packets cost nothing here. Up, our own reception statistics tell; down, the participant's reports do. The
round trip is measured downwards alone (LSR and DLSR, RFC 3550, section 6.4.1): we send nothing on `publish`
that could be answered, and both connections share one network.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from signalling.contracts.calls import StayQuality
from signalling.media.embedded import quality
from signalling.media.embedded.downtrack import DownTrack
from signalling.media.embedded.layer import Layer
from signalling.media.embedded.quality import Steady, Way
from signalling.media.embedded.shares import Shares
from signalling.media.embedded.track import Track
from signalling.protocol.parts import Figures, ReceivedPicture, SentPicture

SECONDS: Final = 5.0
"""Between two looks."""
KBIT: Final = 1000


class _Count(NamedTuple):
    """Packets, and octets of whole packets; their difference is what happened since the last look."""

    packets: float = 0
    lost: float = 0
    octets: int = 0

    def since(self, before: "_Count") -> "_Count":
        """A repair that came late may undo a loss of the last time: no loss is negative."""
        return _Count(
            max(0, self.packets - before.packets),
            max(0, self.lost - before.lost),
            max(0, self.octets - before.octets),
        )

    def plus(self, other: "_Count") -> "_Count":
        return _Count(self.packets + other.packets, self.lost + other.lost, self.octets + other.octets)

    @property
    def loss(self) -> float | None:
        return min(1.0, self.lost / self.packets) if self.packets else None


class _Mean:
    """Of what was known, weighed by time."""

    def __init__(self) -> None:
        self._sum = self._seconds = 0.0

    def add(self, value: float | None, seconds: float) -> None:
        if value is not None:
            self._sum += value * seconds
            self._seconds += seconds

    @property
    def value(self) -> float | None:
        return self._sum / self._seconds if self._seconds else None


class Meter:
    """One participant's: since the last look, and over the whole stay."""

    def __init__(self, now: float) -> None:
        self.steady = Steady()
        self._since = now
        self._arrived: dict[Layer, tuple[int, _Count]] = {}
        """By layer, the SSRC's incarnation and how much of it there was at the last look."""
        self._went: dict[DownTrack, _Count] = {}
        self._reported_loss: dict[str, float | None] = {"audio": None, "video": None}
        self._unreported = 0
        self._up = self._down = _Count()
        self._seconds = 0.0
        self._scores, self._jitter, self._trip = _Mean(), _Mean(), _Mean()
        self._worst = quality.BEST

    def look(
        self, now: float, sent: Sequence[Track], downs: Sequence[DownTrack], shares: Shares | None
    ) -> tuple[bool, Figures | None]:
        """Take stock; returns whether the shown score has changed, and what was measured if media flow."""
        seconds = max(1e-3, now - self._since)
        self._since = now
        up, arrived = self._look_up(sent)
        down, went = self._look_down(downs, shares)
        trips = [each.round_trip for each in downs if each.round_trip is not None]
        trip = sum(trips) / len(trips) if trips else None
        figures = Figures(
            loss_up=_rounded(arrived.loss, 4),
            loss_down=_rounded(went.loss, 4),
            jitter_up=_milliseconds(up.jitter),
            jitter_down=_milliseconds(down.jitter),
            round_trip=_milliseconds(trip),
            bitrate_up=round(arrived.octets * 8 / seconds / KBIT, 1),
            bitrate_down=round(went.octets * 8 / seconds / KBIT, 1),
            sending=_sending(sent, now),
            receiving=_receiving(downs),
        )
        measured = quality.together(up, down, trip)
        changed = measured is not None and self.steady.update(measured)
        if measured is not None:
            self._scores.add(self.steady.value, seconds)
            self._worst = min(self._worst, self.steady.value)
            self._seconds += seconds
        self._up, self._down = self._up.plus(arrived), self._down.plus(went)
        self._jitter.add(
            max((each for each in (up.jitter, down.jitter) if each is not None), default=None), seconds
        )
        self._trip.add(trip, seconds)
        return changed, figures if arrived.octets or went.octets else None

    @property
    def stay(self) -> StayQuality | None:
        """Everything so far; None before there is a score."""
        mean = self._scores.value
        if mean is None:
            return None
        return StayQuality(
            seconds=round(self._seconds, 1),
            mean_score=round(mean, 2),
            worst_score=round(self._worst, 2),
            loss_up=_rounded(self._up.loss, 4),
            loss_down=_rounded(self._down.loss, 4),
            jitter=_milliseconds(self._jitter.value),
            round_trip=_milliseconds(self._trip.value),
            bitrate_up=round(self._up.octets * 8 / self._seconds / KBIT, 1),
            bitrate_down=round(self._down.octets * 8 / self._seconds / KBIT, 1),
        )

    # Up

    def _look_up(self, sent: Sequence[Track]) -> tuple[Way, _Count]:
        before, self._arrived = self._arrived, {}
        counts = {"audio": _Count(), "video": _Count()}
        octets, jitter, stalled = 0, None, False
        for track in sent:
            for layer in track.layers:
                now = _Count(*layer.arrivals, layer.rate.octets)
                incarnation, earlier = before.get(layer, (layer.incarnation, _Count()))
                self._arrived[layer] = (layer.incarnation, now)
                if incarnation != layer.incarnation:
                    # The counters of packets began anew, that of octets did not.
                    earlier = _Count(octets=earlier.octets)
                new = now.since(earlier)
                octets += new.octets
                if track.muted:
                    continue
                counts[track.kind] = counts[track.kind].plus(new)
                if track.source == "microphone":
                    jitter = layer.jitter
                    stalled = bool(earlier.packets) and not new.packets
        sound_loss = 1.0 if stalled else counts["audio"].loss
        way = Way(sound_loss, counts["video"].loss, jitter=jitter)
        return way, counts["audio"].plus(counts["video"])._replace(octets=octets)

    # Down

    def _look_down(self, downs: Sequence[DownTrack], shares: Shares | None) -> tuple[Way, _Count]:
        before, self._went = self._went, {}
        counts = {"audio": _Count(), "video": _Count()}
        for down in downs:
            now = self._went[down] = _Count(*down.reports, down.octets)
            new = now.since(before.get(down, _Count()))
            counts[down.track.kind] = counts[down.track.kind].plus(new)
        whole = counts["audio"].plus(counts["video"])
        is_sent = bool(whole.octets)
        self._unreported = self._unreported + 1 if is_sent and not whole.packets else 0
        losses: dict[str, float | None] = {}
        for kind, count in counts.items():
            if count.packets:
                self._reported_loss[kind] = count.loss
            # Reports are rarer than looks; none for long means that nothing gets through.
            losses[kind] = 1.0 if self._unreported > 1 else self._reported_loss[kind]
            if not count.octets:
                losses[kind] = None
        served = shares.take_served() if shares is not None else None
        if served is not None and losses["video"] is None:
            # All pictures that they want to see are held back.
            losses["video"] = 0.0
        jitters = [each.jitter for each in downs if each.jitter is not None and each.track.kind == "audio"]
        way = Way(
            losses["audio"],
            losses["video"] if served is not None else None,
            served=1.0 if served is None else served,
            jitter=max(jitters, default=None),
        )
        return way, whole


def _sending(sent: Iterable[Track], now: float) -> tuple[SentPicture, ...]:
    return tuple(
        SentPicture(source=track.source, layers=sum(layer.is_live(now) for layer in track.layers))
        for track in sent
        if track.kind == "video" and not track.muted
    )


def _receiving(downs: Iterable[DownTrack]) -> tuple[ReceivedPicture, ...]:
    return tuple(
        ReceivedPicture(
            participant_id=down.track.participant_id,
            source=down.track.source,
            layer=down.track.layers.index(down.layer) + 1 if down.layer is not None else 0,
            layers=len(down.track.layers),
        )
        for down in downs
        if down.track.kind == "video" and not down.track.muted
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
