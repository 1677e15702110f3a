"""Numbers without holes, seen in order, also when many write; what is forgotten, and what leaves late."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from sqlalchemy import and_, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock, outbox, streams
from app.core.db import Database, before_commit, open_database
from app.core.streams import Address, Stream, StreamEvent, StreamKind
from signalling.contracts.bus import Bus
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.envelope import Envelope
from tests.app.kept import sweep
from tests.world import World

pytestmark = pytest.mark.database
WRITERS, EACH = 16, 25


@pytest.fixture
async def world(shared_world: World) -> World:
    """An empty world, in a database that the tests of this module share."""
    await sweep(shared_world)
    return shared_world


@pytest.fixture
async def database(world: World) -> AsyncIterator[Database]:
    """The world's database, with room for all writers at once and nobody who publishes."""
    url = world.database.engine.url.render_as_string(hide_password=False)
    opened = open_database(url, pool=WRITERS + 2)
    yield opened
    await opened.close()


class Undone(Exception):
    """A transaction that fails at its end."""


def addresses(count: int) -> list[Address]:
    """Streams that nothing was said in."""
    return sorted((Address(StreamKind.ACCOUNT, uuid4()) for _ in range(count)), key=lambda one: one.id)


async def say(database: Database, *said: Address, times: int = 1) -> None:
    for _ in range(times):
        async with database.transaction() as db:
            for stream in said:
                streams.announce(db, stream, "account.changed", uuid4())


async def numbers(world: World, stream: Address) -> list[int]:
    """The numbers of all events in a stream."""
    rows = await world.rows(select(StreamEvent.seq).where(StreamEvent.stream_id == stream.id))
    return sorted(rows)


# One at a time


async def test_each_stream_counts_for_itself_and_saying_twice_is_saying_once(world: World) -> None:
    left, right = addresses(2)
    subject = uuid4()
    async with world.database.transaction() as db:
        for stream in (right, left, right):
            streams.announce(db, stream, "pairing.changed", subject)
        streams.announce(db, right, "pairing.changed", uuid4())
    await say(world.database, right)
    assert (await numbers(world, left), await numbers(world, right)) == ([1], [1, 2, 3])


async def test_what_is_rolled_back_leaves_no_hole_and_tells_nobody(world: World) -> None:
    (stream,) = addresses(1)
    await say(world.database, stream)

    async def fail() -> None:
        async with world.database.transaction() as db:
            streams.announce(db, stream, "account.changed", uuid4())
            assert [one.seq for one in await streams.number(db)] == [2]
            raise Undone

    with pytest.raises(Undone):
        await fail()
    await say(world.database, stream)
    assert await numbers(world, stream) == [1, 2]


async def test_streams_are_locked_once_in_a_transaction(world: World) -> None:
    left, right = addresses(2)
    async with world.database.transaction() as db:
        streams.announce(db, right, "account.changed", uuid4())
        await streams.number(db)
        streams.announce(db, right, "account.changed", uuid4())  # it is locked already
        await streams.number(db)
        streams.announce(db, left, "account.changed", uuid4())
        with pytest.raises(RuntimeError, match="once per transaction"):
            await streams.number(db)
    assert await numbers(world, right) == [1, 2]


async def test_what_is_noted_too_late_is_refused_and_not_forgotten(world: World) -> None:
    (stream,) = addresses(1)

    async def changes_after_numbering() -> None:
        async with world.database.transaction() as db:
            streams.announce(db, stream, "account.changed", uuid4())
            await streams.number(db)
            streams.change_roster(db, stream)

    async def says_during_the_commit(said: Callable[[AsyncSession], None]) -> None:
        async def late(db: AsyncSession) -> None:
            said(db)

        async with world.database.transaction() as db:
            streams.announce(db, stream, "account.changed", uuid4())
            before_commit(db, late)

    with pytest.raises(RuntimeError, match="with its roster as it was"):
        await changes_after_numbering()
    with pytest.raises(RuntimeError, match="before it begins"):
        await says_during_the_commit(lambda db: streams.announce(db, stream, "account.changed", uuid4()))
    with pytest.raises(RuntimeError, match="before it begins"):
        await says_during_the_commit(lambda db: streams.change_roster(db, stream))
    assert await numbers(world, stream) == []
    async with world.database.transaction() as db:
        streams.change_roster(db, stream)
        await streams.number(db)
        streams.change_roster(db, stream)  # it was counted when it was locked
    (head,) = await world.rows(select(Stream).where(Stream.id == stream.id))
    assert head.roster_version == 2


