"""Presence: who is shown whom, what nobody is shown, and that it lapses by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from signalling.admissions import REMEMBER_SECONDS
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.calls import RevokeSession, RosterChanged, ShowPresence
from signalling.contracts.envelope import Presence
from signalling.contracts.tickets import TICKET_SECONDS
from signalling.events import people
from tests.signalling.circle import Circle, gather, quiet
from tests.signalling.world import Ear, World, running


async def watch(circle: Circle, ear: Ear, *streams: UUID) -> None:
    """Watch the circle, or these streams."""
    await ear.send("watch", streams=[str(stream) for stream in streams or (circle.stream,)])


async def shown(ear: Ear, count: int) -> dict[str, str]:
    """The next so many messages about presence."""
    messages = [await ear.next("presence") for _ in range(count)]
    return {message["membership_id"]: message["state"] for message in messages}


async def test_whoever_watches_sees_who_is_there(circle: Circle) -> None:
    await circle.ben.send("presence", state="away")
    await circle.ben.nothing()
    await asyncio.sleep(0.05)
    await watch(circle, circle.amina)
    assert await shown(circle.amina, 2) == {
        circle.membership(circle.ben): "away",
        circle.membership(circle.carla): "online",
    }
    await circle.ben.send("presence", state="online")
    assert await shown(circle.amina, 1) == {circle.membership(circle.ben): "online"}
    await circle.carla.socket.close()
    assert await shown(circle.amina, 1) == {circle.membership(circle.carla): "offline"}
    await quiet(circle.amina, circle.ben, circle.stranger)


async def test_strangers_watch_in_vain(circle: Circle) -> None:
    await watch(circle, circle.stranger, circle.stream, uuid4())
    for _ in range(2):
        error = await circle.stranger.next("error")
        assert (error["code"], error["about"]) == ("unknown_stream", "watch")
    await circle.amina.send("presence", state="away")
    await quiet(circle.stranger)


async def test_each_watch_takes_the_place_of_the_last(circle: Circle) -> None:
    await watch(circle, circle.amina)
    await shown(circle.amina, 2)
    other = uuid4()
    circle.world.app.door.let_hear(other, circle.amina.account_id, circle.stranger.account_id)
    await watch(circle, circle.amina, other)
    assert list((await shown(circle.amina, 1)).values()) == ["online"]
    await circle.ben.send("presence", state="away")
    await quiet(circle.ben, circle.amina)
    await circle.stranger.send("presence", state="away")
    assert list((await shown(circle.amina, 1)).values()) == ["away"]
    await circle.amina.send("watch", streams=[])
    await circle.stranger.send("presence", state="online")
    await quiet(circle.stranger, circle.amina)
    assert circle.world.node.events.people._watched == {}
    assert circle.world.node.events.people._streams_of == {}


async def test_several_devices_are_one_person(circle: Circle) -> None:
    ben = circle.membership(circle.ben)
    second = await circle.world.listen(circle.ben.account_id, state="away")
    await watch(circle, circle.amina)
    assert (await shown(circle.amina, 2))[ben] == "online"
    await circle.ben.send("presence", state="away")
    assert await shown(circle.amina, 1) == {ben: "away"}
    await second.send("presence", state="online")
    assert await shown(circle.amina, 1) == {ben: "online"}
    await circle.ben.socket.close()
    await quiet(circle.amina)
    await second.socket.close()
    assert await shown(circle.amina, 1) == {ben: "offline"}


async def test_whoever_hides_on_one_device_is_hidden(circle: Circle) -> None:
    ben = circle.membership(circle.ben)
    second = await circle.world.listen(circle.ben.account_id)
    await watch(circle, circle.amina)
    assert (await shown(circle.amina, 2))[ben] == "online"
    await second.send("presence", state="hidden")
    assert await shown(circle.amina, 1) == {ben: "offline"}
    await circle.ben.send("presence", state="away")
    await circle.ben.send("presence", state="online")
    await quiet(circle.ben, circle.amina)
    await second.send("presence", state="away")
    assert await shown(circle.amina, 1) == {ben: "online"}


async def test_whoever_does_not_show_presence_never_does(circle: Circle) -> None:
    dora = await circle.world.listen(shown=False)
    accounts = [ear.account_id for ear in (circle.amina, circle.ben, dora)]
    circle.world.app.door.let_hear(circle.stream, *accounts)
    await watch(circle, circle.amina)
    assert await shown(circle.amina, 1) == {circle.membership(circle.ben): "online"}
    for state in ("online", "away", "online"):
        await dora.send("presence", state=state)
    await quiet(dora, circle.amina)
    dora.vanish()
    again = await circle.world.open_events()
    await again.hello(resume={"token": dora.welcome["resume_token"]}, state="online")
    await again.send("presence", state="online")
    await quiet(again, circle.amina)
    # The control: it is the ticket that hides her.
    await again.socket.close()
    await circle.world.listen(dora.account_id)
    assert await shown(circle.amina, 1) == {circle.membership(dora): "online"}


async def test_the_choice_reaches_sockets_that_are_open(circle: Circle) -> None:
    ben = circle.membership(circle.ben)
    await watch(circle, circle.amina)
    assert (await shown(circle.amina, 2))[ben] == "online"
    await show(circle, circle.ben, shown=False, version=1)
    assert await shown(circle.amina, 1) == {ben: "offline"}
    await circle.ben.send("presence", state="online")
    await quiet(circle.ben, circle.amina)
    await show(circle, circle.ben, shown=True, version=2)
    assert await shown(circle.amina, 1) == {ben: "online"}


async def show(circle: Circle, ear: Ear, *, shown: bool, version: int) -> None:
    """Somebody wants to be shown, or does not any more; the node has obeyed."""
    command = ShowPresence(account_id=ear.account_id, shown=shown, version=version)
    await circle.world.app.command(command)
    await circle.world.app.wait_for(lambda: command.id in circle.world.app.done())


async def test_the_newest_choice_counts_in_whatever_order_they_come(circle: Circle) -> None:
    ben = circle.membership(circle.ben)
    await watch(circle, circle.amina)
    await shown(circle.amina, 2)
    await show(circle, circle.ben, shown=False, version=2)
    assert await shown(circle.amina, 1) == {ben: "offline"}
    await show(circle, circle.ben, shown=True, version=1)  # it was lost, and is repeated only now
    await quiet(circle.ben, circle.amina)
    circle.ben.vanish()
    again = await circle.world.open_events()
    await again.hello(resume={"token": circle.ben.welcome["resume_token"]}, state="online")
    await show(circle, circle.ben, shown=True, version=1)
    await quiet(again, circle.amina)
    await show(circle, circle.ben, shown=True, version=3)
    assert await shown(circle.amina, 1) == {ben: "online"}


@pytest.mark.parametrize("tidied", [True, False])
async def test_a_ticket_from_before_the_choice_does_not_undo_it(circle: Circle, tidied: bool) -> None:
    ben = circle.membership(circle.ben)
    await circle.ben.socket.close()
    await watch(circle, circle.amina)
    await shown(circle.amina, 1)
    await show(circle, circle.ben, shown=False, version=1)
    if tidied:
        circle.world.node.events.listeners.tidy(time.monotonic() + TICKET_SECONDS)
    early = await circle.world.listen(circle.ben.account_id)
    await quiet(early, circle.amina)
    await circle.world.listen(circle.ben.account_id, shown_version=2)
    assert await shown(circle.amina, 1) == {ben: "online"}


async def test_who_is_hidden_is_forgotten_when_they_are_gone(circle: Circle) -> None:
    listeners = circle.world.node.events.listeners
    await show(circle, circle.ben, shown=False, version=1)
    listeners.tidy(time.monotonic() + REMEMBER_SECONDS + 1)
    assert listeners.veiled(circle.ben.account_id)
    circle.ben.vanish()
    async with asyncio.timeout(5):
        while not listeners.awaited(circle.ben.account_id):
            await asyncio.sleep(0.01)
    listeners.tidy(time.monotonic() + REMEMBER_SECONDS + 1)
    assert listeners.veiled(circle.ben.account_id), "they may come back"
    listeners.lapse(time.monotonic() + 60)
    listeners.tidy(time.monotonic() + REMEMBER_SECONDS + 1)
    assert not listeners.veiled(circle.ben.account_id)


async def test_whoever_is_hidden_is_not_seen_typing(circle: Circle) -> None:
    await circle.ben.send("presence", state="hidden")
    await circle.ben.send("typing", stream=str(circle.stream), typing=True)
    await quiet(circle.amina, circle.carla)


async def test_a_resume_does_not_uncover_whoever_was_hidden(circle: Circle) -> None:
    await circle.ben.send("presence", state="hidden")
    await circle.ben.nothing()
    await asyncio.sleep(0.05)
    await watch(circle, circle.amina)
    assert circle.membership(circle.ben) not in await shown(circle.amina, 1)
    circle.ben.vanish()
    again = await circle.world.open_events()
    await again.hello(resume={"token": circle.ben.welcome["resume_token"]}, state="online")
    await quiet(again, circle.amina)
    await again.send("presence", state="online")
    assert await shown(circle.amina, 1) == {circle.membership(circle.ben): "online"}


async def test_whoever_is_kept_apart_sees_nothing(circle: Circle) -> None:
    accounts = [ear.account_id for ear in (circle.amina, circle.ben, circle.carla)]
    circle.world.app.door.let_hear(circle.stream, *accounts, apart=((accounts[1], accounts[0]),))
    await watch(circle, circle.amina)
    assert await shown(circle.amina, 1) == {circle.membership(circle.carla): "online"}
    await circle.ben.send("presence", state="away")
    await quiet(circle.ben, circle.amina)
    await watch(circle, circle.carla)
    assert (await shown(circle.carla, 2))[circle.membership(circle.ben)] == "away"


async def test_a_short_loss_is_not_seen(circle: Circle) -> None:
    await watch(circle, circle.amina)
    await shown(circle.amina, 2)
    circle.ben.vanish()
    await quiet(circle.amina)
    await (await circle.world.open_events()).hello(resume={"token": circle.ben.welcome["resume_token"]})
    await quiet(circle.amina)


async def test_a_long_loss_is(tmp_path: Path) -> None:
    async with running(tmp_path, resume_grace_seconds=0.2) as world:
        amina, ben = await world.listen(), await world.listen()
        stream = uuid4()
        world.app.door.let_hear(stream, amina.account_id, ben.account_id)
        await amina.send("watch", streams=[str(stream)])
        await shown(amina, 1)
        ben.vanish()
        assert list((await shown(amina, 1)).values()) == ["offline"]


async def test_whose_session_ends_is_offline_at_once(circle: Circle) -> None:
    session = uuid4()
    dora = await circle.world.listen(session_id=session)
    circle.world.app.door.let_hear(circle.stream, circle.amina.account_id, dora.account_id)
    await watch(circle, circle.amina)
    await shown(circle.amina, 1)
    await circle.world.app.command(RevokeSession(session_id=session))
    assert list((await shown(circle.amina, 1)).values()) == ["offline"]


async def test_when_the_roster_changes_the_watchers_see_who_is_on_it(circle: Circle) -> None:
    await watch(circle, circle.amina)
    await watch(circle, circle.ben)
    await shown(circle.amina, 2)
    await shown(circle.ben, 2)
    door, new = circle.world.app.door, circle.stranger
    door.let_hear(circle.stream, circle.amina.account_id, circle.carla.account_id, new.account_id)
    await circle.world.app.command(RosterChanged(stream=circle.stream, version=2))
    assert circle.membership(new) in await shown(circle.amina, 2)
    assert (await circle.ben.next("error"))["code"] == "unknown_stream"
    await new.send("presence", state="away")
    assert await shown(circle.amina, 1) == {circle.membership(new): "away"}
    await quiet(circle.ben)


async def test_in_a_large_round_presence_is_not_shown(
    circle: Circle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "MOST_SHOWN", 2)
    await watch(circle, circle.amina)
    await circle.ben.send("presence", state="away")
    await quiet(circle.ben, circle.amina)


# Between nodes


@pytest.fixture
async def two_nodes(tmp_path: Path) -> AsyncIterator[tuple[Circle, MemoryBus]]:
    """The circle on one node, and what another one would use."""
    exchange = Exchange()
    async with running(tmp_path, buses=(MemoryBus(exchange), MemoryBus(exchange))) as world:
        yield await gather(world), MemoryBus(exchange)


async def test_other_nodes_count_too(two_nodes: tuple[Circle, MemoryBus]) -> None:
    circle, other_node = two_nodes
    ben = circle.membership(circle.ben)
    await watch(circle, circle.amina)
    await shown(circle.amina, 2)

    async def elsewhere(state: Any) -> None:
        await other_node.publish_hints([Presence(circle.ben.account_id, "node-2", state)])

    await circle.ben.send("presence", state="away")
    assert await shown(circle.amina, 1) == {ben: "away"}
    await elsewhere("online")
    assert await shown(circle.amina, 1) == {ben: "online"}
    await elsewhere("hidden")
    assert await shown(circle.amina, 1) == {ben: "offline"}
    await elsewhere("offline")
    assert await shown(circle.amina, 1) == {ben: "away"}
    await circle.ben.socket.close()
    assert await shown(circle.amina, 1) == {ben: "offline"}


async def test_what_a_node_does_not_repeat_lapses(
    two_nodes: tuple[Circle, MemoryBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "LAPSE_SECONDS", 1.0)
    monkeypatch.setattr(people, "REPEAT_SECONDS", 0.2)
    monkeypatch.setattr(people, "LOOK_SECONDS", 0.1)
    circle, other_node = two_nodes
    await circle.carla.socket.close()
    await watch(circle, circle.amina)
    await shown(circle.amina, 1)
    await other_node.publish_hints([Presence(circle.carla.account_id, "node-2", "online")])
    assert await shown(circle.amina, 1) == {circle.membership(circle.carla): "online"}
    assert await shown(circle.amina, 1) == {circle.membership(circle.carla): "offline"}
    # The control: Ben, whose node repeats it, is still there.
    await asyncio.sleep(1.2)
    await circle.amina.nothing()


async def test_a_node_that_goes_says_who_went_with_it(world: World) -> None:
    hints: list[Any] = []
    ear = await world.listen()

    async def hear() -> None:
        async for batch in world.app.bus.hints():
            hints.extend(batch.items)

    hearing = asyncio.create_task(hear())
    await asyncio.sleep(0.01)
    await world.node.drain()
    await asyncio.sleep(0.1)
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    assert Presence(ear.account_id, "node-1", "offline") in hints
