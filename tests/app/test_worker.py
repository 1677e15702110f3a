"""The worker: facts are committed before they are acknowledged, and each part goes on when it fails."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import worker
from app.core import clock
from app.core.nodes import Node
from app.scheduling import calls
from app.settings import Settings
from signalling.contracts.bus import Bus
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.bus_open import open_bus
from signalling.contracts.calls import (
    Command,
    EndCall,
    Fact,
)
from tests.app.at_work import acknowledged, alive, obeyed, running, until, waiting
from tests.logs import capture
from tests.world import NODE, World

pytestmark = pytest.mark.database


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


async def test_a_fact_that_waits_in_vain_for_a_lock_keeps_no_other_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is not away: the one fact comes again, and the others wait for nothing."""
    bus = MemoryBus(Exchange(), claim_seconds=0.2)
    real, heard = calls.apply, list[UUID]()
    await world.save(Node(name="held", url="ws://x", draining=False, calls=0, seen_at=clock.now()))
    stuck, other = alive("held"), alive(NODE)

    async def impatient(db: AsyncSession, fact: Fact) -> None:
        await db.execute(text("SET LOCAL lock_timeout = '50ms'"))
        await real(db, fact)

    async def answered() -> bool:
        return other.id in heard

    async def both() -> bool:
        return {stuck.id, other.id} == set(heard)

    monkeypatch.setattr(calls, "apply", impatient)
    logged = capture(monkeypatch, worker)
    listening = [acknowledged(bus, heard, name) for name in ("held", NODE)]
    async with running(worker.take_in_facts(world.database, bus), *listening) as tasks:
        async with world.database.transaction() as db:
            await db.execute(text("SELECT 1 FROM node WHERE name = 'held' FOR UPDATE"))
            await bus.publish_fact(stuck)
            await bus.publish_fact(other)
            await until(answered)
        await until(both)
        assert not tasks[0].done()
    assert {(line["event"], line["id"]) for line in logged} == {("fact_failed", str(stuck.id))}
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


async def test_what_nobody_will_ask_for_again_is_cleared_away(world: World) -> None:
    person = await world.person()
    headers = {"Idempotency-Key": "once-upon-a-time"}
    await person.ok("POST", "/v1/organisations", {"name": "Kept"}, headers=headers)
    old = "now() - interval '20 days'"
    await world.run(f"UPDATE idempotency_key SET created_at = {old}")
    await world.run(f"UPDATE sign_in_session SET ended_at = {old}")
    await world.run(f"UPDATE stream_event SET created_at = {old}")
    done, never = EndCall(call_id=uuid4()), EndCall(call_id=uuid4())
    await world.save(waiting(done, age=20 * 86_400, done_at=clock.now()), waiting(never, age=20 * 86_400))
    waits = EndCall(call_id=uuid4())
    await world.save(waiting(waits, age=13 * 86_400))
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
    assert [row.id for row in await world.run("SELECT id FROM node_command")] == [waits.id]
    assert len(await world.run("SELECT 1 FROM mailed_secret")) == 1, "what is still good stays"
    assert len(await world.run("SELECT 1 FROM organisation")) == 1
