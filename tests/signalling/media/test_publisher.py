"""What a publisher may send: which stream it is, and what happens to whatever it should not be."""

import random
import struct
import tracemalloc
from uuid import UUID

from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from signalling.media.embedded import codecs, negotiation, rtcp, rtp
from signalling.media.embedded.codecs import Palette
from signalling.media.embedded.downtrack import DownTrack
from signalling.media.embedded.publisher import MOST_PACKETS, MOST_SSRCS, PATIENCE_SECONDS, Publisher
from signalling.media.embedded.track import Track
from tests.signalling.media.test_sdp import HEAD, audio, video

LAYERS = "a=rid:q send\r\na=rid:f send\r\na=simulcast:send q;f\r\n"
OFFER = f"{HEAD}a=group:BUNDLE 0 1\r\n{audio()}{video(extra=LAYERS)}"
MID, RID = codecs.IDS[codecs.MID], codecs.IDS[codecs.RID]
KEYFRAME, DELTA = b"\x10\x00" + bytes(9), b"\x10\x01" + bytes(9)


class Stage:
    """A publisher of sound and of a picture in two layers, and a subscriber to each."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.publisher = Publisher(self.said.append)
        self.palette = Palette()
        self.describe(OFFER)
        self.got: dict[str, list[bytes]] = {"0": [], "1": []}
        for mid, ingress in self.publisher.ingresses.items():
            DownTrack(ingress.track, self.got[mid].append)

    def describe(self, offer: str) -> None:
        self.publisher.describe(
            negotiation.ingresses_of(
                negotiation.read_offer(offer),
                {"0": "microphone", "1": "camera"},
                self.publisher.ingresses,
                self.palette,
                participant_id=UUID(int=1),
                cname="me",
            )
        )

    @property
    def picture(self) -> Track:
        return self.publisher.ingresses["1"].track

    def send(
        self,
        ssrc: int,
        number: int,
        payload: bytes = DELTA,
        now: float = 1.0,
        *,
        mid: str = "",
        rid: str = "",
    ) -> None:
        """A packet of the picture, with its names if it bears them."""
        self.publisher.take_rtp(made(ssrc, number, payload, mid=mid, rid=rid), now)

    def asked(self) -> list[rtcp.AnyRtcpPacket]:
        """What the publisher was told since this was asked last."""
        said, self.said[:] = list(self.said), []
        return [packet for each in said for packet in rtcp.read(each)]


def made(
    ssrc: int, number: int, payload: bytes, payload_type: int = 96, *, mid: str = "", rid: str = ""
) -> bytes:
    elements = b""
    for kind, value in ((MID, mid), (RID, rid)):
        if value:
            elements += bytes([kind << 4 | len(value) - 1]) + value.encode()
    elements += bytes(-len(elements) % 4)
    packet = RtpPacket(payload_type, 0, number & 0xFFFF, number * 3000, ssrc, payload).serialize()
    if not elements:
        return packet
    extension = struct.pack("!HH", 0xBEDE, len(elements) // 4) + elements
    return bytes([packet[0] | 0x10]) + packet[1:12] + extension + packet[12:]


def test_layers_are_known_by_their_names_and_then_by_their_ssrc() -> None:
    stage = Stage()
    stage.send(7, 1, KEYFRAME, mid="1", rid="f")
    stage.send(7, 2)
    assert stage.picture.layers[1].ssrc == 7
    assert stage.picture.layers[0].ssrc is None
    assert len(stage.got["1"]) == 2
    header = rtp.read(stage.got["1"][0])
    assert (header.ssrc, header.payload_type) == (
        stage.picture.ssrc,
        stage.picture.forwarded.codec.payload_type,
    )


def test_sound_is_known_by_the_description() -> None:
    stage = Stage()
    stage.publisher.take_rtp(made(1001, 1, b"opus", payload_type=111), 1.0)
    assert len(stage.got["0"]) == 1


def test_a_layer_that_begins_again_with_another_ssrc_goes_on_at_its_next_keyframe() -> None:
    stage = Stage()
    stage.send(7, 1, KEYFRAME, mid="1", rid="f")
    stage.send(8, 499, KEYFRAME, now=1.1, mid="1", rid="f")
    assert len(stage.got["1"]) == 1, "the first one comes still"
    stage.send(8, 500, DELTA, now=1.5, mid="1", rid="f")
    assert len(stage.got["1"]) == 1
    stage.send(8, 501, KEYFRAME, now=1.5)
    numbers = [rtp.read(each).sequence_number for each in stage.got["1"]]
    assert numbers == [1, 2], "without a hole for the subscriber"
    stage.send(7, 2, now=1.6)
    assert len(stage.got["1"]) == 2, "the first one is nobody's any more"


def test_what_is_known_goes_on_when_the_description_is_said_anew() -> None:
    """A screen is shared: the camera's section offers less than before, packets bear no names any more."""
    stage = Stage()
    stage.send(7, 1, KEYFRAME, mid="1", rid="f")
    track = stage.picture
    leaner = OFFER.replace("a=extmap:12 urn:unheard:of\r\n", "").replace("a=rtcp-fb:96 goog-remb\r\n", "")
    stage.describe(leaner)
    assert stage.picture is track
    stage.send(7, 2)
    assert len(stage.got["1"]) == 2
    stage.describe(OFFER.replace("96 97 102 103", "102 103"))
    assert stage.picture is not track
    stage.publisher.take_rtp(made(7, 3, b"\x65" + bytes(20), payload_type=102), 1.0)
    assert stage.picture.layers[1].ssrc == 7


