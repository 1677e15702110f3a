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
from signalling.media.embedded.layer import Layer
from signalling.media.embedded.rate import Rate
from signalling.media.embedded.track import Track

MOST_SEGMENTS: Final = 16
RESEND_OCTETS: Final = 128 * 1024
"""As much may be sent again at once; over time, as much as is sent anyway."""
RESEND_SECONDS: Final = 0.1
"""Who asks for a packet twice within this time gets it once."""
MOST_RESENT: Final = 1024
_FAR: Final = 5.0
"""Seconds by which two clocks of one publisher may differ before they are not believed."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A packet as it is forwarded, and what is known of it."""

    packet: bytes
    """As the track's: its SSRC, its payload type, our extension ids."""
    header: rtp.Header
    number: int
    """Its sequence number without wrapping."""
    begins_keyframe: bool
    picture: vp8.Descriptor | None


@dataclass(frozen=True, slots=True)
class Segment:
    """By how much the numbers of a subscriber differ from those of a layer."""

    layer: Layer
    incarnation: int
    first: int
    """The layer's number with which it begins."""
    offset: int
    timestamp_offset: int
    nudge: int
    """By how much of that the clock was pushed on, so that no two pictures have the same time."""
    picture_offset: int
    tl0_offset: int

    @property
    def is_plain(self) -> bool:
        """Whether packets go out as they are."""
        return not (self.offset or self.timestamp_offset or self.picture_offset or self.tl0_offset)


