"""This node's ear on the bus: whether it hears everything, and what happens when it did not.

Whoever may have missed something may also have missed that somebody must hear nothing any more. So after a
silence all rosters are forgotten, tickets from before count no more, and nothing is delivered until app has
said which sign-in sessions ended, of people in calls too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog

from signalling.contracts.bus import Bus
from signalling.contracts.envelope import Envelope, Hint, Presence, Typing
from signalling.contracts.standing import MOST, StandingAsk
from signalling.events.delivery import Delivery
from signalling.events.doorbell import Doorbell, NoAnswer
from signalling.events.listeners import Listener, Listeners
from signalling.events.people import People
from signalling.events.rosters import Rosters
from signalling.events.writing import Writer
from signalling.protocol.events import Live, text

# The bus says at least once a second that there is nothing; whoever has not heard that for so long cannot
# know what else came late.
SILENCE_SECONDS = 1.5
# Sockets are told that events do not come at once.
LIVE_SECONDS = 5.0
# Everybody syncs at most so often, whatever goes wrong in between: each round is a question of every client.
SYNC_SECONDS = 5.0
RETRY_SECONDS = 0.25
MOST_HELD = 10_000
# Between so many hints the loop may do other things, and the sockets are written to.
PORTION = 200

log = structlog.get_logger()


class Hearing:
    """Takes hints from the bus, and lets them through when this node may."""

    def __init__(
        self,
        bus: Bus,
        listeners: Listeners,
        rosters: Rosters,
        delivery: Delivery,
        people: People,
        writer: Writer,
        doorbell: Doorbell,
        *,
        known: Callable[[], bool],
        sessions: Callable[[], set[UUID]],
        revoke: Callable[[UUID], Awaitable[None]],
        veil: Callable[[UUID, int], None],
        doubt: Callable[[], None],
        part: Callable[[Listener], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = False
        """Whether events reach the sockets as soon as they happen."""
        self._bus = bus
        self._listeners = listeners
        self._rosters = rosters
        self._delivery = delivery
        self._people = people
        self._writer = writer
        self._doorbell = doorbell
        self._known = known
        self._sessions = sessions
        self._revoke = revoke
        self._veil = veil
        self._doubt = doubt
        self._part = part
        self._monotonic = monotonic
        self._heard_at = float("-inf")
        self._fresh_at = float("-inf")
        self._synced_at = float("-inf")
        self._held: list[Hint] | None = None
        self._check = asyncio.Event()

    async def hear(self) -> None:
        """Take in what the bus brings, until it is closed."""
        self._heard_at = float("-inf")  # whatever came before, something may have gone by
        async for hints in self._bus.hints():
            now = self._monotonic()
            if hints.missed or now - self._heard_at > SILENCE_SECONDS:
                self._hold(missed=hints.missed or self._heard_at < 0)
            await self._take(hints.items)
            # What was slow here was not a silence of the bus.
            self._heard_at = self._monotonic()
            if self._held is None:
                self._fresh_at = self._heard_at
                self.look()

    async def check(self) -> None:
        """Whenever it is held, ask app about the sessions here, and then let everything through; for ever."""
        if self._held is not None:
            self._check.set()
        while True:
            await self._check.wait()
            self._check.clear()
            try:
                await self._ask_about_sessions()
            except NoAnswer:
                self._check.set()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not self._check.is_set():
                await self._let_through()

    def look(self) -> None:
        """Tell the sockets when events begin or cease to come at once; and to sync, when they must."""
        if not self._known() and self._held is None:
            self._hold(missed=False)
        live = self._monotonic() - self._fresh_at <= LIVE_SECONDS
        if live != self.live:
            self.live = live
            log.info("live" if live else "not_live")
            for listener in self._listeners.everyone():
                listener.link.push(text(Live(live=live)))
            self._delivery.lost |= live
        if self._delivery.lost and self._held is None:
            self._sync()

    def _sync(self) -> None:
        if not len(self._listeners):
            self._delivery.lost = False
        elif self._monotonic() - self._synced_at >= SYNC_SECONDS:
            self._synced_at = self._monotonic()
            self._delivery.sync_everybody()

    def _hold(self, *, missed: bool) -> None:
        # App is asked about those who are here now; whoever comes later must have been let in by app since.
        self._doubt()
        self._rosters.hold()
        self._delivery.forget()
        self._delivery.lost |= missed
        if self._held is None:
            self._held = []
        self._check.set()

    async def _ask_about_sessions(self) -> None:
        if not self._known():
            raise NoAnswer("App has not heard of this server yet.")
        sessions = tuple(self._sessions())
        for start in range(0, len(sessions), MOST):
            answer = await self._doorbell.ask(StandingAsk(sessions=sessions[start : start + MOST]))
            for session in answer.ended_sessions:
                await self._revoke(session)
            for account_id, version in answer.hidden_accounts.items():
                self._veil(account_id, version)

    async def _let_through(self) -> None:
        self._let_go_of_slow()
        held, self._held = self._held or [], None
        self._rosters.go_on()
        try:
            await self._take(tuple(held))
        except Exception:
            self._delivery.lost = True
            raise
        if self._held is None:
            self._fresh_at = self._heard_at
            self.look()

    def _let_go_of_slow(self) -> None:
        """What waits here for slow readers was meant for rosters that have been forgotten."""
        for listener in self._listeners.everyone():
            if listener.link.waiting:
                self._part(listener)

    async def _take(self, hints: tuple[Hint, ...]) -> None:
        for start in range(0, len(hints), PORTION):
            if start:
                await asyncio.sleep(0)
            portion = hints[start : start + PORTION]
            if self._held is not None:
                self._keep(portion)
                continue
            for hint in portion:
                match hint:
                    case Envelope():
                        self._delivery.take(hint)
                    case Typing():
                        self._delivery.show_typing(hint)
                    case Presence():
                        self._people.saw(hint)
            self._writer.flush_soon()

    def _keep(self, hints: tuple[Hint, ...]) -> None:
        assert self._held is not None
        if len(self._held) + len(hints) > MOST_HELD:
            self._delivery.lost = True
            self._held.clear()
        self._held += hints
