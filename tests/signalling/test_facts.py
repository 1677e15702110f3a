"""The keeper of facts: nothing is dropped, renewals replace each other, and full means full."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from typing_extensions import override

from signalling import facts as module
from signalling.contracts.bus import BusUnavailable
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.calls import (
    CommandDone,
    EndCall,
    Fact,
    NodeAlive,
    ParticipantJoined,
    ParticipantQuality,
    ParticipantsPresent,
    StayQuality,
)
from signalling.facts import FactKeeper
from signalling.journal import Journal
from tests.signalling.world import World, get


def done() -> CommandDone:
    return CommandDone(node="n", command_id=uuid4(), at=datetime.now(UTC))


def present(call_id: UUID) -> ParticipantsPresent:
    return ParticipantsPresent(node="n", call_id=call_id, epoch=1, participant_ids=(), at=datetime.now(UTC))


def joined() -> ParticipantJoined:
    call, person, membership = uuid4(), uuid4(), uuid4()
    return ParticipantJoined(
        node="n", call_id=call, epoch=1, participant_id=person, membership_id=membership, at=datetime.now(UTC)
    )


def quality(participant_id: UUID, seconds: float) -> ParticipantQuality:
    measured = StayQuality(
        seconds=seconds, mean_score=5, worst_score=5, loss_up=0, loss_down=None, jitter=None,
        round_trip=None, bitrate_up=1, bitrate_down=1,
    )  # fmt: skip
    return ParticipantQuality(
        node="n", call_id=uuid4(), epoch=1, participant_id=participant_id, membership_id=uuid4(),
        at=datetime.now(UTC), quality=measured,
    )  # fmt: skip


class Recorder(MemoryBus):
    """A bus that notes what is published, and can be away."""

    def __init__(self) -> None:
        super().__init__(Exchange())
        self.published: list[Fact] = []
        self.away = False

    @override
    async def publish_fact(self, fact: Fact) -> None:
        if self.away:
            raise BusUnavailable
        self.published.append(fact)


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A keeper that is sending, and its bus."""
    monkeypatch.setattr(module, "RESEND_SECONDS", 0.05)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
    bus = Recorder()
    keeper = FactKeeper(bus, "n")
    task = asyncio.create_task(keeper.send())
    yield keeper, bus
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_facts_are_sent_again_until_committed(running: tuple[FactKeeper, Recorder]) -> None:
    keeper, bus = running
    keeper.keep(fact := done())
    await asyncio.sleep(0.01)
    assert bus.published == [fact]
    await asyncio.sleep(0.25)
    assert 2 <= len(bus.published) <= 4
    keeper.committed(fact.id)
    assert await keeper.settled(0)
    sent = len(bus.published)
    await asyncio.sleep(0.3)
    assert len(bus.published) == sent


async def test_a_bus_that_is_away_delays_and_loses_nothing(running: tuple[FactKeeper, Recorder]) -> None:
    keeper, bus = running
    bus.away = True
    kept = [done() for _ in range(3)]
    for fact in kept:
        keeper.keep(fact)
    await keeper.say(NodeAlive(node="n", url="ws://n", at=datetime.now(UTC)))
    await asyncio.sleep(0.05)
    assert bus.published == []
    bus.away = False
    await asyncio.sleep(0.05)
    assert bus.published[:3] == kept


async def test_a_renewal_takes_the_place_of_the_earlier_one() -> None:
    keeper = FactKeeper(Recorder(), "n")
    one, other = uuid4(), uuid4()
    for _ in range(5):
        keeper.keep(present(one))
    keeper.keep(last := present(other))
    keeper.keep(done())
    assert len(keeper) == 3
    keeper.committed(last.id)
    keeper.committed(uuid4())
    assert len(keeper) == 2


async def test_of_a_stays_quality_the_latest_is_kept_also_by_the_next_run(tmp_path: Path) -> None:
    keeper = FactKeeper(Recorder(), "n", Journal(tmp_path, "n"))
    keeper.recover()
    one, other = uuid4(), uuid4()
    for seconds in range(5):
        keeper.keep(quality(one, seconds))
    keeper.keep(last := quality(other, 9))
    assert len(keeper) == 2
    keeper.committed(last.id)
    keeper.close()
    again = FactKeeper(Recorder(), "n", Journal(tmp_path, "n"))
    again.recover()
    (kept,) = [each.fact for each in again._kept.values()]
    assert isinstance(kept, ParticipantQuality)
    assert (kept.participant_id, kept.quality.seconds) == (one, 4)
    again.close()


async def test_a_command_that_comes_again_and_again_has_one_answer(
    world: World, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While app cannot take facts in, it repeats what seems unanswered to it."""
    monkeypatch.setattr(world.node.facts, "_capacity", 5)
    world.app.commits = False
    command = EndCall(call_id=uuid4())
    for _ in range(20):
        await world.app.command(command)
    await world.app.wait_for(world.app.done)
    await asyncio.sleep(0.1)
    assert len(world.node.facts) == 1
    assert (await get(world, "/readyz"))[0] == 200
    await (await world.join(call_id)).pong()
    # When the answer has been taken in and the command comes nevertheless, it is answered anew.
    world.app.commits = True
    async with asyncio.timeout(5):
        while len(world.node.facts):
            await asyncio.sleep(0.01)
    await world.app.command(command)
    await world.app.wait_for(lambda: world.app.done() == [command.id] * 2)


async def test_a_full_keeper_says_so_and_still_takes_what_ends() -> None:
    keeper = FactKeeper(Recorder(), "n", capacity=2)
    facts = [done() for _ in range(3)]
    for fact in facts:
        keeper.keep(fact)
    assert keeper.full
    assert len(keeper) == 3
    assert not await keeper.settled(0.01)
    for fact in facts:
        keeper.committed(fact.id)
    assert not keeper.full


async def test_the_next_run_sends_what_was_not_committed(
    tmp_path: Path, running: tuple[FactKeeper, Recorder]
) -> None:
    first = FactKeeper(Recorder(), "n", Journal(tmp_path, "n"))
    first.recover()
    # A renewal is out of date; and a new process has to obey anew before it may say so.
    passing: list[Fact] = [present(uuid4()), done()]
    lasting: list[Fact] = [joined(), joined(), joined()]
    for fact in [*passing, *lasting]:
        first.keep(fact)
    await first.say(NodeAlive(node="n", url="ws://n", at=datetime.now(UTC)))
    first.committed(lasting[1].id)
    first.close()

    _, bus = running
    second = FactKeeper(bus, "n", Journal(tmp_path, "n"))
    second.recover()
    assert len(second) == 2
    assert not await second.settled(0)
    sending = asyncio.create_task(second.send())
    await asyncio.sleep(0.02)
    assert bus.published == [lasting[0], lasting[2]]
    for fact in bus.published[:2]:
        second.committed(fact.id)
    assert await second.settled(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    second.close()

    third = FactKeeper(Recorder(), "n", Journal(tmp_path, "n"))
    third.recover()
    assert await third.settled(0)
    third.close()
