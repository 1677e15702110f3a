"""What a node says about itself, and whether it may serve: heartbeats, leases, the bus, the keys."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import structlog

from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.calls import NodeAlive, ParticipantsPresent
from signalling.facts import FactKeeper
from signalling.keys import KeyStore
from signalling.protocol.room import Room
from signalling.settings import Settings

ALIVE_SECONDS = 5.0
# A node that has not heard from its bus for so long takes nobody in: it might have missed a removal.
CONFIRM_SECONDS = 5.0
PING_SECONDS = 1.0
START_SECONDS = 0.1
KEYS_SECONDS = 60.0
# For five minutes after a node's last word app tells it which sign-in sessions end. A node that does not know
# for so long (clocks differ) that app has its word may not have been told.
KNOWN_SECONDS = 200.0

log = structlog.get_logger()


class Presence:
    """Whether this node is ready, and who hears of it."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        facts: FactKeeper,
        keys: KeyStore,
        *,
        public_key: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = settings.signalling_public_url
        self.draining = False
        self._settings = settings
        self._bus = bus
        self._facts = facts
        self._keys = keys
        self._clock = clock
        self._public_key = public_key
        self._confirmed_at = float("-inf")
        self._said: dict[UUID, float] = {}
        self._known_until = float("-inf")
        self._known_since = float("inf")
        facts.on_committed = self._app_knows

    def why_not(self) -> str | None:
        """Why nobody may come in now; None when they may."""
        if self.draining:
            return "This server is stopping."
        if time.monotonic() - self._confirmed_at > CONFIRM_SECONDS:
            return "This server cannot confirm its bus."
        if self._facts.full:
            return "This server has too much to report."
        return None if self._keys.loaded else "This server has no keys to verify tickets with."

    def why_not_known(self) -> str | None:
        """Why nobody may listen to events yet, besides."""
        return None if self.known else "App has not heard of this server yet."

    @property
    def known(self) -> bool:
        """Whether app knows that this node is here, and so tells it which sign-in sessions end."""
        return time.monotonic() < self._known_until

    @property
    def known_since(self) -> float:
        """Since when app has known it without a break, as a POSIX time: tickets from before are worthless."""
        return self._known_since if self.known else float("inf")

    async def watch_bus(self) -> None:
        """Keep asking the bus whether it is there."""
        while True:
            await self.confirm()
            await asyncio.sleep(PING_SECONDS)

    async def confirm(self) -> None:
        """Ask the bus once."""
        with contextlib.suppress(BusUnavailable):
            await self._bus.ping()
            self._confirmed_at = time.monotonic()

    async def watch_keys(self) -> None:
        """Read the keys: often until there are any, then now and again, to forget withdrawn ones."""
        while True:
            await self._keys.refresh()
            await asyncio.sleep(KEYS_SECONDS if self._keys.loaded else START_SECONDS)

    async def announce(self, rooms: Callable[[], list[Room]]) -> None:
        """Say again and again that this node is here, as soon as it is ready."""
        while True:
            ready = self.why_not() is None
            if ready:
                await self.say_alive(len(rooms()))
            await asyncio.sleep(ALIVE_SECONDS if ready else START_SECONDS)

    async def say_alive(self, calls: int) -> None:
        """Say that this node is here, or that it is going."""
        alive = NodeAlive(
            node=self._settings.node,
            url=self.url,
            draining=self.draining,
            calls=calls,
            public_key=self._public_key,
            at=self._now(),
        )
        now = time.monotonic()
        self._said = {id_: at for id_, at in self._said.items() if at > now - KNOWN_SECONDS}
        self._said[alive.id] = now
        await self._facts.say(alive)

    def _app_knows(self, fact_id: UUID) -> None:
        said_at = self._said.pop(fact_id, None)
        if said_at is None:
            return
        if not self.known:
            self._known_since = self._clock()
        self._known_until = max(self._known_until, said_at + KNOWN_SECONDS)

    async def renew_leases(self, rooms: Callable[[], list[Room]]) -> None:
        """Say who is still in which call, also those whose socket is away for a moment."""
        while True:
            await asyncio.sleep(self._settings.lease_seconds)
            for room in rooms():
                present = ParticipantsPresent(
                    node=self._settings.node,
                    call_id=room.call_id,
                    epoch=room.epoch,
                    participant_ids=tuple(room.peers),
                    at=self._now(),
                )
                self._facts.keep(present)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


async def for_ever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Start `work` again when it fails: one part's fault must not end the calls in progress."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("part_failed", part=name)
        else:
            return
        await asyncio.sleep(1.0)
