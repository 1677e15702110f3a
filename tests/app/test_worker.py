"""The worker: facts are committed before they are acknowledged, commands are repeated until they are done."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import worker
from app.core import clock, nodes
from app.core.nodes import Node, NodeCommand
from app.scheduling import calls
from app.settings import Settings
from signalling.contracts.bus import Bus
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.bus_open import open_bus
from signalling.contracts.calls import Command, CommandDone, EndCall, Fact, NodeAlive, ParticipantJoined
from tests.logs import capture
from tests.world import NODE, World

pytestmark = pytest.mark.database


@contextlib.asynccontextmanager
async def running(*work: Any) -> AsyncIterator[list[asyncio.Task[Any]]]:
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], Any], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def bus(app: FastAPI) -> AsyncIterator[Bus]:
    """A node's end of the application's bus."""
    opened = open_bus(app.state.settings.valkey_url)
    yield opened
    await opened.close()


def alive(name: str = NODE) -> NodeAlive:
    return NodeAlive(node=name, url="ws://localhost:8001", at=clock.now())


def waiting(command: Command, node: str = NODE, *, age: float = 0, **fields: Any) -> NodeCommand:
    """What a node must do, as a transaction so many seconds ago left it."""
    at = clock.now() - timedelta(seconds=age)
    row: dict[str, Any] = {"payload": command.model_dump(mode="json"), "created_at": at, **fields}
    return NodeCommand(id=command.id, node=node, repeat_at=at + nodes.UNANSWERED, **row)


async def obeyed(bus: Bus, heard: list[Command], node: str = NODE) -> None:
    async for command in bus.commands(node):
        heard.append(command)


async def acknowledged(bus: Bus, heard: list[UUID]) -> None:
    async for fact_id in bus.acknowledgements(NODE):
        heard.append(fact_id)


async def test_a_fact_is_committed_and_then_acknowledged(world: World, bus: Bus) -> None:
    heard: list[UUID] = []
    seen_when_heard: list[int] = []
    facts: list[Fact] = [alive(), alive()]

    async def listen() -> None:
        async for fact_id in bus.acknowledgements(NODE):
            heard.append(fact_id)
            seen_when_heard.append(len(await world.rows(select(Node))))

    async def both() -> bool:
        return len(seen_when_heard) == 2

    async with running(worker.take_in_facts(world.database, bus), listen()):
        for fact in facts:
            await bus.publish_fact(fact)
        await until(both)
    assert heard == [fact.id for fact in facts]
    assert seen_when_heard == [1, 1], "it was in the database before the node heard of it"


async def test_a_fact_whose_transaction_failed_comes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MemoryBus(Exchange(), claim_seconds=0.2)
    real, tries, heard = calls.apply, [0], list[UUID]()

    async def sometimes(db: AsyncSession, fact: Fact) -> None:
        tries[0] += 1
        await real(db, fact)
        if tries[0] == 1:
            raise OperationalError("", {}, Exception("the database went away"))
        if tries[0] == 2:
            raise RuntimeError("that was one of ours")

    monkeypatch.setattr(calls, "apply", sometimes)
    fact = alive()

    async def done() -> bool:
        return bool(heard)

    async with running(acknowledged(bus, heard)):
        await bus.publish_fact(fact)
        with pytest.raises(OperationalError, match="went away"):
            await worker.take_in_facts(world.database, bus)
        assert await world.rows(select(Node)) == []
        assert heard == []
        async with running(worker.take_in_facts(world.database, bus)):
            await until(done)
    assert heard == [fact.id]
    assert tries == [3]
    assert [node.name for node in await world.rows(select(Node))] == [NODE]
    await bus.close()


async def test_a_fact_that_cannot_be_taken_in_keeps_no_other_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MemoryBus(Exchange(), claim_seconds=0.05)
    real, heard, tries = calls.apply, list[UUID](), 0
    bad, good = alive("bad"), alive()

    async def choosy(db: AsyncSession, fact: Fact) -> None:
        nonlocal tries
        if fact == bad:
            tries += 1
            raise RuntimeError("never")
        await real(db, fact)

    async def done() -> bool:
        return bool(heard)

    monkeypatch.setattr(calls, "apply", choosy)
    logged = capture(monkeypatch, worker)
    async with running(worker.take_in_facts(world.database, bus), acknowledged(bus, heard)):
        await bus.publish_fact(bad)
        await bus.publish_fact(good)
        await until(done)
        await asyncio.sleep(0.2)
    assert heard == [good.id]
    assert tries > 1, "it comes again"
    assert [(line["event"], line["id"]) for line in logged] == [("fact_failed", str(bad.id))]
    await bus.close()


async def test_the_worker_goes_on_after_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that fails is started again, and the other parts never noticed."""
    settings: Settings = world.app.state.settings
    bus = open_bus(settings.valkey_url)
    real, failures = calls.lapse, [2]

    async def sometimes(db: AsyncSession, settings: Settings) -> int:
        if failures[0]:
            failures[0] -= 1
            raise RuntimeError("not now")
        return await real(db, settings)

    monkeypatch.setattr(calls, "lapse", sometimes)
    command = EndCall(call_id=uuid4())
    await world.node()
    await world.save(waiting(command, age=5))
    heard: list[Command] = []

    async def both() -> bool:
        return bool(heard) and len(await world.rows(select(Node))) == 2

    async with running(worker.work(settings), obeyed(bus, heard)) as tasks:
        await bus.publish_fact(alive("second"))
        await until(both, 10)
        assert not tasks[0].done()
    assert failures == [0]
    await bus.close()


