"""Bad networks: packets are lost, come late and out of order, or nothing comes at all for a while."""

import asyncio
from itertools import pairwise

import pytest

from tests.signalling.media.bad_roads import heals, over_a_relay

FROZEN_SECONDS = 0.2
"""A picture that stands for longer than this is frozen: at 20 a second, what libwebrtc calls so."""


def frozen_share(times: list[float]) -> float:
    """Of the time between the first and the last picture."""
    frozen = sum(gap for earlier, later in pairwise(times) if (gap := later - earlier) > FROZEN_SECONDS)
    return frozen / (times[-1] - times[0])


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 7))])
async def test_loss_and_jitter_keep_picture_and_sound(seed: int) -> None:
    """5 % lost and up to 50 ms late in each direction: frozen less than a tenth of the time, and in tune."""
    async with over_a_relay(seed) as (_, relay, one, other):
        relay.weather.loss, relay.weather.jitter = 0.05, 0.05
        await asyncio.sleep(1)
        meter = other.meters[one.id, "camera"]
        began = len(meter.times)
        other.meters[one.id, "microphone"].forget_sound()
        await asyncio.sleep(10)
        assert relay.lost > 50
        assert frozen_share(meter.times[began:]) < 0.1
        assert len(meter.times) - began > 150
        assert abs(other.pitch(one) - one.tone) < 30


@pytest.mark.long
async def test_without_help_such_a_network_freezes_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: nothing is asked for again and nothing sent again, and the measure above tells."""
    monkeypatch.setattr("signalling.media.embedded.layer.Layer.to_ask_for", lambda *_: [])
    monkeypatch.setattr("signalling.media.embedded.downtrack.DownTrack.resend", lambda *_: None)
    async with over_a_relay(3) as (_, relay, one, other):
        relay.weather.loss, relay.weather.jitter = 0.05, 0.05
        await asyncio.sleep(1)
        meter = other.meters[one.id, "camera"]
        began = len(meter.times)
        await asyncio.sleep(10)
        assert len(meter.times) - began < 150 or frozen_share(meter.times[began:]) > 0.1


@pytest.mark.parametrize("seed", [4, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(5, 24))])
async def test_a_cut_of_five_seconds_heals_within_five(seed: int) -> None:
    async with over_a_relay(seed) as (_, relay, one, other):
        relay.weather.cut = True
        await asyncio.sleep(5)
        relay.weather.cut = False
        await heals(one, other, 5)
