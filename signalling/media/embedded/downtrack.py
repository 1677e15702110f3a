"""A track on its way to one subscriber: numbered without holes, whatever layer it comes from.

Within a `Segment` every number differs from the publisher's by a constant. A new segment begins where the
layer changes, or where packets were left out on purpose.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from signalling.media.embedded import rtcp, rtp, vp8
from signalling.media.embedded.codecs import ABS_SEND_TIME, IDS
from signalling.media.embedded.fan import Fan, Incoming, Mark, Shift
from signalling.media.embedded.layer import Layer, Report
from signalling.media.embedded.rate import Rate
from signalling.media.embedded.track import Track

MOST_SEGMENTS: Final = 16
RESEND_SHARE: Final = 0.5
"""Of what is sent anyway, so much may be sent again over time: more would keep a full network full."""
RESEND_LEAST: Final = 8 * 1024
RESEND_MOST: Final = 128 * 1024
"""Octets that may be sent again at once; in between, what is sent in half a second."""
RESEND_SECONDS: Final = 0.1
"""Who asks for a packet twice within this time gets it once."""
MOST_RESENT: Final = 1024
MOST_ASKED: Final = 256
_FAR: Final = 5.0
"""Seconds by which two clocks of one publisher may differ before they are not believed."""


@dataclass(frozen=True, slots=True)
class Segment:
    """How a subscriber's numbers follow from a layer's, from one packet on."""

    layer: Layer
    incarnation: int
    first: int
    """The layer's number with which it begins."""
    shift: Shift
    nudge: int
    """By how much of the timestamp's shift the clock was pushed on, so that no two pictures have one time."""
    began: Mark
    """What the layer had forwarded before."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """What the subscriber got in segments that are over."""

    number: int
    timestamp: int
    picture_id: int
    tl0_index: int
    at: float
    packets: int = 0
    octets: int = 0
    payload_octets: int = 0


@dataclass(slots=True)
class Numbering:
    """How far a track's numbers have got on one path. No number may come twice under the same keys."""

    past: _Sent | None = None
    repair: int = 0
    """The newest sequence number of what was sent again."""


