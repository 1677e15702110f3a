"""From packets to frames: whole, in order, and nothing that does not decode, whatever is lost."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalling.media.embedded.recording import pictures as joined
from signalling.media.embedded.recording import sizes, sound
from signalling.media.embedded.recording.clock import Clock
from signalling.media.embedded.recording.depacketiser import MOST_WAITING, PATIENCE, Depacketiser, Frame
from signalling.media.embedded.recording.writer import Sample, Shown, Unfit, Writer
from signalling.media.embedded.rtp import Malformed
from tests.independent.synthetic import FRAMES_PER_SECOND
from tests.signalling.media.frames import CLOCK, Encoded, packets, pictures, vp9_payloads
from tests.signalling.media.recorded import play

CODECS = ["vp8", "vp9", "h264"]
COUNT = 60


def taken(codec: str, sent: Iterable[bytes], every: int = 7) -> list[Frame]:
    """What comes out, when time passes by one second after each few packets."""
    stream, frames, now = Depacketiser(codec), [], 0.0
    for place, packet in enumerate(sent):
        stream.take(packet, now)
        if place % every == every - 1:
            now += 1.0
            frames += stream.frames(now)
    return frames + stream.frames(now + 1) + stream.frames(now + 10)


def number_of(frame: Frame) -> int:
    return round((frame.timestamp - 0xFFFF_F000) / (CLOCK / FRAMES_PER_SECOND))


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_encoded_comes_out(codec: str) -> None:
    frames = taken(codec, packets(codec, COUNT))
    assert [number_of(frame) for frame in frames] == list(range(COUNT))
    assert [frame.size is not None for frame in frames] == [each.is_key for each in pictures(codec, COUNT)]
    assert {frame.size for frame in frames if frame.size} == {(320, 180)}
    if codec != "h264":
        assert [frame.data for frame in frames] == [each.data for each in pictures(codec, COUNT)]


def decoded(folder: Path, codec: str, frames: Sequence[Frame]) -> list[object]:
    """Those pictures of a file of these frames that are not what was encoded."""
    path = folder / f"{len(list(folder.iterdir()))}.{Shown(codec, 320, 180).suffix}"
    writer = Writer(path, Shown(codec, 320, 180))
    if not frames:
        return []
    samples = [
        Sample(frame.data, number_of(frame) * 1000 // FRAMES_PER_SECOND, 0, True, frame.size is not None)
        for frame in frames
    ]
    writer.write([Sample(sound.SILENCE, 0, 20, False, True), *samples])
    writer.finish()
    found = play(path)
    assert len(found.shown) == len(frames)
    return list(found.strangers(slack=1))


LOSSES = st.tuples(
    st.sets(st.integers(0, 400), max_size=25),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 12)), max_size=20),
)


def spoilt(sent: Sequence[bytes], lost: Iterable[int], late: Iterable[tuple[int, int]]) -> list[bytes]:
    """Some are missing, some come later, among others."""
    kept = [packet for place, packet in enumerate(sent) if place not in set(lost)]
    for place, by in late:
        if place < len(kept):
            kept.insert(min(len(kept) - 1, place + by), kept.pop(place))
    return kept


@pytest.mark.parametrize("codec", CODECS)
@given(LOSSES)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_lost_every_picture_is_one_that_was_sent(
    tmp_path: Path, codec: str, losses: tuple[set[int], list[tuple[int, int]]]
) -> None:
    frames = taken(codec, spoilt(list(packets(codec, COUNT)), *losses), every=10)
    assert decoded(tmp_path, codec, frames) == []


def test_without_the_wait_for_a_keyframe_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: frames are missing, and the measure tells, or the decoder does."""
    sent = list(packets("vp8", COUNT))
    lost = {place for place, packet in enumerate(sent) if 5 <= number_of_packet(packet) <= 8}
    assert decoded(tmp_path, "vp8", taken("vp8", spoilt(sent, lost, []))) == []
    monkeypatch.setattr(Depacketiser, "_give_up", lambda self: self._parts.clear())
    with suppress(av.InvalidDataError):
        assert decoded(tmp_path, "vp8", taken("vp8", spoilt(sent, lost, []))) != []


