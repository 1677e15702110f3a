"""Facts on their way to app: kept until app says that it has committed them, and sent again until then.

Who joined and who left is also kept on disk, so that it survives the process.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.calls import CommandDone, Fact, NodeAlive, ParticipantQuality, ParticipantsPresent
from signalling.journal import Journal

CAPACITY = 10_000
RESEND_SECONDS = 2.0
MAX_RESEND_SECONDS = 8.0
RETRY_SECONDS = 0.25

# Not for the disk. The next renewal says it anew; and that a command was obeyed only the process may say that
# did so: app repeats it to the next one, which knows nothing of it and must obey it too.
_PASSING = (ParticipantsPresent, CommandDone)

log = structlog.get_logger()


@dataclass(slots=True)
class _Kept:
    fact: Fact
    due: float = 0.0
    tries: int = 0


class FactKeeper:
    """Holds what app has not committed.

    Nothing is ever dropped to make room. When `CAPACITY` facts wait, the keeper is `full`, and a full node
    takes nobody in; only what ends (people leaving) is still added, which those present bound. A renewal of
    leases takes the place of the earlier one of its call, and so does news of a participant's quality. A
    command that comes again while its answer waits is not answered twice. A `NodeAlive` is sent once: the
    next says it anew.
    """

    def __init__(
        self, bus: Bus, node: str, journal: Journal | None = None, *, capacity: int = CAPACITY
    ) -> None:
        self.on_committed: Callable[[UUID], None] = lambda _: None
        """Called with the id of every fact that app has, also of those that were only said."""
        self._bus = bus
        self._node = node
        self._journal = journal
        self._capacity = capacity
        self._kept: dict[UUID, _Kept] = {}
        self._latest: dict[UUID, UUID] = {}
        """The fact about a call or a participant that takes the place of earlier ones."""
        self._answered: set[UUID] = set()
        """Commands whose answer waits."""
        self._wake = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def full(self) -> bool:
        """Whether so much waits that no new stay should begin."""
        return len(self._kept) >= self._capacity

    def recover(self) -> None:
        """Take up what an earlier run of this node kept. Raises `JournalBusy`."""
        for fact in self._journal.open() if self._journal is not None else ():
            self._kept[fact.id] = _Kept(fact)
            self._emptied.clear()
            self._wake.set()

    def close(self) -> None:
        """Leave what app has not committed to the next run."""
        if self._journal is not None:
            self._journal.close()

    def keep(self, fact: Fact) -> None:
        """Take a fact over: it survives this process from now on, and is sent as soon as the loop is free."""
        if isinstance(fact, CommandDone):
            if fact.command_id in self._answered:
                return
            self._answered.add(fact.command_id)
        if self._journal is not None and not isinstance(fact, _PASSING):
            self._journal.add(fact)
        if (about := _replaces(fact)) is not None:
            self._drop(self._latest.get(about))
            self._latest[about] = fact.id
        self._kept[fact.id] = _Kept(fact)
        self._emptied.clear()
        self._wake.set()

    async def say(self, alive: NodeAlive) -> None:
        """Send something that need not be kept."""
        with contextlib.suppress(BusUnavailable):
            await self._bus.publish_fact(alive)

    def committed(self, fact_id: UUID) -> None:
        """Forget what app has."""
        self.on_committed(fact_id)
        kept = self._drop(fact_id)
        if kept is not None and isinstance(kept.fact, CommandDone):
            self._answered.discard(kept.fact.command_id)
        if not self._kept:
            self._emptied.set()

    def _drop(self, fact_id: UUID | None) -> _Kept | None:
        kept = self._kept.pop(fact_id, None) if fact_id is not None else None
        if self._journal is not None and fact_id is not None:
            self._journal.remove(fact_id)
        about = _replaces(kept.fact) if kept is not None else None
        if about is not None and self._latest.get(about) == fact_id:
            del self._latest[about]
        return kept

    async def settled(self, seconds: float) -> bool:
        """Wait until app has everything, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._emptied.wait()
        except TimeoutError:
            return False
        return True

    async def listen(self) -> None:
        """Hear which facts app has committed, until the bus is closed."""
        async for fact_id in self._bus.acknowledgements(self._node):
            self.committed(fact_id)

    async def send(self) -> None:
        """Send what is due, for ever."""
        while True:
            self._wake.clear()
            try:
                await self._send_due()
            except BusUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_due()):
                    await self._wake.wait()

    async def _send_due(self) -> None:
        now = time.monotonic()
        for kept in [kept for kept in self._kept.values() if kept.due <= now]:
            if kept.fact.id in self._kept:
                await self._bus.publish_fact(kept.fact)
                pause = min(RESEND_SECONDS * 2 ** min(kept.tries, 4), MAX_RESEND_SECONDS)
                kept.tries += 1
                kept.due = time.monotonic() + pause

    def _until_due(self) -> float | None:
        due = min((kept.due for kept in self._kept.values()), default=None)
        return None if due is None else max(0.0, due - time.monotonic())


def _replaces(fact: Fact) -> UUID | None:
    """What a fact is about of which only the latest counts."""
    match fact:
        case ParticipantsPresent():
            return fact.call_id
        case ParticipantQuality():
            return fact.participant_id
        case _:
            return None
