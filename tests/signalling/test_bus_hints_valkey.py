"""Hints on a Valkey that is killed, hangs, comes back empty, or holds what nobody can read."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from signalling.contracts import bus_valkey, bus_valkey_hints
from signalling.contracts.bus import BusUnavailable
from signalling.contracts.bus_valkey import ValkeyBus
from signalling.contracts.bus_valkey_hints import FEWEST, KEPT, SHARD_BYTES, SHARDS, HintReader
from signalling.contracts.bus_valkey_packing import Unreadable, pack, unpack
from signalling.contracts.envelope import Envelope, Hint, Hints, Presence, Typing
from tests.signalling.test_bus_hints import begin, envelope, quiet, read, run, seqs
from tests.signalling.valkey_server import ValkeyServer

FAR_IN_THE_FUTURE = "99999999999999-0"


@pytest.fixture
async def ends(valkey: ValkeyServer) -> AsyncIterator[tuple[ValkeyBus, ValkeyBus]]:
    """A sender's and a reader's end."""
    both = ValkeyBus(valkey.url), ValkeyBus(valkey.url)
    yield both
    for bus in both:
        await bus.close()


def client(server: ValkeyServer) -> redis.Redis:
    """Whoever else uses the server."""
    return redis.Redis(unix_socket_path=str(server.socket))


def shard(stream: UUID) -> str:
    """Where hints about the stream are."""
    return f"mentorspan:hints:{stream.int % SHARDS}"


async def missed(reader: AsyncIterator[Hints], seconds: float = 5.0) -> None:
    """The next that is heard, at once after the server is back, is that some may have gone by."""
    async with asyncio.timeout(seconds):
        assert await anext(reader) == Hints((), missed=True)


async def test_a_killed_server_is_a_gap_and_then_all_goes_on(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus]
) -> None:
    sender, bus = ends
    reader, stream = await begin(bus), uuid4()
    for turn in range(3):
        await sender.publish_hints(run(stream, 1, 3))
        assert seqs(await read(reader, 3), stream) == [1, 2, 3]
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0.05 * turn)
        valkey.kill()
        with pytest.raises(BusUnavailable):
            await sender.publish_hints(run(stream, 4, 4))
        # While the bus is away there is silence, not news.
        done, _ = await asyncio.wait({waiting}, timeout=0.8)
        assert not done
        valkey.start()
        async with asyncio.timeout(5):
            assert await waiting == Hints((), missed=True)
    await sender.publish_hints(run(stream, 5, 6))
    assert seqs(await read(reader, 2), stream) == [5, 6]
    await quiet(reader)


async def test_a_server_that_was_replaced_between_two_reads_is_noticed(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus]
) -> None:
    """Nobody waits on the connection while it breaks; it must not come back as if nothing had been."""
    sender, bus = ends
    reader, stream = await begin(bus), uuid4()
    valkey.kill()
    valkey.start()
    await sender.publish_hints(run(stream, 1, 2))
    await missed(reader)
    await sender.publish_hints(run(stream, 3, 4))
    assert seqs(await read(reader, 2), stream)[-2:] == [3, 4]


async def stand_in_the_future(valkey: ValkeyServer, reader: AsyncIterator[Hints], stream: UUID) -> None:
    """Let the reader read an entry whose number no clock will reach."""
    name, value = pack(envelope(stream, 1))
    client(valkey).xadd(shard(stream), {name: value}, id=FAR_IN_THE_FUTURE)
    assert seqs(await read(reader, 1), stream) == [1]
    valkey.kill()
    valkey.start()
    await asyncio.sleep(0.05)  # until the sender has heard that its connection is gone


async def test_a_server_that_comes_back_with_lower_numbers_is_read(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus]
) -> None:
    """Empty, or from a backup, and its clock is behind."""
    sender, bus = ends
    reader, stream = await begin(bus), uuid4()
    await stand_in_the_future(valkey, reader, stream)
    await missed(reader)
    await sender.publish_hints(run(stream, 1, 2))
    assert seqs(await read(reader, 2), stream) == [1, 2]
    await stand_in_the_future(valkey, reader, stream)
    # This time others have been quicker than the reader.
    await sender.publish_hints(run(stream, 1, 2))
    await missed(reader)
    await sender.publish_hints(run(stream, 3, 4))
    assert seqs(await read(reader, 2), stream) == [3, 4]


async def test_without_a_look_at_the_numbers_it_would_wait_for_ever(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    sender, bus = ends
    reader, stream = await begin(bus), uuid4()

    async def stay(self: HintReader) -> None:
        assert self._places

    monkeypatch.setattr(HintReader, "_take_place", stay)
    await stand_in_the_future(valkey, reader, stream)
    await missed(reader)
    await sender.publish_hints(run(stream, 1, 2))
    await quiet(reader)
    await quiet(reader)


async def test_a_server_with_its_data_goes_on_without_repeating(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus]
) -> None:
    """Only the connection was lost."""
    sender, bus = ends
    reader, stream = await begin(bus), uuid4()
    await sender.publish_hints(run(stream, 1, 3))
    assert seqs(await read(reader, 3), stream) == [1, 2, 3]
    client(valkey).client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.05)
    await sender.publish_hints(run(stream, 4, 5))
    await missed(reader)
    assert seqs(await read(reader, 2), stream) == [4, 5]


async def test_a_server_that_hangs(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_valkey, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(bus_valkey, "BLOCK_SECONDS", 0.5)
    sender, bus = ends
    reader, stream = await begin(bus), uuid4()
    await sender.publish_hints(run(stream, 1, 1))
    await read(reader, 1)
    assert valkey.process is not None
    os.kill(valkey.process.pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(anext(reader))
    try:
        senders = [asyncio.create_task(sender.publish_hints(run(stream, seq, seq))) for seq in (2, 3)]
        async with asyncio.timeout(2):
            for refused in await asyncio.gather(*senders, return_exceptions=True):
                assert isinstance(refused, BusUnavailable)
        await asyncio.sleep(1.0)
        assert not waiting.done()
    finally:
        os.kill(valkey.process.pid, signal.SIGCONT)
    async with asyncio.timeout(5):
        assert await waiting == Hints((), missed=True)
    await sender.publish_hints(run(stream, 4, 4))
    assert seqs(await read(reader, 1), stream)[-1] == 4


async def test_a_reader_that_begins_without_a_server(valkey: ValkeyServer) -> None:
    valkey.kill()
    sender, bus = ValkeyBus(valkey.url), ValkeyBus(valkey.url)
    waiting = asyncio.ensure_future(anext(reader := bus.hints()))
    await asyncio.sleep(0.2)
    valkey.start()
    async with asyncio.timeout(5):
        assert await waiting == Hints((), missed=True)
    await sender.publish_hints(run(stream := uuid4(), 1, 2))
    assert seqs(await read(reader, 2), stream) == [1, 2]
    await sender.close()
    await bus.close()


async def test_long_messages_do_not_fill_the_server(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus]
) -> None:
    sender, _ = ends
    stream, other = uuid4(), UUID(int=0)
    if other.int % SHARDS == stream.int % SHARDS:
        other = UUID(int=1)
    for _ in range(30):
        await sender.publish_hints([envelope(stream, 1, b"x" * 32_000) for _ in range(100)])
        await sender.publish_hints([envelope(other, 1) for _ in range(500)])
    length = client(valkey).xlen
    assert FEWEST <= int(length(shard(stream))) < 2 * FEWEST
    assert 32_000 * 2 * FEWEST < 8 * SHARD_BYTES
    assert KEPT <= int(length(shard(other))) < 1.1 * KEPT


async def test_unreadable_hints_are_passed_over_with_one_warning(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus], caplog: pytest.LogCaptureFixture
) -> None:
    sender, bus = ends
    reader, stream = await begin(bus), uuid4()
    other = client(valkey)
    head, _ = pack(envelope(stream, 1))
    for _ in range(20):
        other.xadd(shard(stream), {"z-from-the-future": "x"})
        other.xadd(shard(stream), {head[:20]: b""})
        other.xadd(shard(stream), {"one": "field", "too": "many"})
    await sender.publish_hints(run(stream, 7, 7))
    with caplog.at_level(logging.WARNING):
        assert seqs(await read(reader, 1), stream) == [7]
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 1


async def test_a_reader_pays_for_one_read_whatever_the_number_of_shards(
    valkey: ValkeyServer, ends: tuple[ValkeyBus, ValkeyBus]
) -> None:
    sender, bus = ends
    reader = await begin(bus)
    await sender.publish_hints([envelope(UUID(int=number), 1) for number in range(SHARDS)])
    assert len((await anext(reader)).items) == SHARDS
    calls = client(valkey).info("commandstats")
    assert calls["cmdstat_xread"]["calls"] == 1
    assert bus_valkey_hints.BLOCK_SECONDS < 1


_hints: st.SearchStrategy[Hint] = st.one_of(
    st.builds(
        Envelope,
        stream=st.uuids(),
        epoch=st.text(max_size=20),
        seq=st.integers(0, 2**63 - 1),
        roster_version=st.integers(0, 2**63 - 1),
        kind=st.text(max_size=20),
        by=st.none() | st.uuids(),
        frame=st.binary(max_size=100),
    ),
    st.builds(Typing, stream=st.uuids(), account_id=st.uuids(), typing=st.booleans()),
    st.builds(
        Presence,
        account_id=st.uuids(),
        node=st.text(max_size=20),
        state=st.sampled_from(["online", "away", "offline"]),
    ),
)


@given(_hints)
def test_what_is_packed_is_unpacked(hint: Hint) -> None:
    assert unpack(*pack(hint)) == hint


@given(_hints, st.integers(0, 80), st.binary(max_size=5))
def test_damage_is_unreadable_and_nothing_worse(hint: Hint, length: int, tail: bytes) -> None:
    name, value = pack(hint)
    try:
        unpack(name[:length] + tail, value[:length] + tail)
    except Unreadable:
        return


def test_nothing_and_bad_text_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        unpack(b"", b"")
    with pytest.raises(Unreadable):
        unpack(pack(Presence(uuid4(), "n", "online"))[0], b"\xff")
