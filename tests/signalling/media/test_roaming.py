"""Clients that come to another network in mid-call, in network namespaces of their own."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.signalling.media.bad_roads import heals, over_a_relay
from tests.signalling.media.caller import until
from tests.signalling.media.distant import Distant, Heard, distant
from tests.signalling.media.members import call
from tests.signalling.media.networks import Link, internet

pytestmark = pytest.mark.slow

SECONDS = 5.0
"""So soon picture and sound are to be back."""
PATIENCE_SECONDS = 10.0
"""And so soon if the client does nothing but what libwebrtc does by itself."""
PICTURES = 15
"""More than could have been on their way when the network was lost."""
MEASURING_SECONDS = 1.25
"""So long it takes to see that many, at 20 a second, and then to hear half a second of sound."""
LOSSES: list[Callable[[Link], None]] = [Link.down, Link.forget_address, Link.lose_carrier, Link.swallow]


@dataclass(frozen=True, slots=True)
class Scene:
    """Somebody who roams and somebody who stays; each sends to the other."""

    roamer: Distant
    stayer: Distant
    wifi: Link
    mobile: Link

    def in_use(self) -> list[Link]:
        """Over which of the links `publish` runs, and over which `subscribe`."""
        by_address = {link.address: link for link in (self.wifi, self.mobile)}
        return [by_address[host] for host, _ in self.roamer.call.destinations(self.roamer.id)]

    def heard(self) -> tuple[Heard, Heard]:
        """What has come to each of them."""
        return self.roamer.of(self.stayer), self.stayer.of(self.roamer)

    async def goes_on(self, seconds: float) -> None:
        """Wait until both see and hear each other anew. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds + MEASURING_SECONDS):
            before = self.heard()
            await until(lambda: _moved(before, self.heard()), seconds + MEASURING_SECONDS)
            before = self.heard()
            await until(lambda: self._in_tune(before), seconds + MEASURING_SECONDS)

    def _in_tune(self, before: tuple[Heard, Heard]) -> bool:
        tones = (self.stayer.tone, self.roamer.tone)
        return all(map(Heard.is_in_tune, self.heard(), before, tones))


def _moved(before: tuple[Heard, Heard], now: tuple[Heard, Heard]) -> bool:
    return all(later.moved >= earlier.moved + PICTURES for earlier, later in zip(before, now, strict=True))


@asynccontextmanager
async def scene(*, prepared: bool) -> AsyncIterator[Scene]:
    """A call over Wi-Fi; `prepared`: the mobile network is there from the beginning, too."""
    with internet() as net:
        here, (wifi, mobile) = net.place("wifi", "mobile")
        there, (wire,) = net.place("wire")
        for link in (wifi, mobile, wire) if prepared else (wifi, wire):
            link.up()
        async with (
            call(net.server) as meeting,
            distant(meeting, there, 700.0) as stayer,
            distant(meeting, here, 500.0) as roamer,
        ):
            made = Scene(roamer, stayer, wifi, mobile)
            await made.goes_on(60)
            yield made


def many(first: int) -> pytest.MarkDecorator:
    """Twenty seeds, of which all but the first are for `make crash`."""
    seeds = range(first, first + 20)
    return pytest.mark.parametrize(
        "seed", [first, *(pytest.param(seed, marks=pytest.mark.long) for seed in seeds[1:])]
    )


async def _later(dice: random.Random) -> None:
    """Some moment of the call."""
    await asyncio.sleep(dice.uniform(0, 1))


@many(0)
async def test_media_follow_a_client_that_nominates_another_network(seed: int) -> None:
    """It checks both networks, and leaves the one that has fallen silent in its own time, six seconds."""
    async with scene(prepared=True) as here:
        await _later(random.Random(seed))
        lost = here.in_use()[seed // len(LOSSES) % 2]
        lose = LOSSES[seed % len(LOSSES)]
        lose(lost)
        async with asyncio.timeout(PATIENCE_SECONDS + MEASURING_SECONDS):
            await here.goes_on(PATIENCE_SECONDS)
            assert here.in_use()[1] != lost, "what comes to the client does not come over it"
            if lose is Link.swallow:
                # Nothing that `publish` sends is lost: it leaves by itself, within the same time.
                await until(lambda: lost not in here.in_use(), PATIENCE_SECONDS)
        assert lost not in here.in_use()


@many(100)
async def test_media_follow_a_client_that_restarts_ice(seed: int) -> None:
    """The other network is there only after the first one is lost: nothing but a restart helps."""
    async with scene(prepared=False) as here:
        await _later(random.Random(seed))
        LOSSES[seed % len(LOSSES)](here.wifi)
        here.mobile.up()
        here.roamer.task("restart")
        await here.goes_on(SECONDS)
        assert here.in_use() == [here.mobile, here.mobile]


@pytest.mark.long
async def test_media_follow_a_client_that_begins_anew() -> None:
    """Where no restart helps, the next generation of both connections does."""
    async with scene(prepared=False) as here:
        here.wifi.down()
        here.mobile.up()
        here.roamer.task("begin_anew")
        await here.goes_on(SECONDS)
        assert here.in_use() == [here.mobile, here.mobile]


@many(200)
async def test_media_follow_a_client_whose_nat_forgets_it(seed: int) -> None:
    """Both are suddenly seen at other addresses, which are sent nothing before a check has come."""
    async with over_a_relay(seed) as (_, relay, one, other):
        await _later(random.Random(seed))
        relay.weather.checks = False
        await relay.rebind("127.0.0.2")
        await asyncio.sleep(1)
        assert relay.sent["127.0.0.2"] > 20, "it is their sound and picture that come from there"
        assert relay.returned["127.0.0.2"] == 0
        relay.weather.checks = True
        await heals(one, other, SECONDS)
        assert relay.returned["127.0.0.2"] > 20


async def test_without_a_check_nothing_goes_to_where_a_client_has_gone() -> None:
    """The control: whatever else comes from there, media do not follow."""
    async with over_a_relay(1) as (_, relay, one, other):
        relay.weather.checks = False
        await relay.rebind("127.0.0.2")
        with pytest.raises(TimeoutError):
            await heals(one, other, SECONDS)
        assert relay.returned["127.0.0.2"] == 0


@pytest.mark.long
async def test_without_another_network_nothing_comes_back() -> None:
    """The control: the measure above tells."""
    async with scene(prepared=False) as here:
        here.wifi.down()
        here.roamer.task("restart")
        with pytest.raises(TimeoutError):
            await here.goes_on(SECONDS)