async def test_a_command_is_repeated_until_a_node_says_it_is_done(world: World, bus: Bus) -> None:
    settings: Settings = world.app.state.settings
    await world.node()
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command, age=2))
    heard: list[Command] = []

    async def twice() -> bool:
        return len(heard) >= 2

    async def done() -> bool:
        return bool(await world.run("SELECT 1 FROM node_command WHERE done_at IS NOT NULL"))

    async with running(
        worker.keep_house(world.database, bus, settings),
        worker.take_in_facts(world.database, bus),
        obeyed(bus, heard),
    ):
        await until(twice)
        assert set(heard) == {command}, "the same command, with the same id"
        await bus.publish_fact(CommandDone(node=NODE, command_id=command.id, at=clock.now()))
        await until(done)
        count = len(heard)
        await asyncio.sleep(1.2)
        assert len(heard) <= count + 1, "one may have been under way"


async def repeat(world: World, bus: Bus) -> None:
    await nodes.repeat_commands(world.database, bus, set())


async def test_what_a_gone_node_had_to_do_is_closed_and_what_is_new_is_not_repeated_yet(
    world: World,
) -> None:
    now = clock.now()
    await world.node()
    await world.save(
        Node(name="gone", url="ws://x", draining=False, calls=0, seen_at=now - timedelta(minutes=6))
    )
    for name, age in (("gone", 60), (NODE, 60), (NODE, 0)):
        await world.save(waiting(EndCall(call_id=uuid4()), name, age=age))
    exchange = Exchange()
    await repeat(world, MemoryBus(exchange))
    assert {name: len(queue) for name, queue in exchange.commands.items()} == {NODE: 1}
    rows = await world.run("SELECT node FROM node_command WHERE done_at IS NOT NULL")
    assert [row.node for row in rows] == ["gone"]


async def test_what_dead_nodes_have_not_done_keeps_nothing_from_those_that_live(
    world: World, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "MOST_AT_ONCE", 5)
    await world.node()
    died = clock.now() - timedelta(minutes=1)
    await world.save(Node(name="dead", url="ws://x", draining=False, calls=0, seen_at=died))
    await world.save(*(waiting(EndCall(call_id=uuid4()), "dead", age=60) for _ in range(6)))
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command, age=1))
    heard: list[Command] = []
    useless: list[Command] = []

    async def told() -> bool:
        return bool(heard)

    async with running(
        worker.keep_house(world.database, bus, world.app.state.settings),
        obeyed(bus, heard),
        obeyed(bus, useless, "dead"),
    ):
        await until(told)
    assert heard[0] == command
    assert useless == [], "nobody reads it there"
    assert len(await world.run("SELECT 1 FROM node_command WHERE done_at IS NULL")) == 7


async def test_what_a_node_cannot_read_keeps_nothing_else_from_it(
    world: World, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "MOST_AT_ONCE", 5)
    await world.node()
    never = [EndCall(call_id=uuid4()) for _ in range(6)]
    await world.save(*(waiting(command, age=3600) for command in never))
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command, age=1))
    heard: list[Command] = []

    async def told() -> bool:
        return command in heard

    async with running(worker.keep_house(world.database, bus, world.app.state.settings), obeyed(bus, heard)):
        await until(told)
        await asyncio.sleep(1)
    assert [heard.count(one) for one in never] == [1] * 6, "what stays without an answer is repeated rarely"


