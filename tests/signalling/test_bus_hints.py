"""Hints on each bus: in order, to everyone, and when some went by unseen the reader is told."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import pytest

from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.envelope import Envelope, Hint, Hints, Presence, Typing
from tests.signalling.conftest import OpenBus

# More than any bus keeps of one stream, whole blocks that Valkey trims by included.
MORE_THAN_KEPT = 11_000


def envelope(stream: UUID, seq: int, frame: bytes = b"{}") -> Envelope:
    """One event."""
    return Envelope(stream, "epoch", seq, 1, "message.posted", uuid4(), frame)


def run(stream: UUID, first: int, last: int) -> list[Hint]:
    """Events of one stream."""
    return [envelope(stream, seq) for seq in range(first, last + 1)]


def seqs(hints: Sequence[Hint], stream: UUID) -> list[int]:
    """The numbers of one stream, in the order in which they came."""
    return [hint.seq for hint in hints if isinstance(hint, Envelope) and hint.stream == stream]


async def begin(bus: Bus) -> AsyncIterator[Hints]:
    """A reader that stands at the end."""
    reader = bus.hints()
    async with asyncio.timeout(5):
        assert await anext(reader) == Hints(())
    return reader


async def read(reader: AsyncIterator[Hints], count: int, *, seconds: float = 10.0) -> list[Hint]:
    """So many hints, none of which was missed."""
    found: list[Hint] = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            batch = await anext(reader)
            assert not batch.missed
            found += batch.items
    return found


async def quiet(reader: AsyncIterator[Hints]) -> None:
    """Nothing more comes."""
    async with asyncio.timeout(5):
        assert await anext(reader) == Hints(())


async def test_all_kinds_arrive_as_they_were_sent(buses: OpenBus) -> None:
    reader = await begin(buses())
    everything = bytes(range(256)) * 3 + b"\r\n$5\r\n"
    sent: list[Hint] = [
        Envelope(uuid4(), "Ab-_9", 2**40, 2**33, "message.posted", uuid4(), everything),
        Envelope(uuid4(), "", 0, 0, "", None, b""),
        Envelope(uuid4(), "é", 1, 1, "ünï", None, "„ذ“".encode()),
        Envelope(UUID(int=0), "e", 1, 1, "k", UUID(int=0), b"x" * 200_000),
        Typing(uuid4(), uuid4(), typing=True),
        Typing(uuid4(), uuid4(), typing=False),
        Presence(uuid4(), "node-1", "online"),
        Presence(uuid4(), "nœud", "away"),
        Presence(uuid4(), "", "offline"),
    ]
    await buses().publish_hints(sent)
    found = await read(reader, len(sent))
    assert sorted(map(repr, found)) == sorted(map(repr, sent))


async def test_each_stream_keeps_its_order(buses: OpenBus) -> None:
    reader, sender = await begin(buses()), buses()
    streams = [uuid4() for _ in range(5)]
    for first in range(1, 300, 60):
        runs = [run(stream, first, first + 59) for stream in streams]
        await sender.publish_hints([hint for together in zip(*runs, strict=True) for hint in together])
    found = await read(reader, 1500)
    for stream in streams:
        assert seqs(found, stream) == list(range(1, 301))


async def test_typing_keeps_its_place_among_the_messages(buses: OpenBus) -> None:
    reader, stream = await begin(buses()), uuid4()
    sent: list[Hint] = [
        Typing(stream, uuid4(), typing=True),
        envelope(stream, 1),
        Typing(stream, uuid4(), False),
    ]
    await buses().publish_hints(sent)
    assert await read(reader, 3) == sent


async def test_every_reader_gets_all_of_it(buses: OpenBus) -> None:
    same = buses()
    readers = [await begin(bus) for bus in (same, same, buses())]
    sender, stream = buses(), uuid4()
    for seq in range(1, 11):
        await sender.publish_hints([envelope(stream, seq)])
    for reader in readers:
        assert seqs(await read(reader, 10), stream) == list(range(1, 11))
        await quiet(reader)


async def test_a_reader_gets_what_comes_after_it_began(buses: OpenBus) -> None:
    sender, stream = buses(), uuid4()
    await sender.publish_hints(run(stream, 1, 5))
    reader = await begin(buses())
    await sender.publish_hints([])
    await sender.publish_hints(run(stream, 6, 7))
    assert seqs(await read(reader, 2), stream) == [6, 7]
    await quiet(reader)


async def test_a_waiting_reader_is_told_at_once(buses: OpenBus) -> None:
    reader, sender = await begin(buses()), buses()
    await sender.publish_hints([envelope(uuid4(), 1)])
    await read(reader, 1)
    waiting = asyncio.create_task(read(reader, 1))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await sender.publish_hints([envelope(uuid4(), 1)])
    await waiting
    assert time.monotonic() - started < 0.3


async def test_silence_is_reported_every_second(buses: OpenBus) -> None:
    reader = await begin(buses())
    for _ in range(3):
        async with asyncio.timeout(1.0):
            assert await anext(reader) == Hints(())


async def test_who_falls_behind_is_told(buses: OpenBus) -> None:
    reader, keeps_up, sender, stream = await begin(buses()), await begin(buses()), buses(), uuid4()
    for first in range(1, MORE_THAN_KEPT, 500):
        await sender.publish_hints(run(stream, first, first + 499))
        # The control: so many went by, and whoever reads them misses nothing.
        assert seqs(await read(keeps_up, 500), stream) == list(range(first, first + 500))
    batches: list[Hints] = []
    async with asyncio.timeout(20):
        while not batches or batches[-1] != Hints(()):
            batches.append(await anext(reader))
    assert batches[0].missed
    assert not any(batch.missed for batch in batches[1:])
    found = seqs([hint for batch in batches for hint in batch.items], stream)
    assert found == list(range(found[0], MORE_THAN_KEPT + 1))
    assert found[0] > 1


async def test_who_is_nearly_too_late_misses_nothing(buses: OpenBus) -> None:
    sender, stream = buses(), uuid4()
    await sender.publish_hints(run(stream, 1, 5_000))
    reader = await begin(buses())
    for first in range(5_001, 14_000, 1_000):
        await sender.publish_hints(run(stream, first, first + 999))
    assert seqs(await read(reader, 9_000), stream) == list(range(5_001, 14_001))
    await quiet(reader)


async def test_one_batch_is_bounded(buses: OpenBus) -> None:
    reader, sender, stream = await begin(buses()), buses(), uuid4()
    await sender.publish_hints(run(stream, 1, 1_300))
    sizes: list[int] = []
    while sum(sizes) < 1_300:
        sizes.append(len((await anext(reader)).items))
    assert sizes == [500, 500, 300]


async def test_closing_ends_hints(buses: OpenBus) -> None:
    bus = buses()

    async def read_all() -> None:
        async for _ in bus.hints():
            pass

    reading = asyncio.create_task(read_all())
    await bus.publish_hints([envelope(uuid4(), 1)])
    await asyncio.sleep(0.1)
    await bus.close()
    async with asyncio.timeout(2):
        await reading
    with pytest.raises(BusUnavailable):
        await bus.publish_hints([envelope(uuid4(), 1)])
