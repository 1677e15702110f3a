"""Transport-wide feedback, read again by a reader of the test's own that follows the draft."""

import random
import struct

from hypothesis import given
from hypothesis import strategies as st

from signalling.media.embedded.feedback import Arrivals

TICK = 0.00025


def read(packet: bytes) -> tuple[int, int, dict[int, float]]:
    """The media's SSRC, the count, and when each packet came, in seconds; what is not there was lost."""
    # A receiver report of 8 bytes goes before.
    assert packet[:4] == bytes.fromhex("80c90001")
    first, kind, length = struct.unpack("!BBH", packet[8:12])
    assert (first & 0xDF, kind, len(packet)) == (0x8F, 205, 8 + 4 * (length + 1))
    body = packet[12 : len(packet) - (packet[-1] if first & 0x20 else 0)]
    _, ssrc, base, count, last = struct.unpack("!IIHHI", body[:16])
    time, at = (last >> 8) * 0.064, 16
    statuses: list[int] = []
    while len(statuses) < count:
        (chunk,) = struct.unpack("!H", body[at : at + 2])
        at += 2
        if chunk & 0x8000 == 0:
            statuses += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk & 0x4000:
            statuses += [chunk >> 12 - 2 * place & 3 for place in range(7)]
        else:
            statuses += [chunk >> 13 - place & 1 for place in range(14)]
    came = {}
    for step, status in enumerate(statuses[:count]):
        if status:
            size = "!B" if status == 1 else "!h"
            (delta,) = struct.unpack_from(size, body, at)
            at += struct.calcsize(size)
            time += delta * TICK
            came[base + step & 0xFFFF] = time
    assert at == len(body)
    return ssrc, last & 0xFF, came


@given(st.integers(0, 0xFFFF), st.randoms(use_true_random=False))
def test_what_came_is_told_and_what_did_not_is_told_to_be_lost(first: int, dice: random.Random) -> None:
    arrivals, told, sent = Arrivals(), {}, {}
    now, number = 1000.0, first
    for count in range(1, 6):
        for _ in range(dice.randint(1, 60)):
            now += min(1.0, dice.expovariate(200))
            number = number + 1 & 0xFFFF
            if dice.random() > 0.1:
                arrivals.take(number, now)
                sent[number] = now
        if not arrivals.due:
            continue
        ssrc, counted, came = read(arrivals.tell(42))
        assert ssrc == 42
        assert counted <= count
        told.update(came)
    assert told.keys() == sent.keys()
    assert all(abs(told[each] - sent[each]) <= 2 * TICK for each in sent)


def test_a_liar_makes_no_giant() -> None:
    """Numbers from all over, thousands of them: the feedback stays small."""
    arrivals, dice = Arrivals(), random.Random(4)
    for _ in range(50):
        for _ in range(5000):
            arrivals.take(dice.randrange(1 << 16), 1000.0 + dice.random() * 1e4)
        assert len(arrivals.tell(1)) < 1400
