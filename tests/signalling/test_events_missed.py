"""The bus goes away and comes back: nothing leaks to whoever lost a right meanwhile, and nothing is lost."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.exceptions import ConnectionClosedError

from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.bus_valkey import ValkeyBus
from signalling.contracts.calls import RevokeSession, ShowPresence
from signalling.events import hearing
from tests.signalling.faltering_bus import FalteringBus
from tests.signalling.valkey_server import ValkeyServer
from tests.signalling.world import Ear, World, running


@pytest.fixture
async def faltering(tmp_path: Path) -> AsyncIterator[tuple[World, FalteringBus]]:
    """A node on a bus that falters."""
    exchange = Exchange()
    bus = FalteringBus(exchange)
    async with running(tmp_path, buses=(bus, MemoryBus(exchange))) as world:
        yield world, bus


async def heard_until(ear: Ear, type_: str, seconds: float = 5.0) -> list[dict[str, Any]]:
    """What is heard up to a message of this type, which is the last."""
    heard = []
    async with asyncio.timeout(seconds):
        while True:
            heard.append(await ear.next(seconds=seconds))
            if heard[-1]["type"] == type_:
                return heard


async def listening(world: World, *ears: Ear) -> UUID:
    """A stream that these hear, whose roster the node knows."""
    stream = uuid4()
    world.app.door.let_hear(stream, *[ear.account_id for ear in ears])
    await world.app.say(world.app.next_event(stream))
    for ear in ears:
        assert await ear.seqs(1) == [1]
    return stream


async def test_when_something_went_by_everybody_syncs_and_hears_on(
    faltering: tuple[World, FalteringBus],
) -> None:
    world, bus = faltering
    ear, other = await world.listen(), await world.listen()
    stream = await listening(world, ear)
    bus.away = True
    await world.app.say(world.app.next_event(stream))
    await asyncio.sleep(0.05)
    bus.away = False
    await world.app.say(world.app.next_event(stream))
    for someone in (ear, other):
        await heard_until(someone, "sync")
    await world.app.say(world.app.next_event(stream))
    while (await heard_until(ear, "event"))[-1]["seq"] != 4:
        pass


async def seqs_before_pong(ear: Ear) -> list[int]:
    """The numbers of what has been heard by now."""
    await ear.send("ping")
    return [message["seq"] for message in await heard_until(ear, "pong") if message["type"] == "event"]


@pytest.mark.parametrize("way", ["away", "late"])
async def test_whoever_was_removed_meanwhile_hears_nothing(
    faltering: tuple[World, FalteringBus], way: str
) -> None:
    """The command is late, too: only app's answer says so."""
    assert await leak_to_whoever_was_removed(faltering, way) == []


