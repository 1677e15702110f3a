"""What every bus promises about facts and commands, on each adapter."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from signalling.contracts.bus import BusUnavailable, FactDelivery
from signalling.contracts.bus_memory import MemoryBus
from signalling.contracts.bus_open import open_bus
from signalling.contracts.calls import (
    Command,
    EndCall,
    Fact,
    NodeAlive,
    ParticipantJoined,
    RevokeSession,
)
from tests.signalling.conftest import CLAIM, OpenBus


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


async def test_a_fact_that_is_never_committed_comes_no_more_often_than_it_is_sent(buses: OpenBus) -> None:
    """App cannot take it in, so its node repeats it; what came before is not delivered again besides."""
    node, app = buses(), buses()
    deliveries = app.facts("one")
    fact, others = joined(), [joined() for _ in range(10)]
    for other in others:
        await node.publish_fact(fact)
        await node.publish_fact(other)
    for other in others:
        assert (await take(deliveries)).fact == fact
        delivery = await take(deliveries)
        assert delivery.fact == other
        await delivery.committed()
    # Only the last one is still to be had, again and again.
    assert (await take(deliveries)).fact == fact
    for _ in range(2):
        handed_out = time.monotonic()
        assert (await take(deliveries)).fact == fact
        assert time.monotonic() - handed_out > CLAIM / 3


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
