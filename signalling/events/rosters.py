"""Who hears a stream, as app last said: asked for when needed, and forgotten when it may be out of date."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from signalling.contracts.standing import MOST, Roster, StandingAsk
from signalling.events.doorbell import Doorbell, NoAnswer
from signalling.events.listeners import Listeners
from signalling.events.writing import Audience

# What a node remembers at most; the least used is asked for again when it is needed.
MOST_ROSTERS = 50_000
MOST_MEMBERS = 500_000
# That there is no such stream may change without a word.
NOBODY_SECONDS = 5.0
UNANSWERED_SECONDS = 5.0
MOST_WANTED = 20_000
RETRY_SECONDS = 0.25
TOO_OLD_SECONDS = 0.05

NOBODY: frozenset[UUID] = frozenset()
NO_AUDIENCE = Audience([])


@dataclass(slots=True, eq=False)
class Known:
    """A roster."""

    stream: UUID
    version: int
    members: dict[UUID, UUID | None]
    apart: dict[UUID, frozenset[UUID]]
    asked_at: float
    _hearers: Audience
    _census: int = -1

    def hearers(self, listeners: Listeners) -> Audience:
        """The sockets here that hear the stream."""
        if self._census != listeners.census:
            here = [found.link for account in self.members for found in listeners.of(account)]
            self._hearers = Audience(here) if here else NO_AUDIENCE
            self._census = listeners.census
        return self._hearers

    def apart_from(self, account_id: UUID) -> frozenset[UUID]:
        """Members who must not hear this account."""
        return self.apart.get(account_id, NOBODY)


class Rosters:
    """The rosters that this node knows, and those that it is asking for."""

    def __init__(self, doorbell: Doorbell, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.arrived: Callable[[Known, Known | None], None] = lambda _new, _old: None
        """Called with a roster that was wanted, and the one before it that became obsolete."""
        self._doorbell = doorbell
        self._monotonic = monotonic
        self._known: OrderedDict[UUID, Known] = OrderedDict()
        self._members = 0
        self._wanted: dict[UUID, tuple[int, float]] = {}
        """Streams to ask about: the least version that will do, and since when."""
        self._asking: dict[UUID, int] = {}
        """Streams in the question under way: below which version an answer is worthless."""
        self._obsolete: dict[UUID, Known] = {}
        self._wake = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, stream: UUID, version: int = 0) -> Known | None:
        """The roster of a stream, when it is known and not older than `version`."""
        known = self._known.get(stream)
        if known is None or known.version < version:
            return None
        if not known.version and self._monotonic() - known.asked_at > NOBODY_SECONDS:
            return None
        self._known.move_to_end(stream)
        return known

    def want(self, stream: UUID, version: int = 0) -> bool:
        """Ask for a roster of at least this version; False when too many are wanted already."""
        least, since = self._wanted.get(stream, (0, None))
        if since is None and len(self._wanted) >= MOST_WANTED:
            return False
        self._wanted[stream] = max(version, least), self._monotonic() if since is None else since
        self._wake.set()
        return True

    def give_up(self) -> list[UUID]:
        """Stop asking for what has not been answered for long. Returns these streams."""
        before = self._monotonic() - UNANSWERED_SECONDS
        lapsed = [stream for stream, (_, since) in self._wanted.items() if since < before]
        for stream in lapsed:
            del self._wanted[stream]
            self._obsolete.pop(stream, None)
        return lapsed

    def forget(self, stream: UUID, version: int = 0) -> Known | None:
        """What is known of a stream is worthless, and so are answers below `version` that are under way."""
        if stream in self._asking:
            self._asking[stream] = max(version, self._asking[stream])
        return self._drop(stream)

    def renew(self, known: Known, version: int) -> None:
        """Ask anew for a roster that was forgotten, so that `arrived` tells who is no longer on it."""
        self._obsolete.setdefault(known.stream, known)
        self.want(known.stream, version)

    def hold(self) -> None:
        """Everything that is known may be out of date, and so may every answer that is under way.

        Nothing is asked, and so nobody hears anything, until `go_on`.
        """
        self._free.clear()
        self._asking.clear()
        self._known.clear()
        self._members = 0

    def go_on(self) -> None:
        """Ask again."""
        self._free.set()

    async def ask(self) -> None:
        """Ask for what is wanted, for ever. While one question is under way, others collect for the next."""
        while True:
            await self._wake.wait()
            await self._free.wait()
            self._asking = dict.fromkeys(islice(self._wanted, MOST), 0)
            if not self._asking:
                self._wake.clear()
                continue
            streams, asked_at = tuple(self._asking), self._monotonic()
            try:
                answer = await self._doorbell.ask(StandingAsk(streams=streams))
            except NoAnswer:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._take(answer.rosters, asked_at)
            if any(stream in self._wanted for stream in streams):
                await asyncio.sleep(TOO_OLD_SECONDS)

    def _take(self, rosters: tuple[Roster, ...], asked_at: float) -> None:
        """Take answers in, but not those that are older than what is wanted: they are asked for again."""
        for roster in rosters:
            wanted, worthless_below = self._wanted.get(roster.stream), self._asking.get(roster.stream)
            if wanted is None or worthless_below is None or roster.version < max(wanted[0], worthless_below):
                continue
            del self._wanted[roster.stream]
            known = self._keep(roster, asked_at)
            self.arrived(known, self._obsolete.pop(roster.stream, None))

    def _keep(self, roster: Roster, asked_at: float) -> Known:
        self._drop(roster.stream)
        known = Known(
            roster.stream, roster.version, roster.members, _both_ways(roster), asked_at, NO_AUDIENCE
        )
        self._known[roster.stream] = known
        self._members += len(known.members)
        while len(self._known) > MOST_ROSTERS or (self._members > MOST_MEMBERS and len(self._known) > 1):
            self._drop(next(iter(self._known)))
        return known

    def _drop(self, stream: UUID) -> Known | None:
        known = self._known.pop(stream, None)
        if known is not None:
            self._members -= len(known.members)
        return known


def _both_ways(roster: Roster) -> dict[UUID, frozenset[UUID]]:
    apart: dict[UUID, frozenset[UUID]] = {}
    for one, other in roster.apart:
        apart[one] = apart.get(one, NOBODY) | {other}
        apart[other] = apart.get(other, NOBODY) | {one}
    return apart