async def test_who_hears_it_changes_its_version_and_not_its_numbers(world: World) -> None:
    (stream,) = addresses(1)
    await world.node()
    await say(world.database, stream)
    async with world.database.transaction() as db:
        streams.change_roster(db, stream)
        streams.change_roster(db, stream)
    (head,) = await world.rows(select(Stream).where(Stream.id == stream.id))
    assert (head.seq, head.roster_version) == (1, 2)
    rows = await world.run("SELECT payload FROM node_command")
    assert [(row.payload["stream"], row.payload["version"]) for row in rows] == [(str(stream.id), 2)]


# Many at once


Numbering = Callable[[AsyncSession], Awaitable[object]]


async def write(database: Database, places: list[Address], numbering: Numbering, seed: int) -> None:
    """Say something in a few streams at a time; now and then it comes to nothing."""
    chance = random.Random(seed)
    for _ in range(EACH):
        try:
            async with database.transaction() as db:
                for stream in chance.sample(places, chance.randint(1, 3)):
                    streams.announce(db, stream, "account.changed", uuid4())
                await numbering(db)
                await asyncio.sleep(chance.random() * 0.004)
                if chance.random() < 0.1:
                    raise Undone
        except Undone:
            continue


async def follow(database: Database, places: list[Address], done: asyncio.Event) -> set[tuple[UUID, int]]:
    """What a client learns that always asks for what comes after the last number it knows."""
    known = dict.fromkeys((place.id for place in places), 0)
    learned: set[tuple[UUID, int]] = set()
    last_time = False
    while not last_time:
        last_time = done.is_set()
        async with database.transaction() as db:
            for stream, seq in known.items():
                newer = and_(StreamEvent.stream_id == stream, StreamEvent.seq > seq)
                found = list(await db.scalars(select(StreamEvent.seq).where(newer)))
                learned |= {(stream, one) for one in found}
                known[stream] = max([seq, *found])
        await asyncio.sleep(0.002)
    return learned


async def everyone_writes(
    database: Database, numbering: Numbering
) -> tuple[set[tuple[UUID, int]], list[int]]:
    """What was written and never learned, and how many numbers are missing in each stream."""
    places, done = addresses(4), asyncio.Event()
    async with database.transaction() as db:
        await streams.ensure(db, places)
    followers = [asyncio.create_task(follow(database, places, done)) for _ in range(2)]
    # All of them come to their end: one that is cancelled while it connects would leave a connection behind.
    writers = (write(database, places, numbering, seed) for seed in range(WRITERS))
    ends = await asyncio.gather(*writers, return_exceptions=True)
    done.set()
    learned = await asyncio.gather(*followers)
    failed = [end for end in ends if isinstance(end, Exception)]
    if failed:
        raise ExceptionGroup("writers failed", failed)
    async with database.transaction() as db:
        rows = await db.execute(select(StreamEvent.stream_id, StreamEvent.seq))
        written = {(stream, seq) for stream, seq in rows}
    missing = [_holes(seq for stream, seq in written if stream == place.id) for place in places]
    return written - (learned[0] & learned[1]), missing


def _holes(found: Iterable[int]) -> int:
    there = set(found)
    return max(there) - len(there)


async def test_sixteen_writers_leave_no_hole_and_nothing_appears_late(database: Database) -> None:
    lost, holes = await everyone_writes(database, streams.number)
    assert (lost, holes) == (set(), [0, 0, 0, 0])


async def test_one_serial_for_everything_loses_what_commits_late(database: Database) -> None:
    """The control: numbers from a sequence, given without a lock."""
    async with database.transaction() as db:
        await db.execute(text("CREATE SEQUENCE IF NOT EXISTS planted_serial"))

    async def serial(db: AsyncSession) -> None:
        pending: Any = db.info["streams"]
        notes, pending.notes = pending.notes, {}
        for stream in notes:
            seq = await db.scalar(text("SELECT nextval('planted_serial')"))
            db.add(StreamEvent(stream_id=stream.id, seq=seq, kind="account.changed"))
        await db.flush()

    lost, holes = await everyone_writes(database, serial)
    assert lost
    assert all(holes)


