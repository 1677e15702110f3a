"""Events over real sockets: who hears them, in which order, and what waits for what."""

import asyncio
import json
import time
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from signalling.contracts.calls import RosterChanged
from signalling.events import delivery, rosters
from signalling.protocol.order import WINDOW_SECONDS
from tests.signalling.world import NODE, Ear, World


@pytest.fixture
async def ear(world: World) -> Ear:
    """Somebody who listens."""
    return await world.listen()


@pytest.fixture
def stream(world: World, ear: Ear) -> UUID:
    """A stream that they hear."""
    stream = uuid4()
    world.app.door.let_hear(stream, ear.account_id)
    return stream


@pytest.fixture
async def others(world: World) -> tuple[Ear, Ear]:
    """Two more."""
    return await world.listen(), await world.listen()


async def asked(world: World, times: int) -> None:
    """Wait until the node has asked so often about streams."""
    async with asyncio.timeout(5):
        while len([ask for ask in world.app.door.asks if ask.streams]) < times:
            await asyncio.sleep(0.005)


async def settled(world: World) -> None:
    """Wait until no event waits for a roster any more."""
    async with asyncio.timeout(5):
        while world.node.events.delivery._waiting:
            await asyncio.sleep(0.005)


# Who hears


async def test_an_event_reaches_its_hearers_and_nobody_else(
    world: World, ear: Ear, stream: UUID, others: tuple[Ear, Ear]
) -> None:
    assert ear.welcome["live"] is True
    second_device = await world.listen(ear.account_id)
    await world.app.say(world.app.next_event(stream, data={"id": "x"}))
    event = {"epoch": "one", "seq": 1, "kind": "message.posted", "data": {"id": "x"}}
    assert await ear.next() == {"type": "event", "stream": str(stream), **event}
    assert await second_device.seqs(1) == [1]
    for other in others:
        await other.nothing()
    await world.app.say(world.app.next_event(stream))
    assert await ear.seqs(1) == [2]
    assert len(world.app.door.asks) == 1


async def test_a_stream_that_nobody_hears_here_leaves_nothing_behind(world: World, ear: Ear) -> None:
    streams = [uuid4() for _ in range(700)]
    for stream in streams:
        world.app.door.let_hear(stream, uuid4())
    await world.app.say(*[world.app.next_event(stream) for stream in streams])
    await asked(world, 2)
    async with asyncio.timeout(5):
        while len(world.node.events.rosters) < 700:
            await asyncio.sleep(0.005)
    await ear.nothing()
    assert not world.node.events.delivery._streams
    assert all(len(ask.streams) <= 500 for ask in world.app.door.asks)


async def test_with_no_socket_at_all_nothing_is_asked(world: World) -> None:
    await world.app.say(world.app.next_event(uuid4()))
    await asyncio.sleep(0.1)
    assert world.app.door.asks == []


async def test_rosters_are_forgotten_when_there_are_too_many(
    world: World, ear: Ear, stream: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "MOST_ROSTERS", 3)
    others = [uuid4() for _ in range(5)]
    for other in others:
        world.app.door.let_hear(other, ear.account_id)
    await world.app.say(world.app.next_event(stream))
    assert await ear.seqs(1) == [1]
    await world.app.say(*[world.app.next_event(other) for other in others])
    await ear.seqs(5)
    assert len(world.node.events.rosters) == 3
    asks = len(world.app.door.asks)
    await world.app.say(world.app.next_event(stream))
    assert await ear.seqs(1) == [2]
    assert len(world.app.door.asks) == asks + 1


async def test_large_rosters_count_for_more(world: World, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "MOST_MEMBERS", 25)
    for _ in range(4):
        stream = uuid4()
        world.app.door.let_hear(stream, ear.account_id, *[uuid4() for _ in range(9)])
        await world.app.say(world.app.next_event(stream))
        await ear.seqs(1)
    assert len(world.node.events.rosters) == 2
    assert world.node.events.rosters._members == 20


# In which order


async def test_what_overtook_is_put_in_order(world: World, ear: Ear, stream: UUID) -> None:
    events = [world.app.next_event(stream) for _ in range(5)]
    await world.app.say(events[0])
    await ear.seqs(1)
    for place in (2, 1, 4, 3):
        await world.app.say(events[place])
    assert await ear.seqs(4) == [2, 3, 4, 5]


async def test_what_comes_twice_is_told_once(world: World, ear: Ear, stream: UUID) -> None:
    events = [world.app.next_event(stream) for _ in range(3)]
    await world.app.say(events[0], events[0], events[1], events[0], events[1], events[2], events[2])
    assert await ear.seqs(3) == [1, 2, 3]
    await ear.nothing()


