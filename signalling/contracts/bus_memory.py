"""The bus inside one process: for tests, and for whoever embeds both services in one."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar
from uuid import UUID

from signalling.contracts.bus import BusUnavailable, FactDelivery
from signalling.contracts.calls import Command, Fact
from signalling.contracts.envelope import Hint, Hints

T = TypeVar("T")
KEPT = 10_000
HINTS_AT_ONCE = 500
UP_TO_DATE_SECONDS = 0.5
CLAIM_SECONDS = 15.0


@dataclass(slots=True)
class Exchange:
    """What all the buses of one address share."""

    facts: deque[Fact] = field(default_factory=lambda: deque(maxlen=KEPT))
    # Handed to a consumer and not committed yet: the fact, and when another consumer may have it.
    pending: dict[int, tuple[float, Fact]] = field(default_factory=dict)
    acknowledgements: dict[str, deque[UUID]] = field(default_factory=dict)
    commands: dict[str, deque[Command]] = field(default_factory=dict)
    hints: deque[Hint] = field(default_factory=lambda: deque(maxlen=KEPT))
    hints_told: int = 0
    """How many hints there ever were; the last ones are in `hints`."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    deliveries: int = 0

    def wake(self) -> None:
        """Let every iterator look again."""
        self.changed.set()
        self.changed = asyncio.Event()

    def take_fact(self, claim_seconds: float) -> tuple[int, Fact] | None:
        """The next fact for a consumer: a lapsed one first, as they are older."""
        now = time.monotonic()
        lapsed = next((number for number, (until, _) in self.pending.items() if until <= now), None)
        if lapsed is not None:
            fact = self.pending.pop(lapsed)[1]
        elif self.facts:
            fact = self.facts.popleft()
        else:
            return None
        self.deliveries += 1
        # Of a fact that is sent again because app could not take it in, only the last one counts.
        for number in [number for number, (_, other) in self.pending.items() if other.id == fact.id]:
            del self.pending[number]
        self.pending[self.deliveries] = (now + claim_seconds, fact)
        return self.deliveries, fact

    def hints_after(self, place: int) -> tuple[int, Hints]:
        """What is left of the hints after the first `place` ones, and the place to go on from."""
        forgotten = self.hints_told - len(self.hints)
        start = max(place, forgotten)
        newest_first = islice(reversed(self.hints), self.hints_told - start)
        items = tuple(newest_first)[::-1][:HINTS_AT_ONCE]
        return start + len(items), Hints(items, missed=place < forgotten)


class _Delivery:
    def __init__(self, exchange: Exchange, number: int, fact: Fact) -> None:
        self.fact = fact
        self._exchange = exchange
        self._number = number

    async def committed(self) -> None:
        self._exchange.pending.pop(self._number, None)
        _queue(self._exchange.acknowledgements, self.fact.node).append(self.fact.id)
        self._exchange.wake()


class MemoryBus:
    """One user's end of an exchange; closing it leaves the others alone."""

    def __init__(self, exchange: Exchange, *, claim_seconds: float = CLAIM_SECONDS) -> None:
        self._exchange = exchange
        self._claim_seconds = claim_seconds
        self._closed = False

    async def publish_fact(self, fact: Fact) -> None:
        await self.ping()
        self._exchange.facts.append(fact)
        self._exchange.wake()

    async def facts(self, consumer: str) -> AsyncIterator[FactDelivery]:
        while True:
            taken = await self._wait_for(
                lambda: self._exchange.take_fact(self._claim_seconds), self._claim_seconds
            )
            if taken is None:
                return
            yield _Delivery(self._exchange, *taken)

    async def acknowledgements(self, node: str) -> AsyncIterator[UUID]:
        async for fact_id in self._drain(_queue(self._exchange.acknowledgements, node)):
            yield fact_id

    async def publish_command(self, node: str, command: Command) -> None:
        await self.ping()
        _queue(self._exchange.commands, node).append(command)
        self._exchange.wake()

    async def commands(self, node: str) -> AsyncIterator[Command]:
        async for command in self._drain(_queue(self._exchange.commands, node)):
            yield command

    async def publish_hints(self, hints: Sequence[Hint]) -> None:
        await self.ping()
        self._exchange.hints.extend(hints)
        self._exchange.hints_told += len(hints)
        self._exchange.wake()

    async def hints(self) -> AsyncIterator[Hints]:
        place, found = self._exchange.hints_told, Hints(())
        while not self._closed:
            yield found
            if place == self._exchange.hints_told:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(UP_TO_DATE_SECONDS):
                        await self._exchange.changed.wait()
            place, found = self._exchange.hints_after(place)

    async def ping(self) -> None:
        if self._closed:
            raise BusUnavailable("this end of the bus is closed")

    async def close(self) -> None:
        self._closed = True
        self._exchange.wake()

    async def _drain(self, queue: deque[T]) -> AsyncIterator[T]:
        while await self._wait_for(lambda: bool(queue) or None):
            yield queue[0]
            queue.popleft()

    async def _wait_for(self, look: Callable[[], T | None], at_most: float | None = None) -> T | None:
        """Look until there is something (looking again after `at_most`); None once closed."""
        while not self._closed:
            found = look()
            if found is not None:
                return found
            try:
                async with asyncio.timeout(at_most):
                    await self._exchange.changed.wait()
            except TimeoutError:
                continue
        return None


def _queue(queues: dict[str, deque[T]], node: str) -> deque[T]:
    return queues.setdefault(node, deque(maxlen=KEPT))
