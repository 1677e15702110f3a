"""Bad networks: packets are lost, come late and out of order, or nothing comes at all for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from tests.signalling.media.caller import until
from tests.signalling.media.impairment import Relay, relayed
from tests.signalling.media.members import Call, Member, call

FROZEN_SECONDS = 0.2
"""A picture that stands for longer than this is frozen: at 20 a second, what libwebrtc calls so."""


@asynccontextmanager
async def over_a_relay(seed: int) -> AsyncIterator[tuple[Call, Relay, Member, Member]]:
    """Somebody who sends and somebody who receives, both over one bad network."""
    async with call() as meeting, relayed(meeting.address, seed) as relay:
        meeting.announce(f"127.0.0.1:{relay.port}")
        one, other = await meeting.join(500.0), await meeting.join()
        await one.send()
        await until(lambda: other.frames(one) > 20, seconds=10)
        yield meeting, relay, one, other


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
        frames = other.frames(one)
        relay.weather.cut = False
        other.meters[one.id, "microphone"].forget_sound()
        await until(lambda: other.frames(one) > frames + 10, seconds=5)
        await until(lambda: abs(other.pitch(one) - one.tone) < 30, seconds=5)