async def test_a_hole_is_passed_over_after_a_moment_and_the_late_one_is_told(
    world: World, ear: Ear, stream: UUID
) -> None:
    events = [world.app.next_event(stream) for _ in range(4)]
    await world.app.say(events[0])
    await ear.seqs(1)
    await world.app.say(events[2], events[3])
    started = time.monotonic()
    assert await ear.seqs(2) == [3, 4]
    assert WINDOW_SECONDS * 0.5 < time.monotonic() - started < WINDOW_SECONDS + 0.3
    await world.app.say(events[1], events[1])
    assert await ear.seqs(1) == [2]
    await ear.nothing()


async def test_one_stream_does_not_wait_for_another(world: World, ear: Ear, stream: UUID) -> None:
    other = uuid4()
    world.app.door.let_hear(other, ear.account_id)
    await world.app.say(world.app.next_event(stream), world.app.next_event(other))
    await ear.seqs(2)
    await world.app.say(world.app.next_event(stream, seq=3), world.app.next_event(other, seq=2))
    assert [(await ear.next("event"))["stream"] for _ in range(2)] == [str(other), str(stream)]


async def test_numbers_that_begin_anew_are_told_at_once(world: World, ear: Ear, stream: UUID) -> None:
    """After a restored backup also the rosters may be others, with smaller versions."""
    for _ in range(3):
        world.app.door.let_hear(stream, ear.account_id)
    await world.app.say(*[world.app.next_event(stream) for _ in range(3)])
    await ear.seqs(3)
    del world.app.door.rosters[stream]
    world.app.door.let_hear(stream, uuid4())
    await world.app.say(world.app.next_event(stream, epoch="two", seq=1))
    await asked(world, 2)
    await settled(world)
    await ear.nothing()
    del world.app.door.rosters[stream]
    world.app.door.let_hear(stream, ear.account_id)
    world.app.door.let_hear(stream, ear.account_id)
    await world.app.say(world.app.next_event(stream, epoch="two", seq=2))
    event = await ear.next("event")
    assert (event["epoch"], event["seq"]) == ("two", 2)


# Rosters that change


async def test_an_event_of_a_newer_roster_waits_for_it(
    world: World, ear: Ear, stream: UUID, others: tuple[Ear, Ear]
) -> None:
    new, _ = others
    await world.app.say(world.app.next_event(stream))
    await ear.seqs(1)
    world.app.door.let_hear(stream, new.account_id)
    await world.app.say(world.app.next_event(stream))
    assert await new.seqs(1) == [2]
    await ear.nothing()


async def test_whoever_is_removed_hears_nothing_from_then_on(
    world: World, ear: Ear, stream: UUID, others: tuple[Ear, Ear]
) -> None:
    """Also not what was numbered before, and reaches this node only afterwards."""
    stays, _ = others
    world.app.door.let_hear(stream, ear.account_id, stays.account_id)
    first, second, third = (world.app.next_event(stream) for _ in range(3))
    await world.app.say(first)
    await ear.seqs(1)
    await stays.seqs(1)
    world.app.door.let_hear(stream, stays.account_id)
    command = RosterChanged(stream=stream, version=3)
    await world.app.command(command)
    await world.app.wait_for(lambda: command.id in world.app.done())
    await world.app.say(second, third)
    assert await stays.seqs(2) == [2, 3]
    await ear.nothing()


