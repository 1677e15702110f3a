"""Whether people are there, and whether they type: told over hints only, and stored nowhere.

Each node tells the others how its own sockets show an account, when that changes and now and again; what was
not told again lapses. Whoever is hidden anywhere is offline to everybody.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from uuid import UUID

from signalling.connection import prepare
from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.envelope import Hint, Presence, PresenceState, Typing
from signalling.events.listeners import Listener, Listeners
from signalling.events.rosters import Known, Rosters
from signalling.events.writing import Audience, Writer
from signalling.protocol import events
from signalling.protocol.codes import ErrorCode
from signalling.protocol.events import PresenceSeen, Seen, Watch, text

REPEAT_SECONDS = 30.0
LAPSE_SECONDS = 75.0
# Thousands of people take a moment to go through.
LOOK_SECONDS = 3.0
TYPING_SECONDS = 6.0
TYPING_PAUSE_SECONDS = 1.0
# Presence in a larger round would mostly be noise, and its cost grows with the square.
MOST_SHOWN = 100
MOST_TYPED = 100
MOST_OUT = 10_000
BATCH = 500
NO_LISTENERS: frozenset[Listener] = frozenset()


@dataclass(slots=True)
class _Watched:
    """A stream whose people somebody here watches."""

    watchers: set[Listener] = field(default_factory=set)
    indexed: tuple[UUID, ...] = ()
    """The accounts under which the stream is found in the index."""


class People:
    """Presence and typing of this node's listeners, and what others are shown of it."""

    def __init__(
        self,
        bus: Bus,
        node: str,
        listeners: Listeners,
        rosters: Rosters,
        writer: Writer,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._node = node
        self._listeners = listeners
        self._rosters = rosters
        self._writer = writer
        self._monotonic = monotonic
        self._told: dict[UUID, tuple[PresenceState, float]] = {}
        """What this node last said of its accounts, and when."""
        self._seen: dict[UUID, dict[str, tuple[PresenceState, float]]] = {}
        """What each node last said of an account, and when that lapses."""
        self._watched: dict[UUID, _Watched] = {}
        self._streams_of: dict[UUID, set[UUID]] = {}
        """Watched streams by the accounts on their rosters."""
        self._asked: dict[UUID, list[tuple[Listener, Typing | None]]] = {}
        """Who waits for a roster to be let type or watch."""
        self._typists: dict[tuple[UUID, UUID], tuple[float, Listener]] = {}
        self._look_at = float("-inf")
        self._out: list[Hint] = []
        self._wake = asyncio.Event()

    # What listeners do

    def changed(self, account_id: UUID) -> None:
        """A socket of the account came or went, or shows something else."""
        state = self._state_here(account_id)
        told = self._told.get(account_id)
        if state is not None and state != (told[0] if told else "offline"):
            self._tell(account_id, state)

    def left(self, listener: Listener) -> None:
        """A socket is gone: it watches nothing any more, and has stopped typing."""
        self._unwatch(listener)
        for place in [place for place, (_, typist) in self._typists.items() if typist is listener]:
            self._stop_typing(place)

    def watch(self, listener: Listener, message: Watch) -> None:
        """Show a socket the people of these streams from now on, and of no others."""
        self._unwatch(listener)
        listener.watched = frozenset(message.streams)
        for stream in listener.watched:
            self._watched.setdefault(stream, _Watched()).watchers.add(listener)
            known = self._rosters.get(stream)
            if known is None:
                self._ask(stream, listener, None)
            else:
                self._begin_to_show(known, {listener})

    def type(self, listener: Listener, message: events.Typing) -> None:
        """A socket says that its person types, or has stopped."""
        now = self._monotonic()
        at, typing = listener.typed.get(message.stream, (float("-inf"), False))
        stops = typing and not message.typing
        if now - at < TYPING_PAUSE_SECONDS and not stops:
            return
        if len(listener.typed) >= MOST_TYPED:
            listener.typed.clear()
        # A stop passes at any time, but the next start waits its turn.
        listener.typed[message.stream] = (at if stops else now, message.typing)
        hint = Typing(message.stream, listener.account_id, message.typing)
        known = self._rosters.get(message.stream)
        if known is None:
            self._ask(message.stream, listener, hint)
        else:
            self._let_type(known, listener, hint)

    # What others say

    def saw(self, presence: Presence) -> None:
        """A node said how an account shows itself there."""
        before = self._seen_state(presence.account_id)
        said = self._seen.setdefault(presence.account_id, {})
        if presence.state == "offline":
            said.pop(presence.node, None)
        else:
            said[presence.node] = (presence.state, self._monotonic() + LAPSE_SECONDS)
        if not said:
            del self._seen[presence.account_id]
        self._show_change(presence.account_id, before)

    def arrived(self, known: Known) -> None:
        """App has said who is on a roster."""
        asked = self._asked.pop(known.stream, [])
        for listener, typing in asked:
            if typing is not None and self._listeners.has(listener):
                self._let_type(known, listener, typing)
        watched = self._watched.get(known.stream)
        if watched is not None:
            new = {listener for listener, typing in asked if typing is None} & watched.watchers
            self._begin_to_show(known, new, watched.watchers - new)
        self._writer.flush_soon()

    def drop(self, stream: UUID) -> None:
        """Nobody says who is on a roster."""
        for listener, typing in self._asked.pop(stream, []):
            about = "watch" if typing is None else "typing"
            listener.refuse(ErrorCode.NOT_READY, "That cannot be looked up now. Try again later.", about)

    # What happens by itself

    def look(self) -> None:
        """Say again what others must not forget; forget what was not said again."""
        now = self._monotonic()
        for place in [place for place, (until, _) in self._typists.items() if until <= now]:
            self._stop_typing(place)
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._look_at_everyone(now)
        self._writer.flush_soon()

    def _look_at_everyone(self, now: float) -> None:
        for account_id, (state, at) in list(self._told.items()):
            if now - at >= REPEAT_SECONDS:
                self._tell(account_id, state)
        for account_id, said in list(self._seen.items()):
            lapsed = [node for node, (_, until) in said.items() if until <= now]
            if lapsed:
                before = self._seen_state(account_id)
                for node in lapsed:
                    del said[node]
                if not said:
                    del self._seen[account_id]
                self._show_change(account_id, before)

    async def publish(self) -> None:
        """Give the bus what is to be said, for ever."""
        while True:
            await self._wake.wait()
            batch, self._out = self._out[:BATCH], self._out[BATCH:]
            if not batch:
                self._wake.clear()
                continue
            try:
                await self._bus.publish_hints(batch)
            except BusUnavailable:
                # What is lost of presence is said again by itself, sooner than otherwise.
                for hint in batch:
                    if isinstance(hint, Presence) and hint.account_id in self._told:
                        self._told[hint.account_id] = (hint.state, float("-inf"))
                await asyncio.sleep(1.0)

    def farewell(self) -> None:
        """This node is going: nobody is here any more."""
        for account_id in list(self._told):
            self._tell(account_id, "offline")

    # Presence

    def _state_here(self, account_id: UUID) -> PresenceState | None:
        """How the sockets here show an account; None while it may come back in a moment."""
        here = self._listeners.of(account_id)
        if not here:
            return None if self._listeners.awaited(account_id) else "offline"
        states = {listener.state for listener in here}
        if "hidden" in states or self._listeners.veiled(account_id):
            return "hidden"
        return "online" if "online" in states else "away"

    def _is_hidden(self, account_id: UUID) -> bool:
        """Whether the account hides here or, as far as is known, at another node."""
        said = self._seen.get(account_id, {}).items()
        elsewhere = any(state == "hidden" for node, (state, _) in said if node != self._node)
        return elsewhere or self._state_here(account_id) == "hidden"

    def _seen_state(self, account_id: UUID) -> Seen:
        states = {state for state, _ in self._seen.get(account_id, {}).values()}
        if "hidden" in states or not states:
            return "offline"
        return "online" if "online" in states else "away"

    def _tell(self, account_id: UUID, state: PresenceState) -> None:
        if state == "offline":
            self._told.pop(account_id, None)
        else:
            self._told[account_id] = (state, self._monotonic())
        self._say(Presence(account_id, self._node, state))

    def _show_change(self, account_id: UUID, before: Seen) -> None:
        state = self._seen_state(account_id)
        if state == before:
            return
        for stream in self._streams_of.get(account_id, ()):
            known = self._rosters.get(stream)
            if known is None:
                # When the roster comes, all of its people are shown anew.
                self._rosters.want(stream)
            else:
                self._show(known, [account_id], self._watched[stream].watchers)

    def _show(self, known: Known, accounts: Iterable[UUID], watchers: Iterable[Listener]) -> None:
        """Show these accounts to those watchers who may hear them."""
        may = [watcher for watcher in watchers if watcher.account_id in known.members]
        for account_id in accounts:
            membership = known.members.get(account_id)
            if membership is None:
                continue
            seen = PresenceSeen(membership_id=membership, state=self._seen_state(account_id))
            frame = prepare(text(seen))
            but = known.apart_from(account_id) | {account_id}
            links = [watcher.link for watcher in may if watcher.account_id not in but]
            self._writer.put(Audience(links), frame)

    def _begin_to_show(self, known: Known, new: Set[Listener], earlier: Set[Listener] = NO_LISTENERS) -> None:
        """Show new watchers who is there, and earlier ones everything that they may have missed."""
        watched = self._watched[known.stream]
        for watcher in [*new, *earlier]:
            if watcher.account_id not in known.members:
                watcher.refuse(ErrorCode.UNKNOWN_STREAM, "You hear no such stream.", "watch")
                self._forget_watcher(known.stream, watcher)
        if not watched.watchers:
            return
        accounts = tuple(known.members) if len(known.members) <= MOST_SHOWN else ()
        if accounts != watched.indexed:
            self._index(known.stream, watched, accounts)
        there = [account_id for account_id in accounts if self._seen_state(account_id) != "offline"]
        self._show(known, there, watched.watchers & new)
        self._show(known, accounts, watched.watchers & earlier)

    def _index(self, stream: UUID, watched: _Watched, accounts: tuple[UUID, ...]) -> None:
        for account_id in watched.indexed:
            streams = self._streams_of.get(account_id, set())
            streams.discard(stream)
            if not streams:
                self._streams_of.pop(account_id, None)
        for account_id in accounts:
            self._streams_of.setdefault(account_id, set()).add(stream)
        watched.indexed = accounts

    def _unwatch(self, listener: Listener) -> None:
        for stream in listener.watched:
            self._forget_watcher(stream, listener)
        listener.watched = frozenset()

    def _forget_watcher(self, stream: UUID, listener: Listener) -> None:
        watched = self._watched.get(stream)
        if watched is not None:
            watched.watchers.discard(listener)
            if not watched.watchers:
                self._index(stream, watched, ())
                del self._watched[stream]

    # Typing

    def _let_type(self, known: Known, listener: Listener, hint: Typing) -> None:
        if known.members.get(listener.account_id) is None:
            listener.refuse(ErrorCode.UNKNOWN_STREAM, "You hear no such conversation.", "typing")
            return
        place = (hint.account_id, hint.stream)
        if hint.typing and self._is_hidden(listener.account_id):
            return
        if hint.typing:
            self._typists[place] = (self._monotonic() + TYPING_SECONDS, listener)
            self._say(hint)
        elif place in self._typists:
            self._stop_typing(place)

    def _stop_typing(self, place: tuple[UUID, UUID]) -> None:
        del self._typists[place]
        self._say(Typing(place[1], place[0], False))

    # Small things

    def _ask(self, stream: UUID, listener: Listener, typing: Typing | None) -> None:
        self._asked.setdefault(stream, []).append((listener, typing))
        if not self._rosters.want(stream):
            self.drop(stream)

    def _say(self, hint: Hint) -> None:
        if len(self._out) < MOST_OUT:
            self._out.append(hint)
            self._wake.set()
