"""What one participant sends: from the packets of their `publish` connection to tracks.

Which stream a packet belongs to is told by its SSRC: named in the description, or learned from the mid and
rid of the first packets (RFC 8852, RFC 9143). How well they arrive is reported back, and what is missing is
asked for.
"""

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from signalling.media.embedded import codecs, keyframes, rtcp, rtp, vp8
from signalling.media.embedded.codecs import Chosen
from signalling.media.embedded.fan import Incoming
from signalling.media.embedded.feedback import Arrivals
from signalling.media.embedded.layer import Layer, Report
from signalling.media.embedded.rate import Allowance
from signalling.media.embedded.sdp import Section
from signalling.media.embedded.track import Track

REPORT_SECONDS: Final = 1.0
ASK_AGAIN_SECONDS: Final = 0.06
"""As it is looked at 20 times a second, 60 to 110 ms later: about what a request and its answer take."""
SUCCESSION_SECONDS: Final = 0.2
"""As long as packets of one SSRC come another one does not take its place: beginning anew costs everybody."""
MOST_SSRCS: Final = 64
MOST_BITRATE: Final = 10_000_000
"""Bits a second of one participant; three layers and a screen are about half of that."""
MOST_PACKETS: Final = 3_000
"""A second, of one participant."""
PATIENCE_SECONDS: Final = 5.0
"""Who sends too much for so long is cut off; before, what is too much is left out."""


@dataclass(slots=True)
class Ingress:
    """A section of the offer that is accepted, and the track that it feeds."""

    section: Section
    chosen: Chosen
    track: Track
    renamed: tuple[tuple[int, int], ...] = ()
    """Ids of extensions that the publisher numbers differently: theirs, ours."""
    ids: dict[str, int] = field(default_factory=dict)
    """The publisher's, by URI."""


class _Stream:
    """What is known of an SSRC, found out once for all its packets."""

    __slots__ = (
        "fan",
        "ingress",
        "is_repair",
        "layer",
        "level_id",
        "payload_type",
        "renamed",
        "stamp_id",
        "to_payload_type",
        "to_ssrc",
        "track",
    )

    def __init__(self, ingress: Ingress, layer: Layer, *, is_repair: bool) -> None:
        track = ingress.track
        self.ingress, self.layer, self.is_repair = ingress, layer, is_repair
        self.track, self.fan, self.renamed = track, track.fans[layer], ingress.renamed
        self.payload_type = ingress.chosen.codec.payload_type
        self.to_payload_type, self.to_ssrc = track.forwarded.codec.payload_type, track.ssrc
        self.stamp_id = ingress.ids.get(codecs.ABS_SEND_TIME, 0)
        self.level_id = ingress.ids.get(codecs.AUDIO_LEVEL, 0)


