"""Facts and commands on a Valkey that is killed: their senders keep them, and send again."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis

from signalling.contracts.bus import BusUnavailable
from signalling.contracts.bus_valkey import ValkeyBus
from signalling.contracts.calls import Command, CommandDone, EndCall
from signalling.facts import FactKeeper
from tests.signalling.conftest import CLAIM
from tests.signalling.test_bus import joined, take
from tests.signalling.valkey_server import ValkeyServer


async def test_unreadable_entries_are_passed_over(valkey: ValkeyServer) -> None:
    bus = ValkeyBus(valkey.url, claim_seconds=CLAIM)
    client = redis.Redis(unix_socket_path=str(valkey.socket))
    for fields in ({"fact": "{}"}, {"other": "x"}, {"fact": "nonsense"}):
        client.xadd("mentorspan:facts", fields)  # type: ignore[arg-type]
    client.xadd("mentorspan:node:node-1:commands", {"command": "{}"})
    fact, command = joined(), EndCall(call_id=uuid4())
    await bus.publish_fact(fact)
    await bus.publish_command("node-1", command)
    assert (await take(bus.facts("one"))).fact == fact
    async with asyncio.timeout(5):
        assert await anext(bus.commands("node-1")) == command
    client.close()
    await bus.close()


async def test_what_was_trimmed_while_pending_is_passed_over(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers before Redis 7 name such entries as nothing at all."""
    bus = ValkeyBus(valkey.url, claim_seconds=CLAIM)

    async def claim(*_: Any, **__: Any) -> Any:
        return [b"0-0", [(None, None)]]

    await bus.publish_fact(joined())
    await (await take(bus.facts("one"))).committed()
    monkeypatch.setattr(bus._redis, "xautoclaim", claim)
    fact = joined()
    await bus.publish_fact(fact)
    assert (await take(bus.facts("one"))).fact == fact
    await bus.close()


async def test_streams_do_not_grow_when_all_is_well(valkey: ValkeyServer) -> None:
    bus = ValkeyBus(valkey.url)
    deliveries = bus.facts("one")
    acknowledged = bus.acknowledgements("node-1")
    for _ in range(5):
        await bus.publish_fact(joined())
        delivery = await take(deliveries)
        await delivery.committed()
        async with asyncio.timeout(5):
            assert await anext(acknowledged) == delivery.fact.id
    client = redis.Redis(unix_socket_path=str(valkey.socket))
    assert client.xlen("mentorspan:facts") == 0
    # The last acknowledgement is deleted when the next one is asked for.
    assert client.xlen("mentorspan:node:node-1:acknowledgements") <= 1
    assert int(client.ttl("mentorspan:node:node-1:acknowledgements")) > 0
    client.close()
    await bus.close()


async def test_facts_and_commands_survive_a_killed_server(valkey: ValkeyServer) -> None:
    """`kill -9`, and the new server has none of the old data: what matters is sent again by who keeps it."""
    node, app = ValkeyBus(valkey.url, claim_seconds=CLAIM), ValkeyBus(valkey.url, claim_seconds=CLAIM)
    keeper = FactKeeper(node, "node-1")
    seen: dict[UUID, int] = {}

    async def take_in() -> None:
        async for delivery in app.facts("app"):
            seen[delivery.fact.id] = seen.get(delivery.fact.id, 0) + 1
            try:
                await delivery.committed()
            except BusUnavailable:
                continue

    tasks = [asyncio.create_task(work) for work in (keeper.send(), keeper.listen(), take_in())]
    before, meanwhile, after = ([joined() for _ in range(5)] for _ in range(3))
    for fact in before:
        keeper.keep(fact)
    assert await keeper.settled(5)
    commands = node.commands("node-1")
    first = asyncio.ensure_future(anext(commands))
    await asyncio.sleep(0.05)

    valkey.kill()
    for fact in meanwhile:
        keeper.keep(fact)
    assert not await keeper.settled(0.5)
    assert len(keeper) == 5
    with pytest.raises(BusUnavailable):
        await app.publish_command("node-1", EndCall(call_id=uuid4()))

    valkey.start()
    for fact in after:
        keeper.keep(fact)
    assert await keeper.settled(10)
    assert seen.keys() == {fact.id for fact in (*before, *meanwhile, *after)}
    command = EndCall(call_id=uuid4())
    await app.publish_command("node-1", command)
    async with asyncio.timeout(5):
        assert await first == command
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await node.close()
    await app.close()


async def test_a_server_that_dies_between_delivery_and_commit_loses_nothing(valkey: ValkeyServer) -> None:
    """App has the fact but could not say so: it comes again, and the second time it is acknowledged."""
    node, app = ValkeyBus(valkey.url, claim_seconds=CLAIM), ValkeyBus(valkey.url, claim_seconds=CLAIM)
    keeper = FactKeeper(node, "node-1")
    tasks = [asyncio.create_task(work) for work in (keeper.send(), keeper.listen())]
    keeper.keep(fact := joined())
    deliveries = app.facts("app")
    delivery = await take(deliveries)
    valkey.kill()
    with pytest.raises(BusUnavailable):
        await delivery.committed()
    valkey.start()
    again = await take(deliveries, 10)
    assert again.fact == fact
    await again.committed()
    assert await keeper.settled(5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await node.close()
    await app.close()


async def repeat(app: ValkeyBus, unanswered: dict[UUID, Command]) -> None:
    """What app does with commands that nobody has answered."""
    while True:
        with contextlib.suppress(BusUnavailable):
            for command in list(unanswered.values()):
                await app.publish_command("node-1", command)
        await asyncio.sleep(0.1)


async def test_nothing_is_lost_while_the_server_dies_again_and_again(valkey: ValkeyServer) -> None:
    """Three kills under way: every fact reaches app, every command is obeyed and app hears that it was."""
    node, app = ValkeyBus(valkey.url, claim_seconds=CLAIM), ValkeyBus(valkey.url, claim_seconds=CLAIM)
    keeper = FactKeeper(node, "node-1")
    facts: set[UUID] = set()
    obeyed: set[UUID] = set()
    unanswered: dict[UUID, Command] = {}

    async def take_in() -> None:
        async for delivery in app.facts("app"):
            facts.add(delivery.fact.id)
            if isinstance(delivery.fact, CommandDone):
                unanswered.pop(delivery.fact.command_id, None)
            with contextlib.suppress(BusUnavailable):
                await delivery.committed()

    async def obey() -> None:
        async for command in node.commands("node-1"):
            obeyed.add(command.id)
            keeper.keep(CommandDone(node="node-1", command_id=command.id, at=datetime.now(UTC)))

    work = (keeper.send(), keeper.listen(), take_in(), obey(), repeat(app, unanswered))
    tasks = [asyncio.create_task(part) for part in work]
    kept: set[UUID] = set()
    commanded: set[UUID] = set()
    for turn in range(240):
        keeper.keep(fact := joined())
        kept.add(fact.id)
        command: Command = EndCall(call_id=uuid4())
        unanswered[command.id] = command
        commanded.add(command.id)
        await asyncio.sleep(0.005)
        if turn % 80 == 40:
            valkey.kill()
        elif turn % 80 == 60:
            valkey.start()
    async with asyncio.timeout(30):
        while unanswered or not await keeper.settled(0.5):
            await asyncio.sleep(0.05)
    assert kept <= facts
    assert commanded == obeyed
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await node.close()
    await app.close()