class DownTrack:
    """One subscriber's track. `send` takes RTP that is not sealed yet; a path's own is the fastest."""

    def __init__(
        self, track: Track, send: Callable[[bytes], None], numbering: Numbering | None = None
    ) -> None:
        """`numbering`: of the same track on the same path, when it was received before."""
        self.track = track
        self.send = send
        self.wanted: Layer | None = None
        """The layer to forward, from its next keyframe on; None to pause."""
        self.rate = Rate()
        self.fraction_lost = 0.0
        """As the subscriber reported last."""
        self.round_trip: float | None = None
        self.jitter: float | None = None
        """In seconds, as the subscriber reported last."""
        self.paused = False
        """Whether the subscriber has been told that there is no room for it."""
        self._segments: deque[Segment] = deque(maxlen=MOST_SEGMENTS)
        self._running = self._held = False
        self._numbering = numbering or Numbering()
        self._resent: dict[int, float] = {}
        self._resent_octets = self._resent_packets = 0
        self._told_packets, self._told_lost = 0, 0.0
        self._spare, self._spare_counted = float(RESEND_LEAST), 0
        self._reported = (0.0, 0)
        self._packets_reported = self.packets
        self.want(track.layers[-1])

    # What is forwarded

    @property
    def layer(self) -> Layer | None:
        """What is forwarded now."""
        return self._segments[-1].layer if self._running else None

    def want(self, layer: Layer | None) -> None:
        """Forward this from its next keyframe on; nothing, if it is None."""
        if layer is self.wanted:
            return
        if self.wanted is not None and self.wanted is not self.layer:
            self.track.fans[self.wanted].leave(self)
        self.wanted = layer
        if layer is None:
            self.stop()
        elif layer is not self.layer:
            self.track.fans[layer].wait(self)
            self.track.want_keyframe(layer)

    def stop(self) -> None:
        """Leave out everything until the next keyframe of what is wanted."""
        if self._running:
            self._numbering.past = self._sent()
            self._running = False
            self.track.fans[self._segments[-1].layer].leave(self)
        if self.wanted is not None:
            self.track.fans[self.wanted].wait(self)

    def hold(self) -> None:
        """Nothing can be sent: number nothing until `release`."""
        self._held = True
        self.stop()

    def release(self) -> None:
        """Go on with the next keyframe of what is wanted."""
        self._held = False
        self.stop()
        if self.wanted is not None:
            self.track.want_keyframe(self.wanted)

    def close(self) -> None:
        """Receive nothing any more."""
        self.want(None)

    def begin(self, fan: Fan, incoming: Incoming, now: float) -> None:
        """From this packet of the wanted layer on, in the subscriber's numbering."""
        layer = self.wanted
        if self._held or layer is None or self.track.fans[layer] is not fan:
            return
        past = self._sent()
        shift, nudge = Shift(), 0
        if past is not None:
            timestamp, nudge = self._timestamp_shift(past, layer, incoming, now)
            shift = Shift(
                past.number + 1 - incoming.number,
                timestamp,
                past.picture_id + 1 - incoming.picture_id if incoming.picture else 0,
                past.tl0_index + 1 - incoming.tl0_index if incoming.picture else 0,
            )
        if self._running:
            self.track.fans[self._segments[-1].layer].leave(self)
        self._numbering.past = past
        self._segments.append(Segment(layer, layer.incarnation, incoming.number, shift, nudge, fan.mark))
        self._running = True
        fan.join(self, shift, incoming.number)

    def _sent(self) -> _Sent | None:
        """How far the subscriber's numbering has got."""
        past = self._numbering.past
        if not self._running:
            return past
        segment = self._segments[-1]
        mark, began, shift = self.track.fans[segment.layer].mark, segment.began, segment.shift
        return _Sent(
            mark.number + shift.offset,
            mark.timestamp + shift.timestamp,
            mark.picture_id + shift.picture_id,
            mark.tl0_index + shift.tl0_index,
            mark.at,
            mark.packets - began.packets + (past.packets if past else 0),
            mark.octets - began.octets + (past.octets if past else 0),
            mark.payload_octets - began.payload_octets + (past.payload_octets if past else 0),
        )

    def _timestamp_shift(self, past: _Sent, layer: Layer, incoming: Incoming, now: float) -> tuple[int, int]:
        """So that the clock goes on, by the publisher's own reports or else by ours; and the nudge in it."""
        before = self._segments[-1] if self._segments else None
        theirs = incoming.header.timestamp
        expected = past.timestamp + max(1, round((now - past.at) * layer.clock_rate)) - theirs
        if before is None:
            return expected, 0
        if before.layer is layer and before.incarnation == layer.incarnation:
            return before.shift.timestamp, before.nudge
        if before.layer.report and layer.report and before.incarnation == before.layer.incarnation:
            # One clock for both layers: when this packet was taken, in units of the one before.
            taken = rtcp.wall(layer.report.ntp) + _signed(theirs - layer.report.rtp) / layer.clock_rate
            since = taken - rtcp.wall(before.layer.report.ntp)
            true_shift = before.shift.timestamp - before.nudge
            mapped = before.layer.report.rtp + true_shift + round(since * layer.clock_rate)
            ahead = _signed(mapped - past.timestamp)
            if abs(ahead) < _FAR * layer.clock_rate:
                # Layers send each picture one after the other: the same one may come again, larger.
                nudge = max(0, 1 - ahead)
                return past.timestamp + ahead + nudge - theirs, nudge
        return expected, 0

    # What the subscriber says

    @property
    def packets(self) -> int:
        """How many have been sent, without those sent again."""
        sent = self._sent()
        return sent.packets if sent else 0

    @property
    def octets(self) -> int:
        """How many have been sent, with what was sent again."""
        sent = self._sent()
        return self._resent_octets + (sent.octets if sent else 0)

    @property
    def reports(self) -> tuple[int, float]:
        """Of how many packets the subscriber has reported, and how many of them are lost for good."""
        return self._told_packets, self._told_lost

    def measure(self, now: float) -> float:
        """Bits a second of late, with what is sent again."""
        self.rate.octets = self.octets
        return self.rate.measure(now)

    def lost(self, fraction: float) -> None:
        """The subscriber has reported."""
        self.fraction_lost = fraction
        packets = self.packets
        about = packets - self._packets_reported
        self._reported = (fraction, about)
        self._told_packets += about
        # Some stacks count as lost what was sent again since, others do not.
        self._told_lost += max(0.0, fraction * about - self._resent_packets)
        self._resent_packets = 0
        self._packets_reported = packets

    def take_loss(self) -> tuple[float, int]:
        """Which part (0 to 1) of how many packets was reported lost since this was asked last."""
        reported, self._reported = self._reported, (0.0, 0)
        return reported

    def resend(self, numbers: list[int], now: float, stamp: bytes) -> None:
        """Send again what a subscriber asks for (their numbers, 16 bits), as far as it is kept."""
        sent = self._sent()
        if sent is None:
            return
        half_second = self.layer.rate.bitrate / 16 if self.layer else 0.0
        at_once = min(RESEND_MOST, max(RESEND_LEAST, half_second))
        self._spare = min(at_once, self._spare + RESEND_SHARE * (sent.octets - self._spare_counted))
        self._spare_counted = sent.octets
        for number in numbers[:MOST_ASKED]:
            step = ((number - sent.number + 0x8000) & 0xFFFF) - 0x8000
            wanted = sent.number + step
            if step > 0 or now - self._resent.get(wanted, float("-inf")) < RESEND_SECONDS:
                continue
            found = self._find(wanted)
            if found is not None and len(found) <= self._spare:
                self._resent[wanted] = now
                self._spare -= len(found)
                self._resent_octets += len(found)
                self._resent_packets += 1
                self.send(self._repair(found, stamp))
        while len(self._resent) > MOST_RESENT:
            del self._resent[next(iter(self._resent))]

    @property
    def told(self) -> Report | None:
        """The publisher's newest report, in the subscriber's numbers."""
        if not self._running:
            return None
        segment = self._segments[-1]
        theirs = segment.layer.report
        if theirs is None or segment.incarnation != segment.layer.incarnation:
            return None
        shift = segment.shift.timestamp - segment.nudge
        return Report(theirs.ntp, theirs.rtp + shift & 0xFFFF_FFFF, theirs.arrived)

    def report(self, wall: float, publisher_behind: float) -> bytes | None:
        """A sender report of what was sent (RFC 3550, section 6.4.1); `wall` is seconds since 1970.

        `publisher_behind`: by how many seconds the publisher's clock is behind ours.
        """
        segment, sent = self._segments[-1] if self._segments else None, self._sent()
        if segment is None or sent is None or not sent.packets:
            return None
        theirs = segment.layer.report
        if theirs is None or segment.incarnation != segment.layer.incarnation:
            return None
        elapsed = wall - publisher_behind - rtcp.wall(theirs.ntp)
        if abs(elapsed) > 3600:
            return None
        timestamp = theirs.rtp + segment.shift.timestamp + round(elapsed * segment.layer.clock_rate)
        info = rtcp.RtcpSenderInfo(
            ntp_timestamp=rtcp.ntp(wall),
            rtp_timestamp=timestamp & 0xFFFF_FFFF,
            packet_count=sent.packets & 0xFFFF_FFFF,
            octet_count=sent.payload_octets & 0xFFFF_FFFF,
        )
        track = self.track
        return bytes(rtcp.RtcpSrPacket(track.ssrc, info)) + rtcp.description(track.ssrc, track.cname)

    # Sending again

    def _find(self, number: int) -> bytes | None:
        """The packet with that number of ours, as the subscriber first got it."""
        for segment in reversed(self._segments):
            theirs = number - segment.shift.offset
            if theirs < segment.first:
                continue
            if segment.incarnation != segment.layer.incarnation:
                return None
            kept = segment.layer.kept(theirs)
            if kept is None:
                return None
            header = rtp.read(kept)
            payload = kept[header.payload]
            picture = vp8.read(payload) if payload and self.track.codec == "vp8" else None
            return segment.shift.renumbered(Incoming(kept, header, theirs, False, picture))
        return None

    def _repair(self, packet: bytes, stamp: bytes) -> bytes:
        """The packet as a retransmission, stamped anew; the very same where that is not agreed on."""
        repair = self.track.forwarded.repair
        if repair is None:
            return packet
        header = rtp.read(packet)
        again = bytearray(packet)
        where = header.extensions.get(IDS[ABS_SEND_TIME])
        if where is not None and where.stop - where.start == 3:
            again[where] = stamp
        self._numbering.repair = self._numbering.repair + 1 & 0xFFFF
        return rtp.retransmission(
            bytes(again),
            header,
            payload_type=repair.payload_type,
            sequence_number=self._numbering.repair,
            ssrc=self.track.repair_ssrc,
        )


def _signed(difference: int) -> int:
    """The nearest way around 32 bits."""
    return ((difference + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
