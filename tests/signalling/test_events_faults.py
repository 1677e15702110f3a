"""Faults of ours and of the bus on the way of events: others go on, and whoever missed something is told."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast
from uuid import uuid4

import pytest

from signalling import presence
from signalling.connection import Turns
from signalling.contracts.bus import BusUnavailable
from signalling.contracts.bus_memory import UP_TO_DATE_SECONDS, Exchange, MemoryBus
from signalling.contracts.bus_open import open_bus
from signalling.contracts.envelope import Envelope
from signalling.events import hearing, rosters
from signalling.main import Node
from signalling.protocol.codes import CloseCode
from tests.signalling.faltering_bus import FalteringBus
from tests.signalling.test_events_missed import heard_until
from tests.signalling.test_events_slow import gone, here, stalled
from tests.signalling.test_node_process import free_port, process
from tests.signalling.valkey_server import ValkeyServer
from tests.signalling.world import ISSUER, NODE, App, Ear, World, running


def fail(*_: Any) -> NoReturn:
    """A fault."""
    raise RuntimeError("a fault")


async def test_a_fault_in_delivery_is_followed_by_a_sync(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear, stream = await world.listen(), uuid4()
    world.app.door.let_hear(stream, ear.account_id)
    with monkeypatch.context() as patch:
        patch.setattr(world.node.events.delivery, "take", fail)
        await world.app.say(world.app.next_event(stream))
        await asyncio.sleep(0.05)
    await heard_until(ear, "sync")
    await world.app.say(world.app.next_event(stream))
    assert (await heard_until(ear, "event"))[-1]["seq"] == 2


async def test_a_fault_in_the_check_holds_back_and_is_mended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear, stream = await world.listen(), uuid4()
    world.app.door.let_hear(stream, ear.account_id)
    with monkeypatch.context() as patch:
        patch.setattr(world.node.events.listeners, "sessions", fail)
        world.node.events.hearing._hold(missed=True)
        await asyncio.sleep(0.1)
        await world.app.say(world.app.next_event(stream))
        await asyncio.sleep(0.1)
        await ear.nothing()
    await heard_until(ear, "sync")
    assert await ear.seqs(1) == [1]


async def test_a_fault_at_the_socket_lets_the_client_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = await world.listen()
    with monkeypatch.context() as patch:
        patch.setattr(world.node.events, "receive", fail)
        await ear.send("ping")
        assert await ear.closed() == 4412
    again = await world.open_events()
    await again.hello(resume={"token": ear.welcome["resume_token"]})
    await again.nothing()


async def test_a_socket_that_breaks_while_it_is_written_to_does_not_keep_the_others_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears, stream = [await world.listen() for _ in range(5)], uuid4()
    world.app.door.let_hear(stream, *[ear.account_id for ear in ears])
    for ear in ears[:4:2]:
        monkeypatch.setattr(here(world, ear.account_id).link, "write", fail)
    Turns.count += 1
    await world.app.say(world.app.next_event(stream))
    for ear in (ears[1], ears[3], ears[4]):
        assert await ear.seqs(1) == [1]


async def test_nothing_is_written_to_a_socket_that_is_closing(world: World) -> None:
    ear, other, stream = await world.listen(), await world.listen(), uuid4()
    world.app.door.let_hear(stream, ear.account_id, other.account_id)
    link = here(world, ear.account_id).link
    link.cut(CloseCode.INTERNAL_ERROR)
    assert not link.ready
    await world.app.say(world.app.next_event(stream))
    assert await other.seqs(1) == [1]
    assert await ear.closed() == 4412


async def test_presence_is_said_again_when_the_bus_was_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    amina, ben, stream = await world.listen(), await world.listen(), uuid4()
    world.app.door.let_hear(stream, amina.account_id, ben.account_id)
    await amina.send("watch", streams=[str(stream)])
    assert (await amina.next("presence"))["state"] == "online"
    tries = 0

    async def away(_: Any) -> None:
        nonlocal tries
        tries += 1
        raise BusUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(world.node.bus, "publish_hints", away)
        await ben.send("presence", state="away")
        await ben.nothing()
        await asyncio.sleep(0.1)
        assert tries
    assert (await amina.next("presence"))["state"] == "away"


async def test_what_is_asked_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "MOST_WANTED", 2)
    ear = await world.listen()
    world.app.door.fails = True
    await ear.send("watch", streams=[str(uuid4()) for _ in range(3)])
    assert (await ear.next("error"))["code"] == "not_ready"
    await ear.nothing()
    await world.app.say(world.app.next_event(uuid4()))
    await ear.next("sync")


async def test_after_a_silence_slow_readers_are_let_go_of(tmp_path: Path) -> None:
    """Of what waits for them nobody knows any more whether they may hear it."""
    exchange = Exchange()
    bus = FalteringBus(exchange)
    async with running(tmp_path, buses=(bus, MemoryBus(exchange))) as world:
        slow, quick, stream = await stalled(world), await world.listen(), uuid4()
        world.app.door.let_hear(stream, slow.account_id, quick.account_id)
        link = here(world, slow.account_id).link
        while not link.waiting:
            await world.app.say(world.app.next_event(stream, data={"text": "x" * 30_000}))
            await quick.seqs(1)
        bus.late = True
        await asyncio.sleep(hearing.SILENCE_SECONDS + 0.6)
        bus.late = False
        await gone(world, slow.account_id)
        await quick.nothing()
        slow.raw.close()


async def test_everybody_syncs_only_now_and_then_while_nothing_can_be_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "UNANSWERED_SECONDS", 0.1)
    monkeypatch.setattr(hearing, "SYNC_SECONDS", 3.0)
    ear, stream = await world.listen(), uuid4()
    world.app.door.let_hear(stream, ear.account_id)
    world.app.door.fails = True
    await world.app.say(world.app.next_event(stream))
    await ear.next("sync")
    for _ in range(2):
        await world.app.say(world.app.next_event(stream))
        await asyncio.sleep(0.7)
        await ear.nothing()
    assert world.node.events.delivery.lost
    await ear.next("sync", 4)
    world.app.door.fails = False
    await world.app.say(world.app.next_event(stream))
    await ear.next("event")


async def test_what_takes_long_here_is_no_silence_of_the_bus(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear, stream = await world.listen(), uuid4()
    world.app.door.let_hear(stream, ear.account_id)
    take = world.node.events.delivery.take

    def slowly(envelope: Envelope) -> None:
        time.sleep(hearing.SILENCE_SECONDS - 0.1)
        take(envelope)

    monkeypatch.setattr(world.node.events.delivery, "take", slowly)
    await world.app.say(world.app.next_event(stream))
    assert await ear.seqs(1) == [1]
    await asyncio.sleep(UP_TO_DATE_SECONDS + 0.2)
    assert not [ask for ask in world.app.door.asks if ask.sessions]
    await ear.nothing()


async def test_app_must_say_again_and_again_that_it_knows_this_node(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledgements of anything else, or of what another process said, are none."""
    until = world.node.presence._known_until
    world.node.facts.committed(uuid4())
    assert world.node.presence._known_until == until
    monkeypatch.setattr(presence, "ALIVE_SECONDS", 0.1)
    await world.node.presence.say_alive(0)
    async with asyncio.timeout(3):
        while world.node.presence._known_until == until:
            await asyncio.sleep(0.005)


