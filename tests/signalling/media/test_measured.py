"""What the engine measures of real stacks, on good and bad networks; here it looks every second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signalling.protocol.parts import Figures
from tests.signalling.media.caller import until
from tests.signalling.media.impairment import relayed
from tests.signalling.media.members import Call, Member, call


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalling.media.embedded.meter.SECONDS", 1.0)


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Call, Member, Member]]:
    """Two people who send and receive; both have been measured."""
    async with call() as meeting:
        one, other = await meeting.join(500.0), await meeting.join()
        for member in (one, other):
            await member.send()
        await until(lambda: one.frames(other) > 5 and other.frames(one) > 5, seconds=15)
        yield meeting, one, other


def figures(member: Member) -> list[Figures]:
    """What somebody was told of their own connection."""
    return [each.own for each in member.qualities if each.own is not None]


def scores(member: Member, of: Member) -> list[int]:
    """What somebody was told of somebody's score."""
    return [each.score for told in member.qualities for each in told.scores if each.participant_id == of.id]


async def test_a_good_network_is_told_to_be_good() -> None:
    async with two() as (meeting, one, other):
        await until(lambda: len(figures(one)) > 5 and figures(one)[-1].round_trip is not None, seconds=15)
        for member, else_ in ((one, other), (other, one)):
            assert scores(member, member)[-1] == scores(else_, member)[-1] == 5
        own = figures(one)[-1]
        assert own.loss_up == 0
        assert own.round_trip is not None
        assert own.round_trip < 200
        assert own.bitrate_up > 50
        assert own.bitrate_down > 50
        assert [(each.source, each.layers) for each in own.sending] == [("camera", 1)]
        (seen,) = own.receiving
        assert (seen.participant_id, seen.source, seen.layer, seen.layers) == (other.id, "camera", 1, 1)
        late = await meeting.join()
        await until(lambda: bool(late.qualities), seconds=1)
        assert {each.participant_id: each.score for each in late.qualities[0].scores} == {
            one.id: 5,
            other.id: 5,
        }
        assert late.qualities[0].own is None
        stay = meeting.engine.measured(meeting.id, one.id)
        assert stay is not None
        assert stay.mean_score > 4.5
        assert stay.seconds > 3


@pytest.mark.long
async def test_a_bad_network_shows_in_the_score_of_whose_it_is() -> None:
    """Both of the sender's connections lose a third; the other one's network is good."""
    async with call() as meeting:
        good = await meeting.join()
        await good.send()
        async with relayed(meeting.address, 7) as relay:
            meeting.announce(f"127.0.0.1:{relay.port}")
            bad = await meeting.join(500.0)
            await bad.send()
            await until(lambda: good.frames(bad) > 5 and bad.frames(good) > 5, seconds=15)
            await until(lambda: scores(good, bad)[-1:] == [5], seconds=10)
            relay.weather.loss = 0.33
            await until(lambda: scores(good, bad)[-1] <= 3, seconds=20)
            assert max((each.loss_up or 0) for each in figures(bad)) > 0.02
            assert scores(bad, good)[-1] >= 4, f"whose network is good has no bad score: {figures(good)[-3:]}"
            relay.weather.loss = 0
            await until(lambda: scores(good, bad)[-1] >= 4, seconds=20)
            stay = meeting.engine.measured(meeting.id, bad.id)
            assert stay is not None
            assert stay.worst_score < 3.6
            assert stay.worst_score < stay.mean_score


async def test_a_network_that_is_gone_has_the_lowest_score() -> None:
    async with call() as meeting:
        good = await meeting.join()
        await good.send()
        async with relayed(meeting.address, 7) as relay:
            meeting.announce(f"127.0.0.1:{relay.port}")
            bad = await meeting.join(500.0)
            await bad.send()
            await until(lambda: scores(good, bad)[-1:] == [5], seconds=15)
            relay.weather.cut = True
            await until(lambda: scores(good, bad)[-1] == 1, seconds=10)
            assert scores(good, good)[-1] >= 4


async def test_who_is_muted_is_not_blamed_for_it() -> None:
    async with two() as (_, one, other):
        await until(lambda: scores(other, one) == [5], seconds=10)
        await one.mute("microphone", "camera")
        await asyncio.sleep(3)
        assert scores(other, one) == [5]
        assert scores(other, other) == [5]
        assert figures(one)[-1].sending == ()


async def test_nobody_hears_of_anothers_figures() -> None:
    async with two() as (_, one, other):
        await until(lambda: bool(figures(one) and figures(other)), seconds=10)
        for member, else_ in ((one, other), (other, one)):
            assert all(
                each.receiving[0].participant_id == else_.id for each in figures(member) if each.receiving
            )


async def test_where_nothing_flows_nothing_is_told() -> None:
    async with call() as meeting:
        alone = await meeting.join()
        await asyncio.sleep(2.5)
        assert alone.qualities == []
        assert meeting.engine.measured(meeting.id, alone.id) is None