class Publisher:
    """Takes opened packets, and gives them to the receivers of its tracks. `send_rtcp` seals and sends."""

    def __init__(self, send_rtcp: Callable[[bytes], None], *, wall: Callable[[], float] = time.time) -> None:
        self.ingresses: dict[str, Ingress] = {}
        """By mid."""
        self.unknown = 0
        """Packets that belong to nothing that was described."""
        self.malformed = 0
        self.behind: float | None = None
        """By how many seconds the publisher's clock is behind ours; the smallest that was seen."""
        self._send_rtcp = send_rtcp
        self._wall = wall
        self._streams: dict[int, _Stream] = {}
        self._arrivals = Arrivals()
        self._transport_id: int | None = None
        self._reported = float("-inf")
        self._octets = Allowance(MOST_BITRATE / 8, MOST_BITRATE / 8)
        self._packets = Allowance(MOST_PACKETS, MOST_PACKETS)
        self._excess_since: float | None = None
        self._excess_at = float("-inf")

    def describe(self, ingresses: dict[str, Ingress]) -> None:
        """From here on these sections are sent. Streams of sections that are gone are forgotten."""
        self.ingresses = ingresses
        before, self._streams = self._streams, {}
        for ssrc, stream in before.items():
            self._bind_again(ssrc, stream)
        for ingress in ingresses.values():
            number = ingress.ids.get(codecs.TRANSPORT_SEQUENCE)
            self._transport_id = number if number is not None else self._transport_id
            if not ingress.section.rids:
                self._bind_described(ingress)

    def _bind_again(self, ssrc: int, stream: _Stream) -> None:
        """What is known goes on: names are not repeated once they are known (RFC 8852, section 3)."""
        ingress = self.ingresses.get(stream.ingress.section.mid)
        if ingress is not None:
            layer = next((each for each in ingress.track.layers if each.rid == stream.layer.rid), None)
            if layer is not None:
                self._bind(ssrc, ingress, layer, is_repair=stream.is_repair)

    def _bind_described(self, ingress: Ingress) -> None:
        repairs = dict(ingress.section.repairs)
        primary = [ssrc for ssrc in ingress.section.ssrcs if ssrc not in repairs.values()]
        if primary:
            self._bind(primary[0], ingress, ingress.track.layers[0], is_repair=False)
            if primary[0] in repairs:
                self._bind(repairs[primary[0]], ingress, ingress.track.layers[0], is_repair=True)

    # Packets

    def take_rtp(self, data: bytes, now: float) -> None:
        """Take one opened RTP packet; `now` is monotonic, in seconds."""
        if not (self._packets.take(1, now) and self._octets.take(len(data), now)):
            self._exceeded(now)
            return
        try:
            header = rtp.read(data)
            stream = self._streams.get(header.ssrc) or self._learned(data, header, now)
            if stream is None:
                self.unknown += 1
                return
            if self._transport_id is not None:
                where = header.extensions.get(self._transport_id)
                if where is not None:
                    self._arrivals.take(int.from_bytes(data[where], "big"), now)
            if stream.is_repair:
                original = self._original(stream, data, header)
                if original is None:
                    return
                data, header = original, rtp.read(original)
            self._forward(stream, data, header, now)
        except rtp.Malformed:
            self.malformed += 1

    def _exceeded(self, now: float) -> None:
        # A pause of a second ends it: then it was a burst.
        if now - self._excess_at > 1 or self._excess_since is None:
            self._excess_since = now
        self._excess_at = now

    @property
    def is_excessive(self) -> bool:
        """Whether too much has come for too long."""
        return self._excess_since is not None and self._excess_at - self._excess_since > PATIENCE_SECONDS

    def _original(self, stream: _Stream, data: bytes, header: rtp.Header) -> bytes | None:
        if stream.layer.ssrc is None:
            return None
        return rtp.original(data, header, payload_type=stream.payload_type, ssrc=stream.layer.ssrc)

    def _forward(self, stream: _Stream, data: bytes, header: rtp.Header, now: float) -> None:
        layer, track = stream.layer, stream.track
        if header.payload_type != stream.payload_type:
            self.unknown += 1
            return
        taken = layer.take(header.sequence_number, header.timestamp, len(data), now)
        if taken is None:
            return
        number, gap = taken
        if gap and track.kind == "video":
            self._ask(track, layer, now)
        payload = data[header.payload]
        picture = vp8.read(payload) if payload and track.codec == "vp8" else None
        begins = (
            picture.begins_keyframe if picture else bool(payload) and keyframes.begins(track.codec, payload)
        )
        if begins:
            track.keyframe_came(layer)
            if picture is not None:
                layer.height = vp8.height(payload, picture) or layer.height
        packet = self._as_forwarded(stream, data, header)
        layer.keep(number, packet)
        stream.fan.forward(Incoming(packet, header, number, begins, picture), now)

    def _as_forwarded(self, stream: _Stream, data: bytes, header: rtp.Header) -> bytes:
        """With the numbers by which all subscribers know the track."""
        packet, extensions = bytearray(data), header.extensions
        rtp.patch_stream(packet, payload_type=stream.to_payload_type, ssrc=stream.to_ssrc)
        for theirs, ours in stream.renamed:
            rtp.rename(packet, header, theirs, ours)
        if stream.stamp_id in extensions:
            stamped = extensions[stream.stamp_id]
            if stamped.stop - stamped.start == 3:
                packet[stamped] = stamp(self._wall())
        if stream.level_id in extensions:
            stream.track.heard(data[extensions[stream.level_id].start] & 0x7F)
        return bytes(packet)

    # Which stream

    def _learned(self, data: bytes, header: rtp.Header, now: float) -> _Stream | None:
        """By mid and rid, or by the payload type when only one section has it."""
        if len(self._streams) >= MOST_SSRCS:
            return None
        ingress = self._section_of(data, header)
        if ingress is None:
            return None
        repair = ingress.chosen.repair
        is_repair = repair is not None and header.payload_type == repair.payload_type
        if not is_repair and header.payload_type != ingress.chosen.codec.payload_type:
            return None
        layer = self._layer_of(ingress, data, header, is_repair=is_repair)
        if layer is None or (
            not is_repair and layer.ssrc is not None and now - layer.seen < SUCCESSION_SECONDS
        ):
            return None
        return self._bind(header.ssrc, ingress, layer, is_repair=is_repair)

    def _section_of(self, data: bytes, header: rtp.Header) -> Ingress | None:
        for ingress in self.ingresses.values():
            where = header.extensions.get(ingress.ids.get(codecs.MID, 0))
            if where is not None:
                return self.ingresses.get(data[where].decode("ascii", "replace"))
        found = [
            each for each in self.ingresses.values() if header.payload_type == each.chosen.codec.payload_type
        ]
        return found[0] if len(found) == 1 and not found[0].section.rids else None

    def _layer_of(
        self, ingress: Ingress, data: bytes, header: rtp.Header, *, is_repair: bool
    ) -> Layer | None:
        layers = ingress.track.layers
        if not ingress.section.rids:
            return layers[0]
        uri = codecs.REPAIRED_RID if is_repair else codecs.RID
        where = header.extensions.get(ingress.ids.get(uri, 0))
        if where is None:
            return None
        rid = data[where].decode("ascii", "replace")
        return next((layer for layer in layers if layer.rid == rid), None)

    def _bind(self, ssrc: int, ingress: Ingress, layer: Layer, *, is_repair: bool) -> _Stream:
        if not is_repair and layer.ssrc != ssrc:
            self._streams.pop(layer.ssrc or 0, None)
            layer.bind(ssrc)
            ingress.track.fans[layer].reset()
            ingress.track.want_keyframe(layer)
        stream = self._streams[ssrc] = _Stream(ingress, layer, is_repair=is_repair)
        return stream

    # Reports

    def take_rtcp(self, data: bytes, now: float) -> None:
        """Take one opened compound packet."""
        for packet in rtcp.read(data):
            if isinstance(packet, rtcp.RtcpSrPacket):
                self._reported_by_publisher(packet, now)

    def _reported_by_publisher(self, packet: rtcp.RtcpSrPacket, now: float) -> None:
        stream = self._streams.get(packet.ssrc)
        if stream is None or stream.is_repair:
            return
        info = packet.sender_info
        stream.layer.report = Report(info.ntp_timestamp, info.rtp_timestamp, now)
        behind = self._wall() - rtcp.wall(info.ntp_timestamp)
        # A clock that was set anew shows in a step; otherwise the fastest packet tells it best.
        if self.behind is None or behind < self.behind or behind - self.behind > 1:
            self.behind = behind

    def tick(self, now: float) -> None:
        """Some time has passed: ask for what is missing, and report."""
        for ingress in self.ingresses.values():
            track = ingress.track
            if track.kind == "video":
                for layer in track.layers:
                    self._ask(track, layer, now)
                for ssrc in track.keyframes_due(now):
                    self._send_rtcp(rtcp.keyframe_request(ssrc))
        if self._arrivals.due and self._streams:
            self._send_rtcp(self._arrivals.tell(next(iter(self._streams))))
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._report(now)

    def _ask(self, track: Track, layer: Layer, now: float) -> None:
        if layer.hopeless:
            track.want_keyframe(layer)
            return
        numbers = layer.to_ask_for(now, ASK_AGAIN_SECONDS)
        if numbers and layer.ssrc is not None:
            self._send_rtcp(rtcp.missing(layer.ssrc, numbers))

    def _report(self, now: float) -> None:
        blocks = [
            block
            for ingress in self.ingresses.values()
            for layer in ingress.track.layers
            if (block := layer.reception(now)) is not None
        ]
        for at in range(0, len(blocks), 31):
            self._send_rtcp(bytes(rtcp.RtcpRrPacket(rtcp.OWN_SSRC, blocks[at : at + 31])))


def stamp(wall: float) -> bytes:
    """The time of sending as 6.18 bits of seconds (abs-send-time)."""
    return struct.pack("!I", int(wall * (1 << 18)) & 0xFF_FFFF)[1:]
