"""What every bus promises, on each adapter; Valkey is a real server that gets killed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import redis

from signalling.contracts.bus import Bus, BusUnavailable, FactDelivery
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.bus_open import open_bus
from signalling.contracts.bus_valkey import ValkeyBus
from signalling.contracts.calls import Command, EndCall, Fact, NodeAlive, ParticipantJoined, RevokeSession
from signalling.facts import FactKeeper
from tests.signalling.valkey_server import ValkeyServer

CLAIM = 0.3
OpenBus = Callable[[], Bus]


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("v"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["memory", "valkey"])
async def buses(request: pytest.FixtureRequest) -> AsyncIterator[OpenBus]:
    """Opens any number of ends of one bus."""
    opened: list[Bus] = []
    exchange = Exchange()
    url = ""
    if request.param == "valkey":
        server: ValkeyServer = request.getfixturevalue("shared_server")
        client = redis.Redis(unix_socket_path=str(server.socket))
        client.flushall()
        client.close()
        url = server.url

    def open_one() -> Bus:
        bus: Bus = ValkeyBus(url, claim_seconds=CLAIM) if url else MemoryBus(exchange, claim_seconds=CLAIM)
        opened.append(bus)
        return bus

    yield open_one
    for bus in opened:
        await bus.close()


def joined(node: str = "node-1") -> ParticipantJoined:
    """A fact."""
    return ParticipantJoined(
        node=node,
        call_id=uuid4(),
        epoch=1,
        participant_id=uuid4(),
        membership_id=uuid4(),
        at=datetime.now(UTC),
    )


async def take(facts: AsyncIterator[FactDelivery], seconds: float = 5.0) -> FactDelivery:
    """The next delivery."""
    async with asyncio.timeout(seconds):
        return await anext(facts)


async def nothing_comes(facts: AsyncIterator[FactDelivery], seconds: float) -> bool:
    """Whether no fact is delivered for so long."""
    waiting = asyncio.ensure_future(anext(facts))
    done, _ = await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return not done


async def test_a_fact_arrives_and_its_node_hears_of_the_commit(buses: OpenBus) -> None:
    node, app = buses(), buses()
    fact = joined()
    await node.publish_fact(fact)
    delivery = await take(app.facts("one"))
    assert delivery.fact == fact
    await delivery.committed()
    async with asyncio.timeout(5):
        assert await anext(node.acknowledgements("node-1")) == fact.id


async def test_acknowledgements_go_to_their_node_only(buses: OpenBus) -> None:
    app, here, there = buses(), buses(), buses()
    facts = [joined("node-1"), joined("node-2")]
    for fact in facts:
        await here.publish_fact(fact)
    deliveries = app.facts("one")
    for _ in facts:
        await (await take(deliveries)).committed()
    async with asyncio.timeout(5):
        assert await anext(here.acknowledgements("node-1")) == facts[0].id
        assert await anext(there.acknowledgements("node-2")) == facts[1].id


async def test_facts_keep_their_order_and_reach_one_consumer_each(buses: OpenBus) -> None:
    node, app = buses(), buses()
    facts = [joined() for _ in range(20)]
    for fact in facts:
        await node.publish_fact(fact)
    seen: list[UUID] = []
    one = app.facts("one")
    for _ in facts:
        delivery = await take(one)
        seen.append(delivery.fact.id)
        await delivery.committed()
    assert seen == [fact.id for fact in facts]
    assert await nothing_comes(buses().facts("two"), 2 * CLAIM)


async def test_what_a_dead_consumer_held_goes_to_another(buses: OpenBus) -> None:
    node, app = buses(), buses()
    fact = joined()
    await node.publish_fact(fact)
    assert (await take(app.facts("dies"))).fact == fact
    delivery = await take(buses().facts("lives"))
    assert delivery.fact == fact
    await delivery.committed()
    assert await nothing_comes(buses().facts("third"), 2 * CLAIM)


async def test_a_waiting_consumer_is_told_at_once(buses: OpenBus) -> None:
    node, app = buses(), buses()
    waiting = asyncio.ensure_future(take(app.facts("one")))
    await asyncio.sleep(0.05)
    fact: Fact = NodeAlive(node="node-1", url="ws://here", at=datetime.now(UTC))
    await node.publish_fact(fact)
    assert (await waiting).fact == fact


async def test_commands_reach_their_node_in_order(buses: OpenBus) -> None:
    node, app = buses(), buses()
    sent: list[Command] = [
        EndCall(call_id=uuid4()),
        RevokeSession(session_id=uuid4()),
        EndCall(call_id=uuid4()),
    ]
    for command in sent:
        await app.publish_command("node-1", command)
    await app.publish_command("node-2", EndCall(call_id=uuid4()))
    commands = node.commands("node-1")
    async with asyncio.timeout(5):
        assert [await anext(commands) for _ in sent] == sent


async def test_a_command_in_hand_comes_again_when_its_reader_dies(buses: OpenBus) -> None:
    app = buses()
    first, second = EndCall(call_id=uuid4()), EndCall(call_id=uuid4())
    await app.publish_command("node-1", first)
    async with asyncio.timeout(5):
        dying = buses()
        assert await anext(dying.commands("node-1")) == first
        await dying.close()
        commands = buses().commands("node-1")
        assert await anext(commands) == first
        await app.publish_command("node-1", second)
        assert await anext(commands) == second


async def test_closing_ends_iterators_and_refuses_to_publish(buses: OpenBus) -> None:
    bus = buses()
    await bus.ping()

    async def read_all() -> int:
        return len([delivery async for delivery in bus.facts("one")])

    reading = asyncio.create_task(read_all())
    await asyncio.sleep(0.05)
    await bus.close()
    async with asyncio.timeout(5):
        assert await reading == 0


async def test_open_bus_reads_the_url(tmp_path: Path) -> None:
    one, two, other = open_bus("memory://a"), open_bus("memory://a"), open_bus("memory://b")
    fact = joined()
    await one.publish_fact(fact)
    assert (await take(two.facts("x"))).fact == fact
    assert await nothing_comes(other.facts("x"), 0.05)
    assert isinstance(open_bus(None), MemoryBus)
    valkey = open_bus(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(BusUnavailable):
        await valkey.ping()
    with pytest.raises(BusUnavailable):
        await valkey.publish_fact(fact)
    with pytest.raises(BusUnavailable):
        await valkey.publish_command("node-1", EndCall(call_id=uuid4()))
    for bus in (one, two, other, valkey):
        await bus.close()


# Valkey only


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
