"""Who receives a layer, grouped by how their numbers differ from the publisher's.

While nothing changes, a packet costs each receiver nothing but sealing and sending: what they have been sent
follows from what the layer has forwarded since they joined.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from signalling.media.embedded import rtp, vp8
from signalling.media.embedded.native import Lane, Outbox


class Incoming(NamedTuple):
    """A packet as it is forwarded, and what is known of it."""

    packet: bytes
    """As the track's: its SSRC, its payload type, our extension ids."""
    header: rtp.Header
    number: int
    """Its sequence number without wrapping."""
    begins_keyframe: bool
    picture: vp8.Descriptor | None

    @property
    def picture_id(self) -> int:
        """0 where pictures have no numbers."""
        return (self.picture.picture_id or 0) if self.picture else 0

    @property
    def tl0_index(self) -> int:
        """TL0PICIDX (RFC 7741); 0 where there is none."""
        return (self.picture.tl0_picture_index or 0) if self.picture else 0


class Shift(NamedTuple):
    """By how much a subscriber's numbers differ from a layer's."""

    offset: int = 0
    timestamp: int = 0
    picture_id: int = 0
    tl0_index: int = 0

    def renumbered(self, incoming: Incoming) -> bytes:
        """The packet with the subscriber's numbers."""
        if self == PLAIN:
            return incoming.packet
        packet, header = bytearray(incoming.packet), incoming.header
        rtp.patch_numbers(
            packet,
            sequence_number=incoming.number + self.offset & 0xFFFF,
            timestamp=header.timestamp + self.timestamp & 0xFFFF_FFFF,
        )
        if incoming.picture is not None:
            vp8.patch(
                packet,
                header.payload.start,
                incoming.picture,
                picture_id=incoming.picture_id + self.picture_id,
                tl0_picture_index=incoming.tl0_index + self.tl0_index,
            )
        return bytes(packet)


PLAIN = Shift()


class Member(Protocol):
    """A receiver as a fan sees it."""

    @property
    def send(self) -> Callable[[bytes], None]:
        """Takes RTP packets. Those whose `send` is a lane are served together."""

    def begin(self, fan: "Fan", incoming: Incoming, now: float) -> None:
        """A packet with which one can begin has come: join."""

    def stop(self) -> None:
        """The layer does not go on: wait for another keyframe."""


class Mark(NamedTuple):
    """How far a layer has got: its newest packet, and how much it has forwarded."""

    number: int = -1
    timestamp: int = 0
    picture_id: int = 0
    tl0_index: int = 0
    at: float = 0.0
    """Monotonic seconds."""
    packets: int = 0
    octets: int = 0
    """Of whole packets."""
    payload_octets: int = 0


class _Group:
    """Receivers with the same numbers, and the packet with which each has begun."""

    def __init__(self) -> None:
        self.members: list[tuple[int, Member]] = []
        self._lanes: dict[Outbox, list[Lane]] = {}
        self._others: list[Callable[[bytes], None]] = []

    def set(self, members: list[tuple[int, Member]]) -> None:
        """These are in it from here on."""
        self.members = members
        self._lanes, self._others = {}, []
        for _, member in members:
            if isinstance(member.send, Lane):
                self._lanes.setdefault(member.send.outbox, []).append(member.send)
            else:
                self._others.append(member.send)

    def send(self, packet: bytes, now: float) -> None:
        """Send to all of them."""
        for outbox, lanes in self._lanes.items():
            outbox.put(packet, lanes, now)
        for send in self._others:
            send(packet)


class Fan:
    """The receivers of one layer."""

    def __init__(self) -> None:
        self.waiting: list[Member] = []
        """Join at the next keyframe."""
        self._groups: dict[Shift, _Group] = {}
        self._latest_first = 0
        self._number = -1
        self._newest: Incoming | None = None
        self._at = 0.0
        self._packets = self._octets = self._payload_octets = 0
        self._held: list[Member] | None = None
        """Who waits while nothing is forwarded."""
        self._floor = -1
        """What was sent while nothing was forwarded is not a beginning, however late it comes."""

    def hold(self) -> None:
        """Forward nothing from now on: everybody waits for `release`, and costs nothing."""
        if self._held is None:
            self._held, self.waiting = self.waiting, []
            self._stop_all()

    def release(self) -> None:
        """Forward again: who waited joins at the next packet with which one can begin."""
        if self._held is not None:
            self.waiting, self._held = self._held, None
            self._floor = self._number

    @property
    def mark(self) -> Mark:
        """How far it has got."""
        newest = self._newest
        return Mark(
            self._number,
            newest.header.timestamp if newest else 0,
            newest.picture_id if newest else 0,
            newest.tl0_index if newest else 0,
            self._at,
            self._packets,
            self._octets,
            self._payload_octets,
        )

    def wait(self, member: Member) -> None:
        """Join at the next packet with which one can begin."""
        waiting = self.waiting if self._held is None else self._held
        if member not in waiting:
            waiting.append(member)

    def leave(self, member: Member) -> None:
        """Neither receive nor wait any more."""
        for waiting in (self.waiting, self._held):
            if waiting and member in waiting:
                waiting.remove(member)
        for shift, group in list(self._groups.items()):
            others = [each for each in group.members if each[1] is not member]
            if not others:
                del self._groups[shift]
            elif len(others) < len(group.members):
                group.set(others)

    def join(self, member: Member, shift: Shift, first: int) -> None:
        """Receive from packet `first` (its number without wrapping) on."""
        group = self._groups.setdefault(shift, _Group())
        group.set([*group.members, (first, member)])
        self._latest_first = max(self._latest_first, first)

    def reset(self) -> None:
        """The layer begins anew with other numbers."""
        self._stop_all()
        self._number = self._floor = -1
        self._latest_first = 0

    def _stop_all(self) -> None:
        groups, self._groups = self._groups, {}
        for group in groups.values():
            for _, member in group.members:
                member.stop()

    def forward(self, incoming: Incoming, now: float) -> None:
        """Send a packet to everybody; monotonic seconds."""
        if self.waiting and incoming.begins_keyframe and incoming.number > self._floor:
            waiting, self.waiting = self.waiting, []
            for member in waiting:
                member.begin(self, incoming, now)
        self._count(incoming, now)
        if incoming.number < self._latest_first:
            self._forward_late(incoming)
            return
        for shift, group in self._groups.items():
            group.send(shift.renumbered(incoming), now)

    def _forward_late(self, incoming: Incoming) -> None:
        """To those only who had begun when it should have come."""
        for shift, group in self._groups.items():
            packet = shift.renumbered(incoming)
            for first, member in group.members:
                if incoming.number >= first:
                    member.send(packet)

    def _count(self, incoming: Incoming, now: float) -> None:
        payload = incoming.header.payload
        self._packets += 1
        self._octets += len(incoming.packet)
        self._payload_octets += payload.stop - payload.start
        if incoming.number > self._number or self._number < 0:
            self._number, self._newest, self._at = incoming.number, incoming, now