async def test_a_node_that_is_deaf_to_changes_would_leak(
    world: World, ear: Ear, stream: UUID, others: tuple[Ear, Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    world.app.door.let_hear(stream, ear.account_id, others[0].account_id)
    first, second = (world.app.next_event(stream) for _ in range(2))
    await world.app.say(first)
    await ear.seqs(1)
    monkeypatch.setattr(world.node.events.rosters, "forget", lambda *_: None)
    world.app.door.let_hear(stream, others[0].account_id)
    command = RosterChanged(stream=stream, version=3)
    await world.app.command(command)
    await world.app.wait_for(lambda: command.id in world.app.done())
    await world.app.say(second)
    assert await ear.seqs(1) == [2]


async def test_an_answer_from_before_the_change_is_not_believed(
    world: World, ear: Ear, stream: UUID, others: tuple[Ear, Ear]
) -> None:
    """The roster changes while app's answer is on its way."""
    stays, _ = others
    door = world.app.door
    door.answers.clear()
    await world.app.say(world.app.next_event(stream))
    await asked(world, 1)
    door.let_hear(stream, stays.account_id)
    command = RosterChanged(stream=stream, version=2)
    await world.app.command(command)
    await world.app.wait_for(lambda: command.id in world.app.done())
    door.answers.set()
    assert await stays.seqs(1) == [1]
    await ear.nothing()
    assert len(door.asks) == 2


async def test_a_roster_older_than_the_event_is_asked_for_again(world: World, ear: Ear, stream: UUID) -> None:
    await world.app.say(world.app.next_event(stream, roster_version=2))
    await asked(world, 2)
    await ear.nothing()
    world.app.door.let_hear(stream, ear.account_id)
    assert await ear.seqs(1) == [1]


async def test_while_app_does_not_answer_the_events_wait_in_order(
    world: World, ear: Ear, stream: UUID
) -> None:
    world.app.door.fails = True
    await world.app.say(*[world.app.next_event(stream) for _ in range(3)])
    await asyncio.sleep(0.1)
    await world.app.say(world.app.next_event(stream))
    await ear.nothing()
    world.app.door.fails = False
    assert await ear.seqs(4) == [1, 2, 3, 4]


async def test_when_app_does_not_answer_for_long_everybody_syncs(
    world: World, ear: Ear, stream: UUID, others: tuple[Ear, Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "UNANSWERED_SECONDS", 0.2)
    world.app.door.fails = True
    await world.app.say(world.app.next_event(stream))
    for someone in (ear, *others):
        await someone.next("sync")
    assert world.node.events.delivery._waiting == 0
    world.app.door.fails = False
    await world.app.say(world.app.next_event(stream))
    assert await ear.seqs(1) == [2]


@pytest.mark.parametrize("limit", ["MOST_WAITING_OF_STREAM", "MOST_WAITING"])
async def test_what_waits_is_bounded(
    world: World, ear: Ear, stream: UUID, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, limit, 10)
    world.app.door.fails = True
    await world.app.say(*[world.app.next_event(stream) for _ in range(10)])
    await ear.nothing()
    await world.app.say(world.app.next_event(stream))
    await ear.next("sync")
    assert world.node.events.delivery._waiting == 0


async def test_whoever_comes_later_hears_from_then_on(world: World, stream: UUID, ear: Ear) -> None:
    """The sockets of a roster are found anew whenever one comes or goes."""
    await world.app.say(world.app.next_event(stream))
    await ear.seqs(1)
    again = await world.listen(ear.account_id)
    await world.app.say(world.app.next_event(stream))
    assert await again.seqs(1) == await ear.seqs(1) == [2]
    await ear.socket.close()
    await world.app.say(world.app.next_event(stream))
    assert await again.seqs(1) == [3]


# People who are kept apart


async def test_whoever_is_kept_apart_gets_the_number_only(
    world: World, ear: Ear, others: tuple[Ear, Ear]
) -> None:
    stream, (blocker, third) = uuid4(), others
    everybody = (ear.account_id, blocker.account_id, third.account_id)
    world.app.door.let_hear(stream, *everybody, apart=((blocker.account_id, ear.account_id),))
    await world.app.say(
        world.app.next_event(stream, by=ear.account_id, data={"text": "secret"}),
        world.app.next_event(stream, by=third.account_id, data={"text": "for all"}),
        world.app.next_event(stream, by=blocker.account_id, data={"text": "secret"}),
        world.app.next_event(stream, data={"text": "for all"}),
    )
    heard = {
        someone.account_id: [await someone.next("event") for _ in range(4)]
        for someone in (ear, blocker, third)
    }
    hidden = {"type": "event", "stream": str(stream), "epoch": "one", "kind": "hidden", "data": {}}
    assert heard[blocker.account_id][0] == {**hidden, "seq": 1}
    assert heard[ear.account_id][2] == {**hidden, "seq": 3}
    shown = {
        account: [event["seq"] for event in events if event["kind"] != "hidden"]
        for account, events in heard.items()
    }
    assert shown == {ear.account_id: [1, 2, 4], blocker.account_id: [2, 3, 4], third.account_id: [1, 2, 3, 4]}
    assert "secret" not in json.dumps([heard[blocker.account_id][0], heard[ear.account_id][2]])


@pytest.mark.parametrize("others_stay", [True, False])
@pytest.mark.parametrize("published_again", [True, False])
async def test_when_the_author_has_left_since_app_says_who_may_read_it(
    world: World, ear: Ear, others: tuple[Ear, Ear], others_stay: bool, published_again: bool
) -> None:
    """The roster no longer says who is kept apart from somebody who is not on it.

    What was left behind is published again with the newest version of the roster.
    """
    stream, (left, third), door = uuid4(), others, world.app.door
    staying = [ear.account_id, third.account_id] if others_stay else [ear.account_id]
    door.let_hear(stream, *staying, left.account_id, apart=((ear.account_id, left.account_id),))
    event = world.app.next_event(stream, by=left.account_id)
    door.let_hear(stream, *staying)
    await world.app.say(replace(event, roster_version=2) if published_again else event)
    await ear.next("sync")
    if others_stay:
        await third.next("sync")
    await world.app.say(world.app.next_event(stream, by=ear.account_id))
    assert await ear.seqs(1) == [2]
    await left.nothing()


async def test_commands_are_answered_once_by_both_hubs(world: World, ear: Ear) -> None:
    command = RosterChanged(stream=uuid4(), version=1)
    await world.app.command(command)
    await world.app.wait_for(lambda: command.id in world.app.done())
    await asyncio.sleep(0.05)
    assert world.app.done() == [command.id]
    assert world.node.hub._settings.node == NODE
