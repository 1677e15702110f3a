"""A stream as it comes in: what is missing, kept and reported. aiortc's statistics are the oracle."""

import random

from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from signalling.media.embedded.layer import KEPT, MOST_MISSING, Layer


def test_what_is_missing_is_asked_for_until_it_comes_or_is_of_no_use() -> None:
    layer = Layer("", 90_000)
    layer.bind(1)
    assert layer.take(65_534, 0, 100, 0.0) == (65_534, False)
    assert layer.take(1, 0, 100, 0.0) == (65_537, True)
    assert layer.to_ask_for(0.0, 0.1) == [65_535, 0]
    assert layer.to_ask_for(0.05, 0.1) == []
    assert layer.take(0, 0, 100, 0.06) == (65_536, False)
    assert layer.to_ask_for(0.11, 0.1) == [65_535]
    assert layer.to_ask_for(5.0, 0.1) == []
    assert layer.take(65_535, 0, 100, 5.0) is None, "nobody waits for it any more"


def test_what_comes_twice_counts_once() -> None:
    layer = Layer("", 90_000)
    layer.bind(1)
    assert [layer.take(number, 0, 100, 0.0) is None for number in (5, 6, 6, 5, 7)] == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_with_too_much_missing_only_a_keyframe_helps() -> None:
    layer = Layer("", 90_000)
    layer.bind(1)
    layer.take(0, 0, 100, 0.0)
    layer.take(30_000, 0, 100, 0.0)
    assert layer.hopeless
    assert layer.to_ask_for(0.0, 0.1) == []
    layer.take(30_000 + MOST_MISSING, 0, 100, 0.0)
    assert not layer.hopeless


def test_whatever_never_comes_takes_no_more_room() -> None:
    """Of sound nothing is asked for, so nothing is given up either."""
    layer = Layer("", 48_000)
    layer.bind(1)
    for number in range(0, 100_000, MOST_MISSING + 1):
        layer.take(number & 0xFFFF, 0, 100, 0.0)
    assert len(layer._missing) == MOST_MISSING


def test_the_newest_packets_are_kept() -> None:
    layer = Layer("", 90_000)
    for number in range(KEPT + 5):
        layer.keep(number, b"%d" % number)
    assert layer.kept(4) is None
    assert layer.kept(5) == b"5"
    assert layer.kept(KEPT + 4) == b"%d" % (KEPT + 4)


def test_a_new_ssrc_begins_anew() -> None:
    layer = Layer("", 90_000)
    layer.bind(1)
    layer.take(100, 0, 100, 0.0)
    layer.keep(100, b"old")
    layer.bind(2)
    assert layer.kept(100) is None
    assert layer.take(7, 0, 100, 0.0) == (7, False)
    report = layer.reception(1.0)
    assert report is not None
    assert (report.ssrc, report.packets_lost, report.highest_sequence) == (2, 0, 7)


@given(st.integers(0, 0xFFFF), st.randoms(use_true_random=False))
def test_reception_is_reported_as_aiortc_would(first: int, dice: random.Random) -> None:
    """Lost, fraction and highest number, for whatever loss and disorder."""
    layer, oracle = Layer("", 90_000), StreamStatistics(clockrate=90_000)
    layer.bind(1)
    sent = [number for number in range(300) if number == 0 or dice.random() > 0.1]
    for at in range(1, len(sent) - 1):
        if dice.random() < 0.1:
            sent[at], sent[at + 1] = sent[at + 1], sent[at]
    for step, number in enumerate(sent):
        sequence_number = (first + number) & 0xFFFF
        layer.take(sequence_number, number * 3000, 100, step * 0.033)
        oracle.add(RtpPacket(sequence_number=sequence_number, timestamp=number * 3000))
        if step in (50, 200, len(sent) - 1):
            report = layer.reception(step * 0.033)
            assert report is not None
            assert report.packets_lost == max(0, oracle.packets_lost)
            assert report.fraction_lost == oracle.fraction_lost
            assert report.highest_sequence & 0xFFFF == oracle.max_seq