async def test_locks_in_any_order_end_in_deadlock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control for the order of locks."""

    def shuffled(found: Iterable[Address], **_: Any) -> list[Address]:
        return random.sample(list(found), len(list(found)))

    async def slowly(db: AsyncSession) -> None:
        await streams.number(db)

    monkeypatch.setattr(streams, "sorted", shuffled, raising=False)
    monkeypatch.setattr("tests.app.test_streams.EACH", 5)
    with pytest.raises(ExceptionGroup) as caught:
        await everyone_writes(database, slowly)
    assert caught.group_contains(DBAPIError, match="deadlock detected")


# Forgetting


async def age(world: World, stream: Address, *, up_to: int, days: int = 20) -> None:
    await world.run(
        "UPDATE stream_event SET created_at = created_at - make_interval(days => :days) "
        "WHERE stream_id = :id AND seq <= :seq",
        days=days, id=stream.id, seq=up_to,
    )  # fmt: skip


async def test_retention_goes_through_all_streams_in_portions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = addresses(5)
    await say(world.database, *found, times=3)
    for stream in found:
        await age(world, stream, up_to=2)
    monkeypatch.setattr(outbox, "BATCH", 2)
    dealt_with: list[int] = []
    while not dealt_with or dealt_with[-1]:
        async with world.database.transaction() as db:
            dealt_with.append(await outbox.clear_away(db, clock.now() - timedelta(days=14)))
    assert dealt_with == [2, 2, 1, 0]
    assert [await numbers(world, stream) for stream in found] == [[3]] * 5
    assert {head.floor for head in await world.rows(select(Stream))} == {2}
    await say(world.database, *found)
    assert [await numbers(world, stream) for stream in found] == [[3, 4]] * 5, "numbers go on"


REVERSED: Final = "SELECT id FROM stream ORDER BY id DESC FOR NO KEY UPDATE"


@pytest.mark.parametrize("planted", [False, True], ids=["by id", "the other way round"])
async def test_retention_takes_rows_in_the_order_of_everyone(
    world: World, database: Database, planted: bool
) -> None:
    """Someone holds the first stream and wants the second one, while retention wants both."""
    first, second = addresses(2)
    await say(database, first, second)
    for stream in (first, second):
        await age(world, stream, up_to=1)
    lock = text("SELECT id FROM stream WHERE id = :id FOR NO KEY UPDATE")

    async def forget() -> None:
        async with database.transaction() as db:
            if planted:
                await db.execute(text(REVERSED))
            await outbox.clear_away(db, clock.now() - timedelta(days=14))

    async def both() -> None:
        async with database.transaction() as db:
            await db.execute(lock, {"id": first.id})
            forgetting = asyncio.create_task(forget())
            await _until_someone_waits(world)
            await db.execute(lock, {"id": second.id})
        await forgetting

    if planted:
        with pytest.raises(DBAPIError, match="deadlock detected"):
            await both()
    else:
        await both()
        assert await numbers(world, first) == []


async def _until_someone_waits(world: World) -> None:
    async with asyncio.timeout(30):
        while not await world.run(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)


# Leaving late


async def swept(database: Database, bus: Bus) -> int:
    async with database.transaction() as db:
        return await outbox.sweep(db, bus)


async def test_what_a_crash_left_behind_leaves_in_order_and_once(world: World, database: Database) -> None:
    (stream,) = addresses(1)
    await say(database, stream, times=3)  # nobody publishes: the process died after its commit
    exchange = Exchange()
    assert await swept(database, MemoryBus(exchange)) == 0, "it may be about to leave by itself"
    await asyncio.sleep(outbox.OVERDUE.total_seconds())
    away = MemoryBus(Exchange())
    await away.close()
    assert await swept(database, away) == 0
    assert await swept(database, MemoryBus(exchange)) == 3
    assert await swept(database, MemoryBus(exchange)) == 0
    left = [hint for hint in exchange.hints if isinstance(hint, Envelope)]
    assert [(one.stream, one.seq) for one in left] == [(stream.id, 1), (stream.id, 2), (stream.id, 3)]
    assert [json.loads(one.frame)["seq"] for one in left] == [1, 2, 3]
    assert await world.run("SELECT 1 FROM stream_event WHERE relayed_at IS NULL") == []


# Signing out meanwhile


async def test_a_sign_out_under_way_goes_before_a_ticket(world: World, database: Database) -> None:
    """A ticket that is signed while its session ends would open a socket that nobody closes."""
    await world.node()
    person = await world.person()
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE sign_in_session SET ended_at = now() WHERE id = :id"), {"id": person.session_id}
        )
        asking = asyncio.create_task(person.post("/v1/events/ticket"))
        await _until_someone_waits(world)
    answer = await asking
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