class DownTrack:
    """One subscriber's track. `send` takes RTP that is not sealed yet."""

    def __init__(self, track: Track, send: Callable[[bytes], None]) -> None:
        self.track = track
        self.wanted: Layer | None = track.layers[-1]
        """The layer to forward, from its next keyframe on; None to pause."""
        self.packets = 0
        self.octets = 0
        self.rate = Rate()
        self.fraction_lost = 0.0
        """As the subscriber reported last."""
        self.paused = False
        """Whether the subscriber has been told that there is no room for it."""
        self.round_trip: float | None = None
        self._send = send
        self._segments: deque[Segment] = deque(maxlen=MOST_SEGMENTS)
        self._running = False
        self._highest: int | None = None
        self._newest = (0, 0, 0, 0.0)
        """Timestamp, picture id, TL0PICIDX and time of the newest packet sent."""
        self._repair_number = 0
        self._resent: dict[int, float] = {}
        self._reported = (0.0, 0)
        self._packets_reported = 0
        self._spare = RESEND_OCTETS
        """How many octets may be sent again now."""

    @property
    def layer(self) -> Layer | None:
        """What is forwarded now."""
        return self._segments[-1].layer if self._running else None

    def want(self, layer: Layer | None) -> None:
        """Forward this from its next keyframe on; nothing, if it is None."""
        if layer is not self.wanted:
            self.wanted = layer
            if layer is not None and layer is not self.layer:
                self.track.want_keyframe(layer)

    def lost(self, fraction: float) -> None:
        """The subscriber has reported."""
        self.fraction_lost = fraction
        self._reported = (fraction, self.packets - self._packets_reported)
        self._packets_reported = self.packets

    def take_loss(self) -> tuple[float, int]:
        """Which part (0 to 1) of how many packets was reported lost since this was asked last."""
        reported, self._reported = self._reported, (0.0, 0)
        return reported

    def stop(self) -> None:
        """Leave out everything until the next keyframe of what is wanted."""
        self._running = False

    def take(self, layer: Layer, incoming: Incoming, now: float) -> None:
        """A packet of one of the track's layers: goes out, begins a segment, or is left out."""
        segment = self._segments[-1] if self._running else None
        if segment is not None and segment.layer is layer and segment.incarnation == layer.incarnation:
            if layer is not self.wanted and self.wanted is None:
                self._running = False
                return
        elif layer is self.wanted and incoming.begins_keyframe:
            segment = self._begin(layer, incoming, now)
        else:
            return
        if incoming.number < segment.first:
            return
        packet = incoming.packet if segment.is_plain else self._renumbered(segment, incoming)
        self._note(segment, incoming, now)
        self._send(packet)

    def resend(self, numbers: list[int], now: float, stamp: bytes) -> None:
        """Send again what a subscriber asks for (their numbers, 16 bits), as far as it is kept."""
        if self._highest is None:
            return
        for number in numbers[:256]:
            step = ((number - self._highest + 0x8000) & 0xFFFF) - 0x8000
            wanted = self._highest + step
            if step > 0 or now - self._resent.get(wanted, float("-inf")) < RESEND_SECONDS:
                continue
            found = self._find(wanted)
            if found is not None and len(found) <= self._spare:
                self._spare -= len(found)
                self._resent[wanted] = now
                self.rate.octets += len(found)
                self._send(self._repair(found, stamp))
        while len(self._resent) > MOST_RESENT:
            del self._resent[next(iter(self._resent))]

    def report(self, now: float, wall: float, publisher_behind: float) -> bytes | None:
        """A sender report of what was sent (RFC 3550, section 6.4.1).

        `publisher_behind`: by how many seconds the publisher's clock is behind ours.
        """
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.layer.report is None or not self.packets:
            return None
        theirs = segment.layer.report
        elapsed = wall - publisher_behind - rtcp.wall(theirs.ntp)
        if abs(elapsed) > 3600:
            return None
        timestamp = theirs.rtp + segment.timestamp_offset + round(elapsed * segment.layer.clock_rate)
        info = rtcp.RtcpSenderInfo(
            ntp_timestamp=rtcp.ntp(wall),
            rtp_timestamp=timestamp & 0xFFFF_FFFF,
            packet_count=self.packets & 0xFFFF_FFFF,
            octet_count=self.octets & 0xFFFF_FFFF,
        )
        return bytes(rtcp.RtcpSrPacket(self.track.ssrc, info)) + rtcp.description(
            self.track.ssrc, self.track.cname
        )

    # Inner workings

    def _begin(self, layer: Layer, incoming: Incoming, now: float) -> Segment:
        """From this packet on, in the subscriber's numbering."""
        picture = incoming.picture
        if self._highest is None:
            segment = Segment(layer, layer.incarnation, incoming.number, 0, 0, 0, 0, 0)
        else:
            _, picture_id, tl0, _ = self._newest
            timestamp_offset, nudge = self._timestamp_offset(layer, incoming, now)
            segment = Segment(
                layer,
                layer.incarnation,
                incoming.number,
                offset=self._highest + 1 - incoming.number,
                timestamp_offset=timestamp_offset,
                nudge=nudge,
                picture_offset=picture_id + 1 - (picture.picture_id or 0) if picture else 0,
                tl0_offset=tl0 + 1 - (picture.tl0_picture_index or 0) if picture else 0,
            )
        self._segments.append(segment)
        self._running = True
        return segment

    def _timestamp_offset(self, layer: Layer, incoming: Incoming, now: float) -> tuple[int, int]:
        """So that the clock goes on, by the publisher's own reports or else by ours; and the nudge in it."""
        before = self._segments[-1]
        timestamp, _, _, at = self._newest
        theirs = incoming.header.timestamp
        if before.layer is layer and before.incarnation == layer.incarnation:
            return before.timestamp_offset, before.nudge
        expected = timestamp + max(1, round((now - at) * layer.clock_rate))
        if before.layer.report and layer.report and before.incarnation == before.layer.incarnation:
            # One clock for both layers: when this packet was taken, in units of the one before.
            taken = rtcp.wall(layer.report.ntp) + _signed(theirs - layer.report.rtp) / layer.clock_rate
            since = taken - rtcp.wall(before.layer.report.ntp)
            true_offset = before.timestamp_offset - before.nudge
            mapped = before.layer.report.rtp + true_offset + round(since * layer.clock_rate)
            ahead = _signed(mapped - timestamp)
            if abs(ahead) < _FAR * layer.clock_rate:
                # Layers send each picture one after the other: the same one may come again, larger.
                nudge = max(0, 1 - ahead)
                return timestamp + ahead + nudge - theirs, nudge
        return expected - theirs, 0

    def _renumbered(self, segment: Segment, incoming: Incoming) -> bytes:
        packet = bytearray(incoming.packet)
        header = incoming.header
        rtp.patch_numbers(
            packet,
            sequence_number=incoming.number + segment.offset & 0xFFFF,
            timestamp=header.timestamp + segment.timestamp_offset & 0xFFFF_FFFF,
        )
        if incoming.picture is not None:
            vp8.patch(
                packet,
                header.payload.start,
                incoming.picture,
                picture_id=(incoming.picture.picture_id or 0) + segment.picture_offset,
                tl0_picture_index=(incoming.picture.tl0_picture_index or 0) + segment.tl0_offset,
            )
        return bytes(packet)

    def _note(self, segment: Segment, incoming: Incoming, now: float) -> None:
        number = incoming.number + segment.offset
        self.packets += 1
        self.rate.octets += len(incoming.packet)
        self._spare = min(RESEND_OCTETS, self._spare + len(incoming.packet))
        self.octets += incoming.header.payload.stop - incoming.header.payload.start
        if self._highest is None or number > self._highest:
            self._highest = number
            picture = incoming.picture
            self._newest = (
                incoming.header.timestamp + segment.timestamp_offset,
                (picture.picture_id or 0) + segment.picture_offset if picture else 0,
                (picture.tl0_picture_index or 0) + segment.tl0_offset if picture else 0,
                now,
            )

    def _find(self, number: int) -> bytes | None:
        """The packet with that number of ours, as the subscriber first got it."""
        for segment in reversed(self._segments):
            theirs = number - segment.offset
            if theirs < segment.first:
                continue
            if segment.incarnation != segment.layer.incarnation:
                return None
            kept = segment.layer.kept(theirs)
            if kept is None or segment.is_plain:
                return kept
            header = rtp.read(kept)
            picture = vp8.read(kept[header.payload]) if self.track.codec == "vp8" else None
            return self._renumbered(segment, Incoming(kept, header, theirs, False, picture))
        return None

    def _repair(self, packet: bytes, stamp: bytes) -> bytes:
        """The packet as a retransmission, stamped anew."""
        header = rtp.read(packet)
        again = bytearray(packet)
        where = header.extensions.get(IDS[ABS_SEND_TIME])
        if where is not None and where.stop - where.start == 3:
            again[where] = stamp
        repair = self.track.forwarded.repair
        if repair is None:
            return bytes(again)
        self._repair_number = self._repair_number + 1 & 0xFFFF
        return rtp.retransmission(
            bytes(again),
            header,
            payload_type=repair.payload_type,
            sequence_number=self._repair_number,
            ssrc=self.track.repair_ssrc,
        )


def _signed(difference: int) -> int:
    """The nearest way around 32 bits."""
    return ((difference + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