def test_lies_lead_nowhere() -> None:
    stage = Stage()
    lies = [("9", "f"), ("1", "x"), ("1", ""), ("", "f"), ("0", "")]
    for number, (mid, rid) in enumerate(lies):
        stage.send(100 + number, 1, KEYFRAME, mid=mid, rid=rid)
    assert stage.publisher.unknown == len(lies)
    assert not stage.got["1"]
    stage.send(7, 1, KEYFRAME, mid="1", rid="f")
    stage.publisher.take_rtp(made(7, 2, DELTA, payload_type=111), 1.0)
    stage.send(7, 3, b"")
    assert len(stage.got["1"]) == 2, "an empty packet takes a number, another codec is not let through"


def test_missing_packets_are_asked_for_at_once_and_keyframes_seldom() -> None:
    stage = Stage()
    stage.send(7, 1, KEYFRAME, mid="1", rid="f")
    stage.send(7, 4)
    nack = next(each for each in stage.asked() if isinstance(each, rtcp.RtcpRtpfbPacket))
    assert (nack.media_ssrc, nack.lost) == (7, [2, 3])
    for step in range(100):
        stage.picture.want_keyframe(stage.picture.layers[1])
        stage.publisher.tick(1.0 + step / 100)
    requests = [each for each in stage.asked() if isinstance(each, rtcp.RtcpPsfbPacket)]
    assert {(each.fmt, each.media_ssrc) for each in requests} == {(rtcp.PLI, 7)}
    assert 2 <= len(requests) <= 3


def test_what_is_missing_where_numbers_wrap_is_asked_for_and_the_packet_goes_on() -> None:
    stage = Stage()
    stage.send(7, 65533, KEYFRAME, mid="1", rid="f")
    stage.send(7, 65534)
    stage.send(7, 1)
    (nack,) = [each for each in stage.asked() if isinstance(each, rtcp.RtcpRtpfbPacket)]
    assert sorted(nack.lost) == [0, 65535]
    assert len(stage.got["1"]) == 3


def test_who_sends_too_much_is_held_back_and_then_told_apart() -> None:
    stage = Stage()
    stage.send(7, 0, KEYFRAME, now=0.0, mid="1", rid="f")
    number, seconds = 1, PATIENCE_SECONDS + 2
    for step in range(int(seconds * 100)):
        for _ in range(MOST_PACKETS // 100 * 2):
            stage.send(7, number, now=step / 100)
            number += 1
        if step == 200:
            assert not stage.publisher.is_excessive, "a burst is no offence"
    assert stage.publisher.is_excessive
    assert len(stage.got["1"]) <= (seconds + 1) * MOST_PACKETS


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_garbage_harms_nobody(dice: random.Random) -> None:
    """Random bytes, and packets with some of them changed: counted, never raised, and the others go on."""
    stage = Stage()
    stage.send(7, 1, KEYFRAME, mid="1", rid="f")
    for number in range(100):
        packet = bytearray(made(7, 2 + number, KEYFRAME, mid="1", rid="f"))
        for _ in range(dice.randint(1, 4)):
            packet[dice.randrange(len(packet))] = dice.randrange(256)
        stage.publisher.take_rtp(bytes(packet[: dice.randint(0, len(packet))]), 1.0)
        stage.publisher.take_rtp(dice.randbytes(dice.randint(0, 40)), 1.0)
        stage.publisher.take_rtcp(dice.randbytes(dice.randint(0, 60)), 1.0)
        report = bytearray(bytes(rtcp.RtcpSrPacket(7, rtcp.RtcpSenderInfo(1, 2, 3, 4))))
        report[dice.randrange(len(report))] = dice.randrange(256)
        stage.publisher.take_rtcp(bytes(report), 1.0)
        stage.publisher.tick(1.0 + number)
    stage.publisher.take_rtp(made(1001, 1, b"opus", payload_type=111), 200.0)
    assert stage.got["0"]


def test_a_new_stream_with_every_packet_needs_no_more_room() -> None:
    stage = Stage()

    def flood(times: int) -> None:
        for number in range(times):
            stage.send(number + 10, number, KEYFRAME, now=number / 1000, mid="1", rid="qf"[number % 2])
            stage.got["1"].clear()

    flood(1000)
    tracemalloc.start()
    flood(5_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 1_000_000
    assert len(stage.publisher._streams) <= MOST_SSRCS
