"""What one participant receives: the sections of their `subscribe` connection, and what they report back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from signalling.media.embedded import rtcp
from signalling.media.embedded.downtrack import DownTrack, Numbering
from signalling.media.embedded.publisher import stamp
from signalling.media.embedded.sdp import Section
from signalling.media.embedded.shares import Shares
from signalling.media.embedded.track import Track
from signalling.protocol.parts import MAX_MEDIA_SECTIONS, ForwardedTrack

MOST_SECTIONS: Final = MAX_MEDIA_SECTIONS["subscribe"]
REPORT_SECONDS: Final = 1.0
FEW_SECTIONS: Final = 16
"""So many are not used again when they are empty: not every stack follows a section to another stream."""


@dataclass(slots=True)
class Slot:
    """A section of the offer: carries a track, or may carry one later."""

    mid: str
    kind: str
    section: Section
    """As it was offered last, without its transport."""
    track: Track | None = None
    down: DownTrack | None = None
    """Once the subscriber has accepted it."""
    settled: bool = True
    """The last answer knew of its state: an empty one may be used again."""


class Subscriber:
    """Decides what each section carries. `send_rtp` and `send_rtcp` seal and send."""

    def __init__(self, send_rtp: Callable[[bytes], None], send_rtcp: Callable[[bytes], None]) -> None:
        self.slots: list[Slot] = []
        self.shares = Shares()
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._reported = float("-inf")
        self._flows = False
        self._numbers: WeakKeyDictionary[Track, Numbering] = WeakKeyDictionary()

    @property
    def downs(self) -> list[DownTrack]:
        """All tracks that go out."""
        return [slot.down for slot in self.slots if slot.down is not None]

    def wish(self, tracks: Iterable[Track]) -> bool:
        """From here on these are to be received; returns whether another offer is needed for it."""
        wanted = list(tracks)
        changed = False
        for slot in self.slots:
            if slot.track is not None and slot.track not in wanted:
                self._empty(slot)
                changed = True
        carried = {slot.track for slot in self.slots}
        for track in wanted:
            if track not in carried:
                changed = self._place(track) or changed
        return changed

    def _place(self, track: Track) -> bool:
        free = [
            each for each in self.slots if each.track is None and each.settled and each.kind == track.kind
        ]
        slot = free[0] if free and len(self.slots) >= FEW_SECTIONS else None
        if slot is None:
            if len(self.slots) >= MOST_SECTIONS:
                return False
            slot = Slot(str(len(self.slots)), track.kind, Section(track.kind, ""))
            self.slots.append(slot)
        slot.track = track
        slot.settled = False
        slot.section = _section(slot, track)
        return True

    def _empty(self, slot: Slot) -> None:
        self._stop(slot)
        slot.track = None
        slot.settled = False
        slot.section = replace(slot.section, direction="inactive", ssrcs=(), repairs=(), stream_id="")

    def _stop(self, slot: Slot) -> None:
        if slot.down is not None:
            slot.down.close()
            slot.down = None

    def tracks(self) -> tuple[ForwardedTrack, ...]:
        """Which section carries what."""
        return tuple(
            ForwardedTrack(mid=slot.mid, participant_id=slot.track.participant_id, source=slot.track.source)
            for slot in self.slots
            if slot.track is not None
        )

    def answered(self, offered: dict[str, Track | None], sections: Iterable[Section]) -> None:
        """Take the answer to an offer in which the sections carried `offered`."""
        answers = {section.mid: section for section in sections}
        for slot in self.slots:
            if slot.mid not in offered:
                continue
            answer = answers.get(slot.mid)
            accepted = (
                answer is not None and not answer.rejected and answer.direction in ("recvonly", "sendrecv")
            )
            slot.settled = slot.track is offered[slot.mid]
            if slot.track is None or slot.track is not offered[slot.mid]:
                continue
            if accepted and slot.down is None:
                slot.down = self._begin(slot.track)
            elif not accepted:
                self._stop(slot)

    def _begin(self, track: Track) -> DownTrack:
        # Numbers go on where the track was received before: the keys are the same.
        down = DownTrack(track, self._send_rtp, self._numbers.setdefault(track, Numbering()))
        if not self._flows:
            down.hold()
        return down

    def flow(self, flows: bool) -> None:
        """Whether packets arrive from now on: what was sent before they do is lost."""
        if flows is self._flows:
            return
        self._flows = flows
        for down in self.downs:
            if flows:
                down.release()
            else:
                down.hold()

    def close(self) -> None:
        """Receive nothing any more."""
        for slot in self.slots:
            self._stop(slot)

    # Reports

    def take_rtcp(self, data: bytes, now: float, wall: float) -> None:
        """Take one opened compound packet."""
        for packet in rtcp.read(data):
            match packet:
                case rtcp.RtcpRrPacket() | rtcp.RtcpSrPacket():
                    for block in packet.reports:
                        self._received(block, wall)
                case rtcp.RtcpRtpfbPacket(fmt=rtcp.NACK):
                    down = self._down(packet.media_ssrc)
                    if down is not None:
                        down.resend([number & 0xFFFF for number in packet.lost], now, stamp(wall))
                case rtcp.RtcpPsfbPacket():
                    self._asked(packet)
                case _:
                    pass

    def _received(self, block: rtcp.RtcpReceiverInfo, wall: float) -> None:
        down = self._down(block.ssrc)
        if down is None:
            return
        down.lost(block.fraction_lost / 256)
        down.jitter = block.jitter / down.track.forwarded.codec.clock_rate
        if block.lsr:
            trip = (rtcp.middle(rtcp.ntp(wall)) - block.lsr - block.dlsr & 0xFFFF_FFFF) / 65536
            # A report that was on its way for longer is no measure, nor one whose clock went backwards.
            down.round_trip = trip if trip < 30 else down.round_trip

    def _asked(self, packet: rtcp.RtcpPsfbPacket) -> None:
        if packet.fmt in (rtcp.PLI, rtcp.FIR):
            # A FIR names its streams in its entries (RFC 5104, section 4.3.1).
            entries = [packet.fci[at : at + 4] for at in range(0, len(packet.fci), 8)]
            named = {int.from_bytes(entry, "big") for entry in entries} if packet.fmt == rtcp.FIR else set()
            named.add(packet.media_ssrc)
            for down in self.downs:
                if down.track.ssrc in named and down.wanted is not None:
                    down.track.want_keyframe(down.wanted)
        elif packet.fmt == rtcp.APPLICATION:
            estimate = rtcp.estimate_of(packet)
            if estimate is not None:
                self.shares.estimate.reported(*estimate)

    def _down(self, ssrc: int) -> DownTrack | None:
        return next((down for down in self.downs if down.track.ssrc == ssrc), None)

    def tick(self, now: float, wall: float, behind: Callable[[UUID], float | None]) -> None:
        """Some time has passed: report. `behind`: a publisher's clock, see `DownTrack.report`."""
        if now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        for down in self.downs:
            theirs = behind(down.track.participant_id)
            report = down.report(wall, theirs) if theirs is not None else None
            if report is not None:
                self._send_rtcp(report)


def _section(slot: Slot, track: Track) -> Section:
    repairs = track.forwarded.repair is not None
    suffix = ".screen" if track.source in ("screen", "screen_audio") else ""
    return replace(
        track.forwarded.section(track.kind),
        mid=slot.mid,
        direction="sendonly",
        ssrcs=(track.ssrc, track.repair_ssrc) if repairs else (track.ssrc,),
        repairs=((track.ssrc, track.repair_ssrc),) if repairs else (),
        stream_id=f"{track.participant_id}{suffix}",
        cname=track.cname,
    )