def test_without_reordering_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: packets are taken as they come, and the measure tells."""
    sent = list(packets("vp8", COUNT))
    late = [(place, 3) for place in range(30, 90, 7)]
    assert len(taken("vp8", spoilt(sent, (), late), every=10)) == COUNT
    monkeypatch.setitem(PATIENCE, "video", -1.0)
    assert len(taken("vp8", spoilt(sent, (), late), every=1)) < COUNT


def number_of_packet(packet: bytes) -> int:
    timestamp = int.from_bytes(packet[4:8], "big")
    return ((timestamp - 0xFFFF_F000) & 0xFFFF_FFFF) // (CLOCK // FRAMES_PER_SECOND)


def test_a_layer_that_is_left_in_the_middle_of_a_picture_leaves_no_part_of_one() -> None:
    """Numbers go on without a hole, yet the rest of the picture never comes."""
    sent = list(packets("vp8", COUNT))
    stream = Depacketiser("vp8")
    keyframe = next(place for place, packet in enumerate(sent) if number_of_packet(packet) == 20)
    assert not sent[0][1] & 0x80, "the first picture has several packets"
    number = int.from_bytes(sent[0][2:4], "big")
    again = [sent[0], *(packet for packet in sent[keyframe:])]
    for step, packet in enumerate(again):
        stream.take(packet[:2] + (number + step & 0xFFFF).to_bytes(2, "big") + packet[4:], 0.0)
    frames = stream.frames(0.0)
    assert number_of(frames[0]) == 20
    assert len(frames) == COUNT - 20


def test_what_waits_is_bounded_and_not_for_ever() -> None:
    stream = Depacketiser("vp8")
    sent = list(packets("vp8", COUNT))
    stream.take(sent[0], 0.0)
    for number in range(3 * MOST_WAITING):
        packet = bytearray(sent[1])
        packet[2:4] = (0xFFF0 + 2 + number & 0xFFFF).to_bytes(2, "big")
        stream.take(bytes(packet), 0.0)
    assert len(stream._waiting) <= MOST_WAITING
    assert stream.frames(PATIENCE["video"] + 1) == []
    assert stream._waiting == {}
    assert stream.broken


@pytest.mark.parametrize("codec", [*CODECS, "av1", "opus"])
@given(st.data())
@settings(max_examples=60)
def test_hostile_payloads_never_raise(codec: str, data: st.DataObject) -> None:
    stream = Depacketiser(codec)
    honest = list(packets(codec, 3)) if codec in CODECS else []
    payload = st.binary(max_size=60)
    for place in range(data.draw(st.integers(1, 12))):
        marker = data.draw(st.sampled_from([0, 0x80]))
        head = (
            bytes([0x80, marker | 96]) + place.to_bytes(2, "big") + bytes(3) + bytes([place // 3]) + bytes(4)
        )
        body = data.draw(payload)
        if honest and place % 2:
            spoil = bytearray(data.draw(st.sampled_from(honest))[12:])
            spoil[data.draw(st.integers(0, len(spoil) - 1))] = data.draw(st.integers(0, 255))
            body = bytes(spoil)[: data.draw(st.integers(0, len(spoil)))]
        stream.take(data.draw(st.sampled_from([head, b"", head[:5]])) + body, float(place))
        stream.frames(float(place))


@pytest.mark.parametrize("codec", ["h264", "vp9"])
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_headers_never_harm_the_muxer(
    tmp_path: Path, codec: str, spoils: list[tuple[int, int]]
) -> None:
    """They are written, left out, or refused as unfit."""
    frame = bytearray(pictures(codec, COUNT)[0].data)
    for place, value in spoils:
        frame[place] = value
    shown = Shown(codec, 320, 180)
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.{shown.suffix}"
    writer = Writer(path, shown)
    with suppress(Unfit):
        writer.write([Sample(bytes(frame), at, 0, True, True) for at in (0, 50)])
        assert writer.finish() > 0


def test_layers_of_vp9_are_one_picture() -> None:
    """Two frames with one time, and an index behind them (VP9 bitstream specification, annex B)."""
    first, second = pictures("vp9", COUNT)[:2]
    picture = joined.join("vp9", vp9_payloads(first) + vp9_payloads(second))
    mark = 0b110_11_001
    index = bytes(
        [mark, *len(first.data).to_bytes(4, "little"), *len(second.data).to_bytes(4, "little"), mark]
    )
    assert picture.data == first.data + second.data + index
    flexible = bytes([0x80 | 0x40 | 0x20 | 0x10 | 0x08 | 0x04 | 0x02, 5, 0x20, 0x03, 0x02])
    structure = bytes([0x18, *(320).to_bytes(2, "big"), *(180).to_bytes(2, "big"), 1, 0x04, 0x01])
    assert joined.join("vp9", [flexible + structure + first.data]).data == first.data


SEQUENCE = bytes([0x08, 0x00, 0x00, 0x00, 0x24, 0xC4, 0xFF, 0xDF, 0x00])
"""An AV1 sequence header OBU without its length."""


def test_pieces_of_av1() -> None:
    """One OBU in three packets, beside whole ones, with lengths and without."""
    tile = bytes([0x30]) + bytes(range(200))
    begins = bytes([0b0110_1000, len(SEQUENCE)]) + SEQUENCE + tile[:50]
    middle = bytes([0b1101_0000]) + tile[50:100]
    ends = bytes([0b1000_0000, 101]) + tile[100:] + bytes([2, 0x10, 0x00])
    picture = joined.join("av1", [begins, middle, ends])
    assert picture.data == bytes([0x0A, 8]) + SEQUENCE[1:] + bytes([0x32, 0xC8, 0x01]) + tile[1:]
    assert picture.size is not None
    for wrong in ([middle, ends], [begins, ends[:5]], [begins], [begins, begins], [bytes([0x10])]):
        with pytest.raises(Malformed):
            joined.join("av1", wrong)


@pytest.mark.parametrize(
    ("payload", "seconds"),
    [
        (b"\x00", 0.01),
        (b"\x18a", 0.06),
        (b"\x60", 0.01),
        (b"\x80", 0.0025),
        (b"\xfd", 0.04),
        (b"\xfb\x06", 0.12),
    ],
)
def test_how_long_sound_lasts(payload: bytes, seconds: float) -> None:
    assert sound.seconds(payload) == pytest.approx(seconds)


@pytest.mark.parametrize("payload", [b"", b"\xfb", b"\xfb\x00", b"\xfb\x07", b"\x1b\x03"])
def test_sound_that_is_none(payload: bytes) -> None:
    with pytest.raises(Malformed):
        sound.seconds(payload)


@pytest.mark.parametrize("size", [(320, 180), (322, 182), (1280, 720)])
def test_sizes(size: tuple[int, int]) -> None:
    for codec in CODECS:
        first: Encoded = pictures(codec, 1, *size)[0]
        found = {"vp8": sizes.vp8, "vp9": sizes.vp9, "h264": _h264_size}[codec](first.data)
        assert found == size


def _h264_size(data: bytes) -> tuple[int, int] | None:
    units = data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return sizes.h264(next(unit for unit in units if unit and unit[0] & 0x1F == 7))


def test_the_clock_follows_reports() -> None:
    clock = Clock(CLOCK)
    clock.begin(1000, 10.0)
    clock.report(1000, 9.9, 10.0)
    assert clock.place(1000, 10.0) == pytest.approx(9.9)
    clock.report(1000 + CLOCK, 10.8, 11.0)
    places = [clock.place(1000 + step * CLOCK // 10, 10.0 + step / 10) for step in range(1, 40)]
    steps = [b - a for a, b in pairwise(places)]
    assert all(0.09 < step < 0.11 for step in steps), "small errors are put right little by little"
    assert places[-1] == pytest.approx(9.9 + 3.9 - 0.1, abs=0.001)


def test_the_clock_believes_nothing_absurd() -> None:
    clock = Clock(CLOCK)
    assert clock.place(1000, 10.0) == 10.0
    clock.report(1000, 5000.0, 10.0)
    assert clock.place(1000 + CLOCK, 11.0) == pytest.approx(11.0)
    assert clock.place(1 << 40, 12.0) == 12.0
    stood_still = (1 << 40) + CLOCK // 50
    assert clock.place(stood_still, 15.0) == pytest.approx(15.0)
    clock.report(stood_still, 12.0, 14.0)
    assert clock.place(stood_still + CLOCK // 50, 15.02) == pytest.approx(15.02), "a report from before"
