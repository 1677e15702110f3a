"""The bus on Valkey or Redis streams.

Facts go through one stream and one consumer group. Each node has a stream of commands and one of
acknowledgements, from which it deletes what it has dealt with; so a reader always reads from the beginning,
and a server that lost everything and counts anew confuses nobody. Every stream is bounded: what overflows is
sent again by whoever keeps it. Hints have a module of their own.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from signalling.contracts.bus import BusUnavailable, FactDelivery
from signalling.contracts.bus_valkey_hints import HintLine, HintReader, HintWriter
from signalling.contracts.calls import Command, Fact, command_adapter, fact_adapter
from signalling.contracts.envelope import Hint, Hints

T = TypeVar("T")
Fields = dict[bytes, bytes]
Entry = tuple[bytes, Fields]

FACTS = "mentorspan:facts"
GROUP = "app"
KEPT_FACTS = 100_000
KEPT_FOR_NODE = 10_000
BATCH = 100
CLAIM_SECONDS = 15.0
ANSWER_SECONDS = 3.0
BLOCK_SECONDS = 2.0
NODE_STREAM_SECONDS = 86_400
IDLE_CONSUMER_SECONDS = 3_600
_PAUSES = (0.05, 0.1, 0.25, 0.5, 1.0)
_FAILURES = (RedisError, OSError, TimeoutError)

log = logging.getLogger(__name__)


class _Delivery:
    def __init__(self, bus: "ValkeyBus", entry: bytes, fact: Fact) -> None:
        self.fact = fact
        self.done = False
        self._bus = bus
        self._entry = entry

    async def committed(self) -> None:
        await self._bus.acknowledge(self._entry, self.fact)
        self.done = True


class ValkeyBus:
    """One process's end of the bus."""

    def __init__(self, url: str, *, claim_seconds: float = CLAIM_SECONDS) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            protocol=2,
            # Retrying is ours: a sender must learn quickly that its message did not get through.
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=ANSWER_SECONDS,
            # With a timeout of its own the client uses `wait_for`, which on Python 3.11 may swallow a
            # cancellation, and costs a task per command. `_ask` and `_persist` keep the time instead.
            socket_timeout=None,
        )
        self._claim_seconds = claim_seconds
        self._closed = asyncio.Event()
        self._telling = HintLine(self._redis)
        self._writer = HintWriter(self._telling)
        self._lines = {self._telling}

    # Facts

    async def publish_fact(self, fact: Fact) -> None:
        await self._ask(self._redis.xadd(FACTS, {"fact": fact.model_dump_json()}, maxlen=KEPT_FACTS))

    async def facts(self, consumer: str) -> AsyncIterator[FactDelivery]:
        claims_at = 0.0
        # What was passed on and not committed. Its node repeats it, and only the last time counts: otherwise
        # a fact that app cannot take in would be claimed again and again as often as it was ever sent.
        open_entries: dict[UUID, bytes] = {}
        while True:
            claiming = time.monotonic() >= claims_at
            read = self._claim if claiming else self._read_new
            entries = await self._persist(lambda read=read: read(consumer))  # type: ignore[misc]
            if entries is None:
                return
            if claiming and len(entries) < BATCH:
                claims_at = time.monotonic() + self._claim_seconds / 3
            for entry, fields in entries:
                fact = await self._fact(entry, fields)
                if fact is None:
                    continue
                earlier = open_entries.pop(fact.id, entry)
                if earlier != entry:
                    await self._drop(earlier)
                delivery = _Delivery(self, entry, fact)
                yield delivery
                if not delivery.done:
                    open_entries[fact.id] = entry
                    if len(open_entries) > KEPT_FOR_NODE:
                        del open_entries[next(iter(open_entries))]

    async def acknowledge(self, entry: bytes, fact: Fact) -> None:
        """Forget a fact that app has committed, and let its node forget it too."""
        stream = _acknowledgements_of(fact.node)
        pipe: Any = self._redis.pipeline(transaction=True)
        pipe.xack(FACTS, GROUP, entry)
        pipe.xdel(FACTS, entry)
        pipe.xadd(stream, {"id": str(fact.id)}, maxlen=KEPT_FOR_NODE)
        pipe.expire(stream, NODE_STREAM_SECONDS)
        await self._ask(pipe.execute())

    async def _claim(self, consumer: str) -> list[Entry]:
        """What other consumers took and did not commit in time; forget the consumers that are long gone."""
        async with self._group():
            idle = int(self._claim_seconds * 1000)
            claimed = await self._redis.xautoclaim(FACTS, GROUP, consumer, idle, count=BATCH)
            for other in await self._redis.xinfo_consumers(FACTS, GROUP):
                gone = other["idle"] > IDLE_CONSUMER_SECONDS * 1000 and not other["pending"]
                if gone and other["name"] != consumer.encode():
                    await self._redis.xgroup_delconsumer(FACTS, GROUP, other["name"])
            # Before Redis 7, what was trimmed while it was pending is told as nothing.
            return [(entry, fields) for entry, fields in claimed[1] if fields is not None]
        return []

    async def _read_new(self, consumer: str) -> list[Entry]:
        # Somebody else's lapsed facts are not announced, so do not sleep past the next look at them.
        block = max(0.01, min(BLOCK_SECONDS, self._claim_seconds / 3))
        async with self._group():
            found = await self._redis.xreadgroup(
                GROUP, consumer, {FACTS: ">"}, count=BATCH, block=int(block * 1000)
            )
            return _entries(found)
        return []

    @contextlib.asynccontextmanager
    async def _group(self) -> AsyncIterator[None]:
        """Make the group when it is not there: at first, or since a server came back empty."""
        try:
            yield
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            with contextlib.suppress(ResponseError):  # another consumer was faster
                await self._redis.xgroup_create(FACTS, GROUP, id="0", mkstream=True)

    async def _fact(self, entry: bytes, fields: Fields) -> Fact | None:
        try:
            return fact_adapter.validate_json(fields[b"fact"])
        except (ValidationError, KeyError):
            log.warning("The bus holds a fact that cannot be read: %s", entry.decode())
            await self._drop(entry)
            return None

    async def _drop(self, entry: bytes) -> None:
        pipe: Any = self._redis.pipeline(transaction=True)
        pipe.xack(FACTS, GROUP, entry)
        pipe.xdel(FACTS, entry)
        with contextlib.suppress(BusUnavailable):
            await self._ask(pipe.execute())

    # What is meant for one node

    async def acknowledgements(self, node: str) -> AsyncIterator[UUID]:
        async for fields in self._drain(_acknowledgements_of(node)):
            yield UUID(fields[b"id"].decode())

    async def publish_command(self, node: str, command: Command) -> None:
        stream = _commands_of(node)
        pipe: Any = self._redis.pipeline(transaction=True)
        pipe.xadd(stream, {"command": command.model_dump_json()}, maxlen=KEPT_FOR_NODE)
        pipe.expire(stream, NODE_STREAM_SECONDS)
        await self._ask(pipe.execute())

    async def commands(self, node: str) -> AsyncIterator[Command]:
        async for fields in self._drain(_commands_of(node)):
            try:
                command = command_adapter.validate_json(fields[b"command"])
            except (ValidationError, KeyError):
                log.warning("The bus holds a command for %s that cannot be read", node)
                continue
            yield command

    async def _drain(self, stream: str) -> AsyncIterator[Fields]:
        """Read a node's stream from its beginning, deleting what has been dealt with."""
        block = int(BLOCK_SECONDS * 1000)
        while True:
            found = await self._persist(
                lambda: self._redis.xread({stream: "0-0"}, count=BATCH, block=block), log_as=stream
            )
            if found is None:
                return
            entries = _entries(found)
            for _, fields in entries:
                yield fields
            if entries:
                names = [entry for entry, _ in entries]
                await self._persist(lambda names=names: self._redis.xdel(stream, *names))  # type: ignore[misc]

    # Hints

    async def publish_hints(self, hints: Sequence[Hint]) -> None:
        await self._ask(self._writer.write(hints))

    async def hints(self) -> AsyncIterator[Hints]:
        line = HintLine(self._redis)
        reader = HintReader(line)
        self._lines.add(line)
        try:
            while (found := await self._persist(reader.read, log_as="hints")) is not None:
                yield found
        finally:
            self._lines.discard(line)
            await line.close()

    # All of it

    async def ping(self) -> None:
        answer: Any = self._redis.ping()
        await self._ask(answer)

    async def close(self) -> None:
        self._closed.set()
        for line in list(self._lines):
            await line.close()
        await self._redis.aclose()

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except _FAILURES as error:
            raise BusUnavailable(f"{type(error).__name__}: {error}") from error

    async def _persist(self, read: Callable[[], Awaitable[Any]], log_as: str = FACTS) -> Any:
        """Read again and again until the server answers; None once this end is closed."""
        for attempt in range(2**62):
            if self._closed.is_set():
                return None
            try:
                async with asyncio.timeout(BLOCK_SECONDS + ANSWER_SECONDS):
                    return await read()
            except _FAILURES as error:
                if self._closed.is_set():
                    return None
                if attempt == 0:
                    log.warning("The bus is unavailable for %s: %s", log_as, error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PAUSES[min(attempt, len(_PAUSES) - 1)]):
                    await self._closed.wait()


def _entries(found: Any) -> list[Entry]:
    return [(entry, fields) for _, entries in found or () for entry, fields in entries]


def _commands_of(node: str) -> str:
    return f"mentorspan:node:{node}:commands"


def _acknowledgements_of(node: str) -> str:
    return f"mentorspan:node:{node}:acknowledgements"
