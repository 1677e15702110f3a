"""How events are written: the same bytes for everybody, and what waits for one socket in one write."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from signalling.connection import Turns
from signalling.contracts.envelope import Envelope
from tests.signalling.world import Ear, World


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


class Tap:
    """Counts what is written to a socket."""

    def __init__(self, world: World, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
        (listener,) = world.node.events.listeners.of(ear.account_id)
        self.written: list[bytes] = []
        write = listener.link.write

        def count(data: bytes) -> None:
            self.written.append(data)
            write(data)

        monkeypatch.setattr(listener.link, "write", count)
        monkeypatch.setattr(listener.link.transport, "write", count)
        Turns.count += 1  # so that nobody goes on with the writes that they remember


async def test_the_same_bytes_go_to_everybody_and_a_burst_in_few_writes(
    world: World, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, other = uuid4(), await world.listen()
    world.app.door.let_hear(stream, ear.account_id, other.account_id)
    taps = [Tap(world, ear, monkeypatch), Tap(world, other, monkeypatch)]
    await world.app.say(world.app.next_event(stream))
    assert await ear.seqs(1) == await other.seqs(1)
    assert taps[0].written[0] is taps[1].written[0]
    for tap in taps:
        tap.written.clear()
    await world.app.say(*[world.app.next_event(stream) for _ in range(100)])
    assert await ear.seqs(100) == list(range(2, 102))
    assert len(taps[0].written) <= 2


async def test_calm_events_are_written_at_once(
    world: World, ear: Ear, stream: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only under load do frames wait for each other."""
    await world.app.say(world.app.next_event(stream))
    await ear.seqs(1)
    await asyncio.sleep(0.02)
    tap = Tap(world, ear, monkeypatch)
    world.node.events.delivery.take(world.app.next_event(stream))
    world.node.events.delivery._writer.flush_soon()
    assert len(tap.written) == 1
    world.node.events.delivery.take(world.app.next_event(stream))
    world.node.events.delivery._writer.flush_soon()
    assert len(tap.written) == 1
    assert await ear.seqs(2) == [2, 3]


async def test_different_streams_leave_in_one_write_too(
    world: World, ear: Ear, stream: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [stream, *[uuid4() for _ in range(4)]]
    for other in streams[1:]:
        world.app.door.let_hear(other, ear.account_id)
    await world.app.say(*[world.app.next_event(one) for one in streams])
    await ear.seqs(5)
    await asyncio.sleep(0.02)
    tap = Tap(world, ear, monkeypatch)
    await world.app.say(*[world.app.next_event(one) for one in streams * 4])
    await ear.seqs(20)
    assert len(tap.written) == 1


SIZES = [0, 125, 126, 65535, 65536, 200_000]


@pytest.mark.parametrize("size", SIZES)
async def test_frames_of_every_length(world: World, ear: Ear, stream: UUID, size: int) -> None:
    template: Any = json.loads(world.app.next_event(stream, data={"text": ""}).frame)
    template["data"]["text"] = "é" + "x" * max(0, size - len(json.dumps(template, ensure_ascii=False)) - 2)
    frame = json.dumps(template, ensure_ascii=False).encode()
    envelope = Envelope(stream, "one", 1, 1, "message.posted", None, frame)
    await world.app.say(envelope)
    assert await ear.next() == template
