"""Bad networks: packets are lost, come late and out of order, or nothing comes at all for a while."""

import asyncio
import random
from itertools import pairwise

import pytest
import webrtc
from typing_extensions import override

from tests.independent.synthetic import Source
from tests.signalling.media import members
from tests.signalling.media.bad_roads import heals, over_a_relay
from tests.signalling.media.caller import until
from tests.signalling.media.impairment import relayed

FROZEN_SECONDS = 0.2
"""A picture that stands for longer than this is frozen: at 20 a second, what libwebrtc calls so."""


def frozen_share(times: list[float]) -> float:
    """Of the time between the first and the last picture."""
    frozen = sum(gap for earlier, later in pairwise(times) if (gap := later - earlier) > FROZEN_SECONDS)
    return frozen / (times[-1] - times[0])


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 21))])
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


class Leaves(Source):
    """A picture of which every part moves: it takes all the bits that it may have."""

    GREY = bytes(100 + each % 16 for each in random.Random(1).randbytes(1 << 20))

    @override
    def _picture(self, number: int) -> webrtc.VideoFrame:
        width, height = self._size
        first = number * 7919 % (len(self.GREY) - width * height)
        init = webrtc.VideoFrameBufferInit(
            format="I420",
            coded_width=width,
            coded_height=height,
            timestamp=number * 1_000_000 // self._fps,
        )
        return webrtc.VideoFrame(
            self.GREY[first : first + width * height] + b"\x80" * (width * height // 2), init
        )


@pytest.mark.long
async def test_a_network_that_narrows_gets_smaller_pictures_and_larger_ones_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It carries a fifth of the largest layer for a while; soon after that all is as it was."""
    monkeypatch.setattr(members, "Source", Leaves)
    async with members.call() as meeting, relayed(meeting.address) as relay:
        one = await meeting.join()
        await one.send(simulcast=(960, 540))
        meeting.announce(f"127.0.0.1:{relay.port}")
        other = await meeting.join()
        await until(lambda: other.size(one) == (960, 540), seconds=10)
        await asyncio.sleep(8)
        relay.weather.bitrate = 300_000
        await until(lambda: other.size(one) == (240, 135), seconds=10)
        await asyncio.sleep(10)
        frames = other.frames(one)
        await asyncio.sleep(5)
        assert other.frames(one) - frames > 50, "it moves on"
        relay.weather.bitrate = None
        await until(lambda: other.size(one) == (960, 540), seconds=30)