@pytest.mark.parametrize("way", ["late"])
async def test_a_node_that_trusts_its_memory_would_leak(
    faltering: tuple[World, FalteringBus], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(hearing, "SILENCE_SECONDS", 60.0)
    assert await leak_to_whoever_was_removed(faltering, way) == [2]


async def leak_to_whoever_was_removed(faltering: tuple[World, FalteringBus], way: str) -> list[int]:
    """What reaches somebody who was removed while the bus was in trouble."""
    world, bus = faltering
    removed, stays = await world.listen(), await world.listen()
    stream = await listening(world, removed, stays)
    event = world.app.next_event(stream)
    setattr(bus, way, True)
    world.app.door.let_hear(stream, stays.account_id)
    await asyncio.sleep(2.1)
    setattr(bus, way, False)
    await world.app.say(event)
    heard = await heard_until(stays, "event")
    assert heard[-1]["seq"] == 2
    return await seqs_before_pong(removed)


@pytest.mark.parametrize("way", ["away", "late"])
async def test_whoever_signed_out_meanwhile_hears_nothing(
    faltering: tuple[World, FalteringBus], way: str
) -> None:
    world, bus = faltering
    gone_session, lost_session = uuid4(), uuid4()
    gone, stays = await world.listen(session_id=gone_session), await world.listen()
    lost = await world.listen(session_id=lost_session)
    ticket = world.app.events_ticket(session_id=gone_session)
    stream = await listening(world, gone, stays)
    lost.vanish()
    setattr(bus, way, True)
    world.app.door.ended |= {gone_session, lost_session}
    await asyncio.sleep(hearing.SILENCE_SECONDS + 0.6)
    setattr(bus, way, False)
    await world.app.say(world.app.next_event(stream))
    assert (await heard_until(stays, "event"))[-1]["seq"] == 2
    heard: list[str] = []
    with contextlib.suppress(ConnectionClosedError):
        async for text in gone.socket:
            heard.append(json.loads(text)["type"])
    assert "event" not in heard
    assert gone.socket.close_code == 4503
    again = await world.open_events()
    await again.send("hello", version=1, resume={"token": lost.welcome["resume_token"]})
    assert await again.closed() == 4410
    again = await world.open_events()
    await again.send("hello", version=1, ticket=ticket)
    assert await again.closed() == 4503


async def test_a_ticket_from_before_the_trouble_is_refused_for_now(
    faltering: tuple[World, FalteringBus],
) -> None:
    """Who comes in with it while app is asked about the others would not be asked about."""
    world, bus = faltering
    session, account = uuid4(), uuid4()
    early, earlier = (world.app.events_ticket(account, session_id=session, now=time.time()) for _ in range(2))
    stays = await world.listen()
    stream = await listening(world, stays)
    bus.late = True
    world.app.door.ended.add(session)
    world.app.door.let_hear(stream, stays.account_id, account)
    await asyncio.sleep(hearing.SILENCE_SECONDS + 0.6)
    world.app.door.answers.clear()
    bus.late = False
    async with asyncio.timeout(5):
        while world.node.events.hearing._held is None:
            await asyncio.sleep(0.01)
    assert await refusal(world, early) == "not_ready"
    late = await world.listen()  # the control: app has signed this ticket since
    world.app.door.answers.set()
    await world.app.say(world.app.next_event(stream))
    assert (await heard_until(stays, "event"))[-1]["seq"] == 2
    assert await refusal(world, earlier) == "not_ready"
    await seqs_before_pong(late)


async def test_whoever_hides_meanwhile_is_not_shown(faltering: tuple[World, FalteringBus]) -> None:
    """The command is late, too, and one from before comes after it."""
    world, bus = faltering
    ear, other = await world.listen(), await world.listen()
    stream = await listening(world, ear, other)
    await ear.send("watch", streams=[str(stream)])
    assert (await heard_until(ear, "presence"))[-1]["state"] == "online"
    bus.late = True
    world.app.door.hidden[other.account_id] = 2
    await asyncio.sleep(hearing.SILENCE_SECONDS + 0.6)
    bus.late = False
    assert (await heard_until(ear, "presence"))[-1]["state"] == "offline"
    command = ShowPresence(account_id=other.account_id, shown=True, version=1)
    await world.app.command(command)
    await world.app.wait_for(lambda: command.id in world.app.done())
    await asyncio.sleep(0.05)
    await ear.send("ping")
    assert "presence" not in [message["type"] for message in await heard_until(ear, "pong")]


@pytest.mark.parametrize("way", ["away", "late"])
async def test_whoever_signed_out_meanwhile_is_not_in_a_call_any_more(
    faltering: tuple[World, FalteringBus], way: str, call_id: UUID
) -> None:
    """Nobody here listens to events, and the command never comes."""
    world, bus = faltering
    session = uuid4()
    stays, gone = await world.join(call_id), await world.join(call_id, session_id=session)
    await stays.next("participant_joined")
    ticket = world.app.ticket(call_id, session_id=session)
    setattr(bus, way, True)
    world.app.door.ended.add(session)
    await asyncio.sleep(hearing.SILENCE_SECONDS + 0.6)
    await gone.pong()
    setattr(bus, way, False)
    assert (await stays.next("participant_left"))["reason"] == "removed"
    assert await gone.closed() == 4503
    again = await world.open(call_id)
    await again.send("hello", version=1, ticket=ticket, media={"audio": True, "video": True})
    assert (await again.next("error"))["code"] == "removed"
    await stays.pong()


async def refusal(world: World, ticket: str) -> str:
    """The code with which a ticket is refused."""
    ear = await world.open_events()
    await ear.send("hello", version=1, ticket=ticket)
    return str((await ear.next("error"))["code"])


async def test_while_app_does_not_answer_nothing_is_told_but_that_it_is_not_live(
    faltering: tuple[World, FalteringBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "LIVE_SECONDS", 1.5)
    world, bus = faltering
    ear = await world.listen()
    stream = await listening(world, ear)
    world.app.door.fails = True
    bus.away = True
    await asyncio.sleep(0.6)
    bus.away = False
    await world.app.say(world.app.next_event(stream))
    assert await heard_until(ear, "live") == [{"type": "live", "live": False}]
    await world.app.say(world.app.next_event(stream))
    await ear.nothing()
    late = await world.listen()
    assert late.welcome["live"] is False
    world.app.door.fails = False
    heard = await heard_until(ear, "sync")
    kinds = [message["type"] for message in heard]
    assert {"type": "live", "live": True} in heard
    assert kinds.count("sync") == 1
    assert [message["seq"] for message in heard if message["type"] == "event"] == []
    await heard_until(late, "sync")
    # What was held is told as soon as app has also said who hears it.
    assert await ear.seqs(2) == [2, 3]


async def test_what_is_held_is_bounded(
    faltering: tuple[World, FalteringBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "MOST_HELD", 10)
    world, bus = faltering
    ear = await world.listen()
    stream = await listening(world, ear)
    world.app.door.fails = True
    bus.late = True
    await asyncio.sleep(hearing.SILENCE_SECONDS + 0.6)
    bus.late = False
    await asyncio.sleep(0.6)
    for _ in range(25):
        await world.app.say(world.app.next_event(stream))
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    assert len(world.node.events.hearing._held or ()) <= 10
    world.app.door.fails = False
    await heard_until(ear, "sync")


async def test_a_silent_bus_is_told_and_its_end_too(
    faltering: tuple[World, FalteringBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "LIVE_SECONDS", 1.0)
    world, bus = faltering
    ear = await world.listen()
    await asyncio.sleep(1.2)
    await ear.nothing()  # the control: a bus that says nothing new is not silent
    bus.late = True
    assert await ear.next(seconds=4) == {"type": "live", "live": False}
    bus.late = False
    assert {"type": "live", "live": True} in await heard_until(ear, "sync")


async def test_a_node_that_app_does_not_know_any_more_holds_everything(
    faltering: tuple[World, FalteringBus],
) -> None:
    """App tells only the nodes that it knows which sessions end."""
    world, _ = faltering
    session = uuid4()
    ear, gone = await world.listen(), await world.listen(session_id=session)
    stream = await listening(world, ear, gone)
    world.app.commits = False
    world.node.presence._known_until = float("-inf")
    async with asyncio.timeout(5):
        while world.node.events.hearing._held is None:
            await asyncio.sleep(0.01)
    world.app.door.ended.add(session)
    await world.app.say(world.app.next_event(stream))
    await ear.nothing()
    world.app.commits = True
    await world.node.presence.say_alive(0)
    assert (await heard_until(ear, "event"))[-1]["seq"] == 2
    with pytest.raises(Exception, match="4503"):
        await gone.next()


async def test_a_killed_valkey_leaks_nothing_and_loses_nothing_in_silence(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    buses = (ValkeyBus(valkey.url), ValkeyBus(valkey.url))
    async with running(tmp_path, buses=buses) as world:
        session = uuid4()
        ear, removed = await world.listen(), await world.listen()
        gone = await world.listen(session_id=session)
        stream = await listening(world, ear, removed, gone)
        valkey.kill()
        lost = world.app.next_event(stream)
        world.app.door.let_hear(stream, ear.account_id, gone.account_id)
        world.app.door.ended.add(session)
        await asyncio.sleep(0.3)
        valkey.start()
        await heard_until(ear, "sync", 10)
        assert await gone.closed() == 4503
        event = world.app.next_event(stream)
        await world.app.say(event)
        assert (await heard_until(ear, "event"))[-1]["seq"] == lost.seq + 1
        assert await seqs_before_pong(removed) == []
        # App repeats its command until it is answered.
        command = RevokeSession(session_id=session)
        await world.app.command(command)
        await world.app.wait_for(lambda: command.id in world.app.done())


async def test_presence_is_held_too(faltering: tuple[World, FalteringBus]) -> None:
    """Not even from a roster that app would give: whose sign-in session ended is not known yet."""
    world, bus = faltering
    ear, other = await world.listen(), await world.listen()
    stream = await listening(world, ear, other)
    world.app.door.fails = True
    bus.away = True
    await asyncio.sleep(0.6)
    bus.away = False
    async with asyncio.timeout(5):
        while world.node.events.hearing._held is None:
            await asyncio.sleep(0.01)
    await ear.send("watch", streams=[str(stream)])
    await other.send("typing", stream=str(stream), typing=True)
    await asyncio.sleep(0.3)
    await ear.nothing()
    world.app.door.fails = False
    await heard_until(ear, "typing")