async def test_a_process_carries_events_on_a_real_bus(tmp_path: Path, valkey: ValkeyServer) -> None:
    bus = open_bus(valkey.url)
    app = App(bus, tmp_path)
    await app.door.open()
    taking_in = asyncio.create_task(app.take_in())
    port = free_port()
    environment = {
        "VALKEY_URL": valkey.url,
        "MENTORSPAN_NODE": NODE,
        "MENTORSPAN_PUBLIC_URL": ISSUER,
        "MENTORSPAN_SIGNALLING_PORT": str(port),
        "MENTORSPAN_INTERNAL_URLS": app.door.url,
    }
    async with process(tmp_path, **environment) as node:
        await app.wait_for(app.alive, 10)
        world = World(cast(Node, SimpleNamespace(port=port)), app)
        ears: list[Ear] = []
        async with asyncio.timeout(10):
            while len(ears) < 10:
                ear = await world.open_events()
                await ear.send("hello", version=1, ticket=app.events_ticket(ear.account_id))
                if (await ear.next())["type"] == "welcome":
                    ears.append(ear)
                else:
                    await asyncio.sleep(0.1)
        stream = uuid4()
        app.door.let_hear(stream, *[ear.account_id for ear in ears])
        ears[0].vanish()
        for burst in range(20):
            await app.say(*[app.next_event(stream) for _ in range(50)])
            if burst == 10:
                ears[1].vanish()
        for ear in ears[2:]:
            assert [m["seq"] for m in await events(ear, 1000)] == list(range(1, 1001))
        node.terminate()
        for ear in ears[2:]:
            assert await ear.closed() == 4400
        async with asyncio.timeout(10):
            assert await node.wait() == 0
    world.forget()
    await bus.close()
    await app.door.close()
    taking_in.cancel()
    await asyncio.gather(taking_in, return_exceptions=True)


async def events(ear: Ear, count: int) -> list[dict[str, Any]]:
    """The next events, whatever else comes between."""
    return [(await heard_until(ear, "event"))[-1] for _ in range(count)]
