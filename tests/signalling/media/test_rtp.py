"""RTP packets: what is read is what stands there, and what is patched is what aiortc then reads."""

import struct
from dataclasses import dataclass, field

import pytest
from aiortc.rtp import RtpPacket, unwrap_rtx, wrap_rtx
from hypothesis import given
from hypothesis import strategies as st

from signalling.media.embedded import rtp
from signalling.media.embedded.rtp import Counter, Malformed


@dataclass(slots=True)
class Made:
    """A packet and what it was made of."""

    marker: bool
    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    sources: list[int]
    extensions: dict[int, bytes]
    one_byte: bool
    gap: int
    payload: bytes
    padding: int
    packet: bytes = field(init=False)

    def __post_init__(self) -> None:
        elements = b""
        for kind, data in self.extensions.items():
            head = bytes([kind << 4 | len(data) - 1]) if self.one_byte else bytes([kind, len(data)])
            elements += bytes(self.gap) + head + data
        elements += bytes(-len(elements) % 4)
        first = 0x80 | bool(self.padding) << 5 | bool(elements) << 4 | len(self.sources)
        second = self.marker << 7 | self.payload_type
        packet = struct.pack("!BBHII", first, second, self.sequence_number, self.timestamp, self.ssrc)
        packet += b"".join(struct.pack("!I", source) for source in self.sources)
        if elements:
            packet += struct.pack("!HH", 0xBEDE if self.one_byte else 0x1000, len(elements) // 4) + elements
        packet += self.payload
        if self.padding:
            packet += bytes(self.padding - 1) + bytes([self.padding])
        self.packet = packet

    def patched(self) -> bytearray:
        return bytearray(self.packet)


@st.composite
def packets(draw: st.DrawFn) -> Made:
    one_byte = draw(st.booleans())
    sizes = st.binary(min_size=1, max_size=16) if one_byte else st.binary(max_size=40)
    return Made(
        marker=draw(st.booleans()),
        payload_type=draw(st.integers(0, 127)),
        sequence_number=draw(st.integers(0, 0xFFFF)),
        timestamp=draw(st.integers(0, 0xFFFFFFFF)),
        ssrc=draw(st.integers(0, 0xFFFFFFFF)),
        sources=draw(st.lists(st.integers(0, 0xFFFFFFFF), max_size=15)),
        extensions=draw(st.dictionaries(st.integers(1, 14), sizes, max_size=5)),
        one_byte=one_byte,
        gap=draw(st.integers(0, 3)),
        payload=draw(st.binary(max_size=60)),
        padding=draw(st.sampled_from([0, 1, 4, 255])),
    )


@given(packets())
def test_what_is_read_is_what_stands_there(made: Made) -> None:
    header = rtp.read(made.packet)
    names = ("marker", "payload_type", "sequence_number", "timestamp", "ssrc")
    assert [getattr(header, name) for name in names] == [getattr(made, name) for name in names]
    assert {kind: made.packet[where] for kind, where in header.extensions.items()} == made.extensions
    assert made.packet[header.payload] == made.payload


@given(st.binary(max_size=80) | packets().map(lambda made: made.packet[: len(made.packet) // 2]))
def test_nonsense_is_malformed_or_lies_within(packet: bytes) -> None:
    try:
        header = rtp.read(packet)
    except Malformed:
        return
    assert 12 <= header.payload.start <= header.payload.stop <= len(packet)
    for where in header.extensions.values():
        assert 16 <= where.start <= where.stop <= header.payload.start
    theirs = RtpPacket.parse(packet)
    assert theirs.payload == packet[header.payload]


@given(packets())
def test_a_patched_packet_is_part_of_another_stream(made: Made) -> None:
    packet = made.patched()
    rtp.patch(packet, marker=True, payload_type=99, sequence_number=7, timestamp=8, ssrc=9)
    theirs = RtpPacket.parse(bytes(packet))
    assert (theirs.marker, theirs.payload_type, theirs.sequence_number) == (1, 99, 7)
    assert (theirs.timestamp, theirs.ssrc, theirs.csrc) == (8, 9, made.sources)
    assert theirs.payload == made.payload
    now = rtp.read(bytes(packet))
    assert {number: bytes(packet[where]) for number, where in now.extensions.items()} == made.extensions


@given(packets())
def test_a_renamed_extension_keeps_what_it_says(made: Made) -> None:
    packet = made.patched()
    header = rtp.read(made.packet)
    free = next(number for number in range(1, 15) if number not in made.extensions)
    for kind in [*list(made.extensions)[:1], free]:
        rtp.rename(packet, header, kind, free)
    now = rtp.read(bytes(packet))
    wanted = {(free if at == 0 else kind): data for at, (kind, data) in enumerate(made.extensions.items())}
    assert {kind: bytes(packet[where]) for kind, where in now.extensions.items()} == wanted


@given(packets())
def test_a_retransmission_holds_the_packet(made: Made) -> None:
    header = rtp.read(made.packet)
    again = rtp.retransmission(made.packet, header, payload_type=97, sequence_number=5, ssrc=6)
    ours, theirs = RtpPacket.parse(again), wrap_rtx(RtpPacket.parse(made.packet), 97, 5, 6)
    assert ours.payload == theirs.payload
    assert (ours.ssrc, ours.payload_type, ours.sequence_number) == (6, 97, 5)
    assert unwrap_rtx(ours, made.payload_type, made.ssrc).payload == made.payload
    back = rtp.original(again, rtp.read(again), payload_type=made.payload_type, ssrc=made.ssrc)
    assert back is not None
    unpadded = bytearray(made.packet[: header.payload.stop])
    unpadded[0] &= ~0x20
    assert back == unpadded


def test_an_empty_retransmission_probes_and_half_a_number_is_malformed() -> None:
    for payload, wanted in ((b"", None), (b"\x01", Malformed)):
        packet = RtpPacket(payload=payload, ssrc=1).serialize()
        if wanted is None:
            assert rtp.original(packet, rtp.read(packet), payload_type=1, ssrc=1) is None
        else:
            with pytest.raises(wanted):
                rtp.original(packet, rtp.read(packet), payload_type=1, ssrc=1)


def test_nothing_after_a_reserved_element_is_read() -> None:
    for head in (0xF0, 0x02):
        elements = bytes([0x10, 7, head, 1, 0x20, 8, 0, 0])
        packet = struct.pack("!BBHIIHH", 0x90, 96, 1, 2, 3, 0xBEDE, 2) + elements
        assert {kind: packet[where] for kind, where in rtp.read(packet).extensions.items()} == {1: b"\x07"}


@given(st.lists(st.integers(-32_000, 32_000), max_size=50), st.integers(0, 0xFFFF))
def test_numbers_go_on_where_they_begin_again(steps: list[int], first: int) -> None:
    counter = Counter()
    newest = first
    assert counter.extend(first) == first
    for step in steps:
        true = newest + step
        assert counter.extend(true % 0x10000) == true
        newest = max(newest, true)
