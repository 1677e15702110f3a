"""A track on its way out: whatever happens to layers, the subscriber sees one stream without holes."""

import random
from itertools import pairwise
from uuid import uuid4

from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtpPacket, unwrap_rtx
from hypothesis import given, settings
from hypothesis import strategies as st

from signalling.media.embedded import keyframes, rtcp, rtp, vp8
from signalling.media.embedded.codecs import Forwarded
from signalling.media.embedded.downtrack import DownTrack, Numbering
from signalling.media.embedded.fan import Incoming
from signalling.media.embedded.layer import Layer, Report
from signalling.media.embedded.sdp import Codec
from signalling.media.embedded.track import Track

VP8 = Forwarded(Codec(96, "VP8", 90_000), Codec(97, "rtx", 90_000))
STEP = 3000
FRAME_SECONDS = STEP / 90_000


class Sender:
    """One layer of a publisher: frames of two packets, each with numbers of its own."""

    def __init__(self, layer: Layer, track: Track, dice: random.Random) -> None:
        self.layer, self.track = layer, track
        self.sequence_number = dice.randrange(1 << 16)
        self.timestamp = dice.randrange(1 << 32)
        self.picture_id = dice.randrange(1 << 15)
        self.tl0 = dice.randrange(256)
        layer.bind(dice.randrange(1, 1 << 32))
        layer.report = Report(rtcp.ntp(1_000.0), self.timestamp, 0.0)

    def frame(self, *, key: bool, now: float) -> list[Incoming]:
        """Its packets, kept by the layer as the publisher's end does it."""
        made = []
        for part in range(2):
            head = VpxPayloadDescriptor(
                partition_start=int(part == 0),
                partition_id=0,
                picture_id=self.picture_id,
                tl0picidx=self.tl0,
                tid=(0, 0),
            )
            packet = RtpPacket(
                payload_type=96,
                marker=part,
                sequence_number=self.sequence_number,
                timestamp=self.timestamp,
                ssrc=self.track.ssrc,
                payload=bytes(head) + (b"\x00" if key else b"\x01") + bytes(20),
            ).serialize()
            header = rtp.read(packet)
            payload = packet[header.payload]
            taken = self.layer.take(self.sequence_number, self.timestamp, len(packet), now)
            assert taken is not None
            self.layer.keep(taken[0], packet)
            begins = keyframes.begins("vp8", payload)
            made.append(Incoming(packet, header, taken[0], begins, vp8.read(payload)))
            self.sequence_number = self.sequence_number + 1 & 0xFFFF
        self.timestamp = self.timestamp + STEP & 0xFFFF_FFFF
        self.picture_id = self.picture_id + 1 & 0x7FFF
        self.tl0 = self.tl0 + 1 & 0xFF
        return made


class Stage:
    """Three layers, a subscriber, and what the subscriber got."""

    def __init__(self, dice: random.Random) -> None:
        self.layers = [Layer(rid, 90_000) for rid in "qhf"]
        self.track = Track(uuid4(), "camera", "cname", VP8, self.layers)
        self.senders = [Sender(layer, self.track, dice) for layer in self.layers]
        self.got: list[bytes] = []
        self.numbering = Numbering()
        self.down = DownTrack(self.track, self.got.append, self.numbering)
        self.now = 0.0

    def begin_anew(self) -> None:
        """The subscriber gives the track up, and takes it again on the same path."""
        self.down.close()
        self.down = DownTrack(self.track, self.got.append, self.numbering)

    def frame(self, *, key: bool = False) -> None:
        """All layers send the same picture."""
        for sender in self.senders:
            for incoming in sender.frame(key=key, now=self.now):
                self.track.fans[sender.layer].forward(incoming, self.now)
        self.now += FRAME_SECONDS

    def read(self) -> list[tuple[rtp.Header, vp8.Descriptor]]:
        headers = [(each, rtp.read(each)) for each in self.got]
        return [(header, vp8.read(packet[header.payload])) for packet, header in headers]


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_numbers_go_on_whatever_is_switched_paused_or_begun_anew(dice: random.Random) -> None:
    stage = Stage(dice)
    frames = 0
    for _ in range(150):
        match dice.randrange(12):
            case 0:
                stage.down.want(dice.choice(stage.layers))
            case 1:
                stage.down.want(None)
            case 2:
                stage.down.stop()
            case 3:
                stage.begin_anew()
            case 4:
                stage.down.hold()
            case 5:
                stage.down.release()
            case _:
                pass
        before = len(stage.got)
        stage.frame(key=dice.random() < 0.3)
        # The picture with which a larger layer begins has already been sent, smaller.
        assert len(stage.got) - before in (0, 2, 4), "one layer at a time, and whole frames"
        frames += (len(stage.got) - before) // 2
    read = stage.read()
    for (one, picture), (following, next_picture) in pairwise(read):
        assert (following.sequence_number - one.sequence_number) & 0xFFFF == 1
        step = (following.timestamp - one.timestamp) & 0xFFFF_FFFF
        assert min(step % STEP, -step % STEP) <= 2, "all layers have one clock"
        assert step < 1 << 31
        assert (step == 0) == (following.marker and not one.marker)
        assert picture.picture_id is not None
        assert next_picture.picture_id is not None
        assert picture.tl0_picture_index is not None
        assert next_picture.tl0_picture_index is not None
        gone = (next_picture.picture_id - picture.picture_id) & 0x7FFF
        assert gone == int(step != 0)
        assert (next_picture.tl0_picture_index - picture.tl0_picture_index) & 0xFF == gone
    assert stage.down.packets == len(read) == 2 * frames


