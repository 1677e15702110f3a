"""Sharing a network out, and finding out what it carries, against a network that is made up."""

import random
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.media.embedded import bandwidth
from signalling.media.embedded.bandwidth import OVERDRAFT, Demand, Estimate, allocate, hold, try_more
from signalling.media.embedded.speakers import SILENCE, Speakers

LADDER = (100_000.0, 400_000.0, 1_200_000.0)


@given(
    st.lists(st.tuples(st.integers(-1, 2), st.floats(0.1, 10), st.integers(-1, 2)), min_size=1, max_size=12),
    st.floats(0, 1e7),
)
def test_nothing_is_shared_out_twice_and_nobody_goes_without_while_others_have_plenty(
    wishes: list[tuple[int, float, int]], bitrate: float
) -> None:
    demands = [Demand(LADDER, most, weight, current) for most, weight, current in wishes]
    allocate(demands, bitrate)
    used = sum(LADDER[each.granted] for each in demands if each.granted >= 0)
    least = sum(LADDER[0] for each in demands if each.granted >= 0)
    assert used <= max(bitrate, least)
    assert least <= bitrate * (1 + OVERDRAFT)
    assert all(each.granted <= each.most for each in demands)
    left = bitrate - used
    for each in demands:
        if each.granted < 0 <= each.most:
            assert left < LADDER[0]
            assert all(other.granted <= 0 for other in demands), "first something for everybody"
    hold(demands)
    assert all(each.granted >= min(each.current, each.most) for each in demands)


Receiver = Callable[[float, float], float]
"""What it reports, given what is sent and what the network carries; asked four times a second."""


def quick(sent: float, capacity: float) -> float:
    """Believes in half as much again as it gets, but in no more than there is."""
    return min(capacity, 1.5 * sent + 10_000) if sent else capacity


class Slow:
    """As libwebrtc's: what it believes in falls at once, and grows by 8 % a second at most."""

    def __init__(self) -> None:
        self.bitrate = 3_000_000.0

    def __call__(self, sent: float, capacity: float) -> float:
        arrives = min(sent, capacity)
        if sent > capacity:
            self.bitrate = min(self.bitrate, 0.85 * arrives)
        elif self.bitrate < 1.5 * arrives + 10_000:
            self.bitrate *= 1.08**0.25
        return self.bitrate


def network(capacity: float, seconds: int, ladder: tuple[float, ...] = LADDER) -> list[int]:
    """One picture over a network of that capacity: the layer sent in each quarter of a second."""
    return over([capacity] * seconds, quick, ladder)


def over(capacities: Sequence[float], receiver: Receiver, ladder: tuple[float, ...] = LADDER) -> list[int]:
    """The same where the network carries so much in each second."""
    estimate, current, sent, layers = Estimate(), -1, 0.0, []
    for tick in range(len(capacities) * 4):
        now, capacity = tick / 4, capacities[tick // 4]
        estimate.reported(receiver(sent, capacity))
        lost = max(0.0, 1 - capacity / sent) if sent else 0.0
        too_much = estimate.update(sent, lost, int(sent / 4 / 8000), now)
        demand = Demand(ladder, len(ladder) - 1, 1.0, current)
        allocate([demand], estimate.bitrate)
        if not too_much:
            hold([demand])
            if estimate.may_try(now) and try_more([demand]):
                estimate.trying(now)
        current = demand.granted
        sent = ladder[current] if current >= 0 else 0.0
        layers.append(current)
    return layers


def test_it_finds_the_largest_layer_that_fits_and_stays() -> None:
    assert network(5_000_000, 30)[40:] == [2] * 80
    assert set(network(300_000, 240)[-120:]) <= {0, 1}
    small = network(300_000, 240)
    assert small.count(1) < len(small) * 0.1, "what does not fit is tried ever more seldom"
    assert set(network(50_000, 60)[8:]) <= {-1, 0}


def test_it_recovers_when_the_network_does() -> None:
    estimate = Estimate()
    for tick in range(40):
        estimate.reported(100_000)
        estimate.update(1_200_000, 0.5, 40, tick / 4)
    assert estimate.bitrate < 110_000
    assert not estimate.may_try(10.0)
    for tick in range(40, 60):
        estimate.reported(3_000_000)
        estimate.update(100_000, 0.0, 40, tick / 4)
    assert estimate.bitrate == 3_000_000
    assert estimate.may_try(15.0)


def dips() -> list[int]:
    """The layers over a network that carries less than the middle one for a while, with a slow receiver."""
    return over([3_000_000.0] * 10 + [300_000.0] * 20 + [3_000_000.0] * 40, Slow())


def test_after_a_dip_it_gives_a_slow_receiver_the_time_to_believe_in_more() -> None:
    layers = dips()
    assert set(layers[20:40]) == {2}
    assert set(layers[60:120]) <= {0, 1}
    assert set(layers[-60:]) == {2}, "25 seconds later all is as it was"


def test_without_patience_it_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what a trial shows lags behind, and whoever does not wait learns nothing from it."""
    monkeypatch.setattr(bandwidth, "GROWTH_SECONDS", 0.0)
    assert 2 not in dips()[-60:]


def test_estimates_of_single_streams_add_up_and_one_of_all_replaces_them() -> None:
    estimate = Estimate()
    for ssrc in (1, 2, 3):
        estimate.reported(300_000, frozenset({ssrc}))
    estimate.update(0, 0, 0, 0.0)
    assert estimate.bitrate == 900_000
    estimate.reported(100_000, frozenset({2}))
    estimate.update(0, 0, 0, 1.0)
    assert estimate.bitrate == 700_000
    estimate.reported(450_000, frozenset({1, 2, 3, 4}))
    estimate.update(0, 0, 0, 2.0)
    assert estimate.bitrate == 450_000


A, B, C = (UUID(int=number) for number in (1, 2, 3))


def talk(speakers: Speakers, levels: dict[UUID, int], seconds: float, begun: float) -> float:
    for step in range(int(seconds * 20)):
        speakers.update(levels, begun + step / 20)
    return begun + seconds


def test_the_dominant_speaker_goes_first_and_silence_is_nobody() -> None:
    speakers = Speakers()
    now = talk(speakers, {A: 30, B: 90, C: 127}, 1, 0.0)
    assert list(speakers.now) == list((A,))
    now = talk(speakers, {A: 30, B: 28, C: 127}, 1, now)
    assert list(speakers.now) == list((A, B)), (
        "who spoke already keeps the floor until somebody is clearly louder"
    )
    now = talk(speakers, {A: 45, B: 20, C: 127}, 2, now)
    assert list(speakers.now) == list((B, A))
    now = talk(speakers, dict.fromkeys((A, B, C), SILENCE), 2, now)
    assert not speakers.now
    talk(speakers, {B: 20}, 1, now)
    speakers.update({}, now + 1)
    assert not speakers.now, "who is gone does not speak"


def test_a_cough_is_no_speech() -> None:
    speakers, dice = Speakers(), random.Random(1)
    for step in range(200):
        level = 20 if step % 40 == 0 else 80 + dice.randrange(40)
        speakers.update({A: level}, step / 20)
        assert not speakers.now
