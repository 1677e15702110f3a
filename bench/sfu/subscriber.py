"""What a subscriber of the load receives: counted cheaply, a sample of it opened; reports once a second."""

import time
from typing import Final

from aiortc.rtp import RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, pack_remb_fci
from pylibsrtp import Error

from bench.sfu.peer import Peer
from bench.sfu.publisher import FILLER, STAMP

SAMPLE: Final = 50
"""Every so many packets one is opened."""
ESTIMATE: Final = 5_000_000
_OWN_SSRC: Final = 7
_VIDEO_FROM: Final = 600
"""Longer datagrams are video."""


class Tally:
    """One stream at one subscriber."""

    __slots__ = ("count", "first", "highest", "reported")

    def __init__(self, number: int) -> None:
        self.first = self.highest = number
        self.count = 0
        self.reported = (0, 0)

    @property
    def expected(self) -> int:
        """Packets from the first to the newest."""
        return self.highest - self.first + 1

    def info(self, ssrc: int) -> RtcpReceiverInfo:
        """The report block."""
        expected, count = self.expected - self.reported[0], self.count - self.reported[1]
        self.reported = (self.expected, self.count)
        fraction = min(255, max(0, expected - count) * 256 // expected) if expected > 0 else 0
        return RtcpReceiverInfo(
            ssrc=ssrc,
            fraction_lost=fraction,
            packets_lost=max(0, self.expected - self.count),
            highest_sequence=self.highest & 0xFFFF_FFFF,
            jitter=0,
            lsr=0,
            dlsr=0,
        )


class Subscriber:
    """Counts what comes by SSRC and sequence number."""

    def __init__(self, peer: Peer, *, stamped: bool = True) -> None:
        """`stamped`: what comes is what was sent, with the time in it."""
        self.peer = peer
        self.stamped = stamped
        self.began = time.monotonic()
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        self.tallies: dict[int, Tally] = {}
        self.opened = self.wrong = 0
        self.latencies: list[float] = []
        """In milliseconds."""
        self._until_sample = SAMPLE

    @property
    def delivered(self) -> int:
        """Packets that came."""
        return sum(each.count for each in self.tallies.values())

    def count(self, ssrc: int, number: int) -> bool:
        """A packet came; returns whether it is to be opened."""
        tally = self.tallies.get(ssrc)
        if tally is None:
            tally = self.tallies[ssrc] = Tally(number)
        tally.count += 1
        step = number - tally.highest & 0xFFFF
        if step < 0x8000:
            tally.highest += step
        self._until_sample -= 1
        return not self._until_sample

    def open(self, data: bytes, arrived: float) -> None:
        """Open a sampled packet: is it what was sent, and how long was it on its way?"""
        self._until_sample = SAMPLE
        self.opened += 1
        try:
            packet = bytes(self.peer.unprotect(data))
        except Error:
            self.wrong += 1
            return
        if not self.stamped:
            return
        head = 12 + 4 * (packet[0] & 15)
        if packet[0] & 0x10:
            head += 4 + 4 * int.from_bytes(packet[head + 2 : head + 4], "big")
        payload = packet[head:]
        skipped = 14 if len(payload) > _VIDEO_FROM else 0
        end = len(payload) - STAMP.size
        if payload[skipped:end] != FILLER[skipped:end]:
            self.wrong += 1
        self.latencies.append((arrived - STAMP.unpack(payload[end:])[0]) * 1000)

    def report(self) -> None:
        """Send a receiver report and an estimate."""
        if self.tallies:
            ssrcs = list(self.tallies)
            report = RtcpRrPacket(_OWN_SSRC, [tally.info(ssrc) for ssrc, tally in self.tallies.items()])
            estimate = RtcpPsfbPacket(15, _OWN_SSRC, 0, pack_remb_fci(ESTIMATE, ssrcs))
            self.peer.send(self.peer.protect_rtcp(bytes(report) + bytes(estimate)))