def test_it_begins_with_a_keyframe_and_goes_on_with_the_old_layer_until_the_next() -> None:
    stage = Stage(random.Random(1))
    stage.frame()
    assert not stage.got
    stage.frame(key=True)
    assert stage.down.layer is stage.layers[2]
    stage.down.want(stage.layers[0])
    stage.frame()
    assert stage.down.layer is stage.layers[2]
    stage.frame(key=True)
    assert stage.down.layer is stage.layers[0]


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_what_is_asked_for_again_is_what_was_sent(dice: random.Random) -> None:
    """Also across switches: as a retransmission that unwraps to the very same packet."""
    stage = Stage(dice)
    for number in range(40):
        if number % 8 == 0:
            stage.down.want(dice.choice(stage.layers))
        stage.frame(key=number % 4 == 0)
    sent = list(stage.got)
    stage.got.clear()
    wanted = dice.sample(sent, 20)
    stage.down.resend([rtp.read(each).sequence_number for each in wanted], stage.now, b"\0\0\0")
    assert len(stage.got) == len(wanted)
    for again, original in zip(stage.got, wanted, strict=True):
        repair = RtpPacket.parse(again)
        assert (repair.payload_type, repair.ssrc) == (97, stage.track.repair_ssrc)
        assert unwrap_rtx(repair, 96, stage.track.ssrc).serialize() == original


def test_who_asks_for_everything_again_and_again_gets_it_once_in_a_while() -> None:
    stage = Stage(random.Random(2))
    for number in range(20):
        stage.frame(key=number == 0)
    numbers = [rtp.read(each).sequence_number for each in stage.got]
    stage.got.clear()
    for _ in range(100):
        stage.down.resend(numbers * 50, stage.now, b"\0\0\0")
    assert len(stage.got) == len(numbers)
    stage.down.resend([(numbers[-1] + 5) & 0xFFFF, (numbers[0] - 9) & 0xFFFF], stage.now, b"\0\0\0")
    assert len(stage.got) == len(numbers), "what was never sent is not sent again"


def test_no_number_is_used_twice_under_the_same_keys() -> None:
    """Also of what is sent again: a nonce of SRTP must never come twice (RFC 7714, section 8.4)."""
    stage = Stage(random.Random(4))
    used: set[tuple[int, int]] = set()
    for _ in range(3):
        for number in range(6):
            stage.frame(key=number == 0)
        numbers = [rtp.read(each).sequence_number for each in stage.got]
        stage.now += 1.0
        stage.down.resend(numbers[-4:], stage.now, b"\0\0\0")
        headers = [rtp.read(each) for each in stage.got]
        assert sum(each.ssrc == stage.track.repair_ssrc for each in headers) == 4
        assert used.isdisjoint((each.ssrc, each.sequence_number) for each in headers)
        used.update((each.ssrc, each.sequence_number) for each in headers)
        stage.got.clear()
        stage.begin_anew()


def test_nothing_is_numbered_while_nothing_can_be_sent() -> None:
    stage = Stage(random.Random(5))
    stage.frame(key=True)
    stage.down.hold()
    for _ in range(3):
        stage.down.want(stage.layers[0])
        stage.frame(key=True)
        stage.down.want(stage.layers[1])
    assert stage.down.packets == len(stage.got) == 2
    stage.down.release()
    stage.frame()
    assert len(stage.got) == 2, "it goes on with a keyframe"
    stage.frame(key=True)
    numbers = [header.sequence_number for header, _ in stage.read()]
    assert [(each - numbers[0]) & 0xFFFF for each in numbers] == [0, 1, 2, 3]


def test_reports_tell_the_time_of_what_was_sent() -> None:
    stage = Stage(random.Random(3))
    stage.frame(key=True)
    stage.frame()
    behind = 5.0
    report = stage.down.report(1_000.0 + behind + 2.0, behind)
    assert report is not None
    sender, _ = rtcp.read(report)
    assert isinstance(sender, rtcp.RtcpSrPacket)
    theirs = stage.layers[2].report
    assert theirs is not None
    assert sender.ssrc == stage.track.ssrc
    assert (sender.sender_info.rtp_timestamp - theirs.rtp) & 0xFFFF_FFFF == 2 * 90_000
    assert sender.sender_info.packet_count == 4