async def test_a_command_of_another_release_stops_nothing(
    world: World, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    meeting = await world.meet(mentee, mentor, pairing["id"])
    await world.node()
    ticket = await mentee.ok("POST", f"/v1/meetings/{meeting['id']}/ticket")
    long_ago = clock.now() - timedelta(hours=1)
    joined = ParticipantJoined(
        node=NODE, call_id=ticket["call_id"], epoch=1, participant_id=uuid4(), at=long_ago,
        membership_id=mentee.membership_id or UUID(int=0),
    )  # fmt: skip
    async with world.database.transaction() as db:
        await calls.apply(db, joined)
    command = EndCall(call_id=uuid4())
    await world.save(
        waiting(EndCall(call_id=uuid4()), age=9, payload={"kind": "dance"}), waiting(command, age=5)
    )
    await world.run("UPDATE stream_event SET relayed_at = NULL, created_at = now() - interval '1 minute'")
    logged = capture(monkeypatch, nodes)
    heard: list[Command] = []

    async def all_else() -> bool:
        left = await world.run("SELECT 1 FROM attendance WHERE left_at IS NOT NULL")
        waits = await world.run("SELECT 1 FROM stream_event WHERE relayed_at IS NULL")
        return bool(heard and left and not waits)

    async with running(worker.keep_house(world.database, bus, world.app.state.settings), obeyed(bus, heard)):
        await until(all_else)
        await world.run("UPDATE node_command SET repeat_at = now()")
        await asyncio.sleep(0.6)
    assert set(heard) == {command}
    assert [(line["event"], line["kind"]) for line in logged] == [("command_unreadable", "dance")]


async def test_a_bus_that_is_away_loses_no_command(world: World) -> None:
    await world.node()
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command, age=5))
    exchange = Exchange()
    away = MemoryBus(exchange)
    await away.close()
    await repeat(world, away)
    assert exchange.commands == {}
    await repeat(world, MemoryBus(exchange))
    assert list(exchange.commands[NODE]) == [command]


async def test_an_answer_is_2xx_also_when_the_bus_is_away_and_the_command_follows(world: World) -> None:
    person = await world.person()
    await world.node()
    await world.app.state.bus.close()
    await person.ok("DELETE", "/v1/sessions/current")
    (row,) = await world.rows(select(NodeCommand))
    assert (row.node, row.done_at) == (NODE, None)
    assert (await world.client.get("/readyz")).json()["code"] == "bus_unavailable"


async def test_saying_done_twice_or_of_nothing_is_fine(world: World, bus: Bus) -> None:
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command))
    for command_id in (command.id, uuid4(), command.id):
        async with world.database.transaction() as db:
            await calls.apply(db, CommandDone(node=NODE, command_id=command_id, at=clock.now()))
    (row,) = await world.rows(select(NodeCommand))
    assert row.done_at is not None


async def test_what_nobody_will_ask_for_again_is_cleared_away(world: World) -> None:
    person = await world.person()
    headers = {"Idempotency-Key": "once-upon-a-time"}
    await person.ok("POST", "/v1/organisations", {"name": "Kept"}, headers=headers)
    old = "now() - interval '20 days'"
    await world.run(f"UPDATE idempotency_key SET created_at = {old}")
    await world.run(f"UPDATE sign_in_session SET ended_at = {old}")
    await world.run(f"UPDATE stream_event SET created_at = {old}")
    await person.client.post("/v1/accounts", json={
        "email": "fresh@example.org", "password": "a long sentence", "name": "Fresh", "zone": "UTC",
    })  # fmt: skip
    task = asyncio.create_task(worker.clear_away(world.database))
    for _ in range(50):
        await asyncio.sleep(0.05)
        if not await world.run("SELECT 1 FROM stream_event"):
            break
    task.cancel()
    assert await world.run("SELECT 1 FROM sign_in_session") == []
    assert [row.floor for row in await world.run("SELECT floor FROM stream WHERE seq > 0")] == [1]
    assert await world.run("SELECT 1 FROM idempotency_key") == []
    assert len(await world.run("SELECT 1 FROM mailed_secret")) == 1, "what is still good stays"
    assert len(await world.run("SELECT 1 FROM organisation")) == 1
