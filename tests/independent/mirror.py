"""What one person sees of their conversations, kept in step: docs/protocol.md sections 14 to 16."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from tests.independent.rest import Refused, Rest, Unreachable
from tests.independent.streams import Event, Streams

GAP_SECONDS, SPREAD_SECONDS = 0.3, 1.0
STREAM_KINDS = ("account", "membership", "conversation")
SYNC_SECONDS, SYNC_SECONDS_BLIND = 60.0, 10.0


def backoff(tries: int) -> float:
    """0.5, 1, 2, 4 … 30 seconds, a random part of it."""
    return random.random() * min(0.5 * 2.0 ** min(tries, 6), 30.0)


class Mirror:
    """Conversations and messages as events and REST tell them."""

    def __init__(self, rest: Rest, changed: Callable[[], None]) -> None:
        self._rest = rest
        self._changed = changed
        self.streams = Streams()
        self.conversations: dict[str, dict[str, Any]] = {}
        self.messages: dict[str, dict[str, dict[str, Any]]] = {}
        self.live = True
        # What the tests look at.
        self.applied: list[Event] = []
        self.resets: list[str] = []
        self.syncs = 0
        self._behind = True
        self._stale: set[str] = set()
        self._work = asyncio.Event()
        self._gap_timer: asyncio.TimerHandle | None = None

    @property
    def in_step(self) -> bool:
        """Whether nothing is known to be missing."""
        return not self._behind and not self.streams.holding and not self._stale

    def hold(self) -> None:
        """There was a welcome: what comes now has to wait for what was missed."""
        self.streams.holding = True
        self.sync_soon()

    def sync_soon(self) -> None:
        self._behind = True
        self._work.set()

    def sync_with_the_crowd(self) -> None:
        """Many are told at once to sync: at some moment within a second."""
        asyncio.get_running_loop().call_later(random.random() * SPREAD_SECONDS, self.sync_soon)

    def take(self, event: Event) -> None:
        """An event that came on the socket."""
        ready, sync = self.streams.take(event)
        self._apply(ready)
        if sync:
            self.sync_soon()
        elif self.streams.has_gap() and self._gap_timer is None:
            self._gap_timer = asyncio.get_running_loop().call_later(GAP_SECONDS, self._gap_is_old)

    def _gap_is_old(self) -> None:
        self._gap_timer = None
        if self.streams.has_gap():
            self.sync_soon()

    async def run(self) -> None:
        """Catches up whenever it has to, one sync at a time."""
        tries = 0
        while True:
            try:
                await asyncio.wait_for(self._work.wait(), SYNC_SECONDS if self.live else SYNC_SECONDS_BLIND)
            except TimeoutError:
                self._behind = True
            self._work.clear()
            try:
                if self._behind:
                    await self._sync()
                while self._stale:
                    await self._read_conversation(next(iter(self._stale)))
                tries = 0
            except (Unreachable, Refused) as error:
                if isinstance(error, Refused) and error.status == 401:
                    return
                self.sync_soon()
                await asyncio.sleep(backoff(tries))
                tries += 1
            self._changed()

    async def _sync(self) -> None:
        self._behind = False
        self.syncs += 1
        more = True
        while more:
            answer = await self._rest.sync(self.streams.hold())
            for stream in answer["gone"]:
                self._forget(stream)
            resets = [part for part in answer["streams"] if part["reset"]]
            for part in resets:
                self.streams.reset(part)
            await self._read_afresh(resets)
            for part in answer["streams"]:
                if not part["reset"]:
                    self._apply(self.streams.catch_up(part))
            more = any(part["limited"] for part in answer["streams"])
        if not self._behind:  # nothing has asked for another one since
            ready, stranger = self.streams.release()
            self._apply(ready)
            if stranger:
                self.sync_soon()

    def _apply(self, events: list[Event]) -> None:
        for event in events:
            self.applied.append(event)
            kind, data = event["kind"], event["data"]
            if kind.startswith("message."):
                self.messages.setdefault(event["stream"], {})[data["id"]] = data
            elif kind in ("conversation.changed", "conversation.read"):
                self._stale.add(data["id"])
                self._work.set()
            if kind in ("conversation.changed", "memberships.changed"):
                self.sync_soon()  # streams may have come or gone

    async def _read_afresh(self, resets: list[dict[str, Any]]) -> None:
        """All that is shown of these streams; nothing of another room is shown here."""
        self.resets += [part["stream"] for part in resets]
        of_kind = {kind: [p["stream"] for p in resets if p["kind"] == kind] for kind in STREAM_KINDS}
        if of_kind["membership"] or of_kind["conversation"]:
            self.conversations = {each["id"]: each for each in await self._rest.conversations()}
        for stream in of_kind["conversation"]:
            self.messages[stream] = await self._read_messages(stream)

    async def _read_messages(self, conversation_id: str) -> dict[str, dict[str, Any]]:
        """Page by page, from the newest back to the first."""
        messages: dict[str, dict[str, Any]] = {}
        before: dict[str, int] = {}
        more = conversation_id in self.conversations
        while more:
            page = await self._rest.history(conversation_id, limit=100, **before)
            messages |= {message["id"]: message for message in page["items"]}
            more = page["more_before"]
            before = {"before": page["items"][0]["seq"]} if more else {}
        return messages

    async def _read_conversation(self, conversation_id: str) -> None:
        try:
            self.conversations[conversation_id] = await self._rest.conversation(conversation_id)
        except Refused as refused:
            if refused.status != 404:
                raise
            self._forget(conversation_id)
        self._stale.discard(conversation_id)

    def _forget(self, stream: str) -> None:
        self.streams.forget(stream)
        self.conversations.pop(stream, None)
        self.messages.pop(stream, None)

    def texts(self, conversation_id: str) -> list[str]:
        """What was said, in its order, deleted messages left out."""
        told = sorted(self.messages.get(conversation_id, {}).values(), key=lambda m: int(m["seq"]))
        return [m["text"] for m in told if not m["deleted"]]

    def unread(self, conversation_id: str) -> int:
        """Messages of others that lie after my mark, counted here."""
        conversation = self.conversations[conversation_id]
        mine = {person["id"] for person in conversation["people"] if person["is_me"]}
        mark = conversation["read_up_to"]
        others = [m for m in self.messages[conversation_id].values() if m["author_id"] not in mine]
        return sum(m["seq"] > mark and not m["deleted"] for m in others)

    def told(self, stream: str) -> list[tuple[str, str]]:
        """Kind and id of each event that was applied of one stream."""
        return [(e["kind"], e["data"]["id"]) for e in self.applied if e["stream"] == stream]
