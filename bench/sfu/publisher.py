"""What a publisher of the load sends: 150 packets of video and 50 of audio a second, on one connection."""

import struct
import time
from typing import Final

from aiortc.rtp import RtcpPacket, RtcpPsfbPacket

from bench.sfu.descriptions import AUDIO, VIDEO, Remote
from bench.sfu.peer import Peer
from signalling.media.embedded.codecs import ABS_SEND_TIME, AUDIO_LEVEL, TRANSPORT_SEQUENCE

VIDEO_PACKETS: Final = 150
"""A second; a packet of audio goes with every third."""
PACKETS: Final = 200
VIDEO_OCTETS: Final = 1100
AUDIO_OCTETS: Final = 80
PER_PICTURE: Final = 5
KEYFRAME_PICTURES: Final = 60
FILLER: Final = bytes(range(256)) * 5
STAMP: Final = struct.Struct("!d")
"""When it was sent, in seconds since 1970: the end of each payload."""
_HEADER: Final = struct.Struct("!BBHII")
_KEYFRAME: Final = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01"
_DELTA: Final = b"\x11\x00\x00"
_SIZES: Final = {ABS_SEND_TIME: 3, TRANSPORT_SEQUENCE: 2, AUDIO_LEVEL: 1}


class Stream:
    """One RTP stream: its numbers, and a packet to write them into."""

    def __init__(self, ssrc: int, payload_type: int, octets: int, extensions: dict[str, int]) -> None:
        self.ssrc = ssrc
        self.sent = 0
        self.stamped = True
        """Whether the payload ends with the time."""
        self._payload_type = payload_type
        self._places: dict[str, int] = {}
        body = b""
        for uri, size in _SIZES.items():
            if uri in extensions:
                self._places[uri] = 16 + len(body) + 1
                body += bytes([extensions[uri] << 4 | size - 1]) + b"\x28" * size
        body += bytes(-len(body) % 4)
        head = bytes(12) + b"\xbe\xde" + (len(body) // 4).to_bytes(2, "big") + body
        self.payload_at = len(head)
        self.packet = bytearray(head + FILLER[:octets])

    def fill(self, payload: bytes) -> None:
        """The next packet has this payload, which bears no time."""
        self.packet[self.payload_at :] = payload
        self.stamped = False

    def stamp(self, timestamp: int, transport: int, *, marker: bool) -> bytes:
        """The next packet, with the time and all numbers."""
        packet, wall = self.packet, time.time()
        _HEADER.pack_into(
            packet,
            0,
            0x90,
            marker << 7 | self._payload_type,
            self.sent & 0xFFFF,
            timestamp & 0xFFFF_FFFF,
            self.ssrc,
        )
        at = self._places.get(ABS_SEND_TIME)
        if at is not None:
            packet[at : at + 3] = (int(wall * (1 << 18)) & 0xFF_FFFF).to_bytes(3, "big")
        at = self._places.get(TRANSPORT_SEQUENCE)
        if at is not None:
            packet[at : at + 2] = (transport & 0xFFFF).to_bytes(2, "big")
        if self.stamped:
            STAMP.pack_into(packet, len(packet) - STAMP.size, wall)
        self.sent += 1
        return bytes(packet)


class Publisher:
    """Sends through a connected peer; `tick` is to be called 150 times a second."""

    def __init__(self, peer: Peer, remote: Remote, audio: int, video: int) -> None:
        self.peer = peer
        self.audio = Stream(audio, AUDIO, AUDIO_OCTETS, remote.extensions.get("audio", {}))
        self.video = Stream(video, VIDEO, VIDEO_OCTETS, remote.extensions.get("video", {}))
        self.keyframes_asked = 0
        self._wanted = False
        self._picture = -1
        self._transport = 0
        self._ticks = 0

    @property
    def sent(self) -> int:
        """Packets so far."""
        return self.audio.sent + self.video.sent

    def tick(self) -> None:
        """Send a packet of video, and sometimes one of audio."""
        ticks = self.video.sent
        place = ticks % PER_PICTURE
        self._describe(place)
        self._send(self.video, self._picture * 3000, marker=place == PER_PICTURE - 1)
        if ticks % 3 == 0:
            self._send(self.audio, self.audio.sent * 960, marker=False)

    def _describe(self, place: int) -> None:
        """Write the VP8 descriptor (RFC 7741) and the beginning of the frame."""
        at, packet = self.video.payload_at, self.video.packet
        if place == 0:
            self._picture += 1
            key = self._wanted or self._picture % KEYFRAME_PICTURES == 0
            self._wanted = self._wanted and not key
            start = _KEYFRAME if key else _DELTA
            packet[at + 4 : at + 4 + len(start)] = start
        packet[at : at + 4] = bytes([0x90 if place == 0 else 0x80, 0x80]) + (
            0x8000 | self._picture & 0x7FFF
        ).to_bytes(2, "big")

    def _send(self, stream: Stream, timestamp: int, *, marker: bool) -> None:
        packet = stream.stamp(timestamp, self._transport, marker=marker)
        self._transport += 1
        self.peer.send(self.peer.protect(packet))

    def take_rtcp(self, data: bytes) -> None:
        """Look whether a keyframe is asked for."""
        for packet in RtcpPacket.parse(self.peer.unprotect_rtcp(data)):
            if isinstance(packet, RtcpPsfbPacket) and packet.fmt in (1, 4):
                self._wanted = True
                self.keyframes_asked += 1
