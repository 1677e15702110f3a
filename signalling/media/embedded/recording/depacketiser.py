"""From packets to frames: in order, complete, and never one that cannot be decoded.

Sans-I/O. A missing packet is waited for as long as it may still be sent again. After that, pictures are left
out until one comes that needs no other; sound has a hole.
"""

from typing import Final, NamedTuple

from signalling.media.embedded import rtp
from signalling.media.embedded.recording import pictures, sound
from signalling.media.embedded.rtp import Counter, Malformed

PATIENCE: Final = {"video": 1.2, "audio": 0.3}
"""Seconds to wait for a missing packet: longer than it is asked for. Sound is not asked for again."""
MOST_WAITING: Final = 2048
"""Packets."""
MOST_OCTETS: Final = 4 * 1024 * 1024
"""Of one picture."""


class Frame(NamedTuple):
    """A picture, or a packet of sound."""

    data: bytes
    timestamp: int
    """RTP, without its wrapping."""
    arrived: float
    """Monotonic seconds."""
    seconds: float = 0.0
    """How long it is heard; pictures stay."""
    size: tuple[int, int] | None = None
    """Width and height: of pictures that need no other."""


class _Packet(NamedTuple):
    payload: bytes
    timestamp: int
    marker: bool
    arrived: float


class Depacketiser:
    """Of one stream, numbered without holes."""

    def __init__(self, codec: str) -> None:
        """`codec` in lower case."""
        self.codec = codec
        self.is_video = codec != "opus"
        self.broken = self.is_video
        """Whether nothing can be shown before a picture comes that needs no other."""
        self._patience = PATIENCE["video" if self.is_video else "audio"]
        self._numbers = Counter()
        self._timestamps = Counter(32)
        self._next: int | None = None
        self._waiting: dict[int, _Packet] = {}
        self._parts: list[bytes] = []
        self._octets = 0
        self._timestamp = 0

    def take(self, packet: bytes, now: float) -> None:
        """Take an RTP packet; monotonic seconds."""
        try:
            header = rtp.read(packet)
        except Malformed:
            return
        number = self._numbers.extend(header.sequence_number)
        if self._next is None:
            self._next = number
        if number < self._next or len(self._waiting) >= MOST_WAITING:
            return
        timestamp = self._timestamps.extend(header.timestamp)
        self._waiting[number] = _Packet(packet[header.payload], timestamp, header.marker, now)

    def frames(self, now: float) -> list[Frame]:
        """What is complete by now, in order."""
        complete = []
        while self._waiting:
            packet, lost = self._following(now)
            if packet is None:
                break
            frame = self._picture(packet, lost=lost) if self.is_video else _sound(packet)
            if frame is not None:
                complete.append(frame)
        return complete

    def _following(self, now: float) -> tuple[_Packet | None, bool]:
        """The next packet if it is time for it, and whether packets before it are given up."""
        assert self._next is not None
        found = self._waiting.pop(self._next, None)
        if found is not None:
            self._next += 1
            return found, False
        first = min(self._waiting)
        patient = now - self._waiting[first].arrived < self._patience
        if patient and len(self._waiting) < MOST_WAITING:
            return None, False
        self._next = first + 1
        return self._waiting.pop(first), True

    def _picture(self, packet: _Packet, *, lost: bool) -> Frame | None:
        if lost or (self._parts and packet.timestamp != self._timestamp):
            # Also where a layer was left in the middle of a picture: then nothing is missing by number.
            self._give_up()
        if not packet.payload:
            return None
        self._timestamp = packet.timestamp
        self._parts.append(packet.payload)
        self._octets += len(packet.payload)
        if self._octets > MOST_OCTETS:
            self._give_up()
        if not packet.marker:
            return None
        return self._joined(packet)

    def _joined(self, packet: _Packet) -> Frame | None:
        parts, self._parts, self._octets = self._parts, [], 0
        try:
            data, size = pictures.join(self.codec, parts)
        except Malformed:
            self.broken = True
            return None
        if self.broken and size is None:
            return None
        self.broken = False
        return Frame(data, packet.timestamp, packet.arrived, size=size)

    def _give_up(self) -> None:
        self._parts, self._octets = [], 0
        self.broken = True


def _sound(packet: _Packet) -> Frame | None:
    try:
        return Frame(packet.payload, packet.timestamp, packet.arrived, sound.seconds(packet.payload))
    except Malformed:
        return None
