"""What the user of an events client would see: events in order, once, whatever order they come in."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """One event as it was shown."""

    seq: int
    kind: str
    subject: str | None
    text: str | None


class Cursor(NamedTuple):
    """How far a stream is known."""

    epoch: str
    seq: int


@dataclass
class Counts:
    """What a reader went through."""

    connects: int = 0
    resumes: int = 0
    refused_resumes: int = 0
    cuts: int = 0
    syncs: int = 0
    sync_requests: int = 0
    gaps: int = 0
    dropped: int = 0
    told_to_sync: int = 0
    by_socket: int = 0
    by_sync: int = 0
    by_poll: int = 0


@dataclass
class Sight:
    """Applies the rules of the protocol document to what the socket and the sync bring."""

    ask_to_sync: Callable[[], None]
    look_again: Callable[[str], None]
    """Call `fill` for this stream in a moment."""
    count: Counts = field(default_factory=Counts)
    logs: dict[str, list[Seen]] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    begun: dict[str, Cursor] = field(default_factory=dict)
    """Where each log begins: what came before is read as history."""
    resets: list[tuple[str, Cursor, Cursor]] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    """From the posting of a message until it was shown, for those that came by the socket."""
    polled: bool = False
    """Whether nothing but the clock made us sync."""
    held: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    """Events that are ahead of one that is missing."""

    def take(self, event: dict[str, Any], *, synced: bool = False) -> None:
        """Show an event, or hold it, or drop it."""
        stream, seq = event["stream"], event["seq"]
        cursor = self.cursors.get(stream)
        if cursor is None or cursor.epoch != event["epoch"]:
            self.ask_to_sync()
        elif seq <= cursor.seq:
            self.count.dropped += 1
        elif seq == cursor.seq + 1 or synced:
            self._show(event, synced=synced)
            held = self.held.get(stream)
            if held and (following := held.pop(seq + 1, None)):
                self.take(following)
        else:
            held = self.held.setdefault(stream, {})
            if not held:
                self.look_again(stream)
            held[seq] = event

    def _show(self, event: dict[str, Any], *, synced: bool) -> None:
        stream, data = event["stream"], event["data"]
        self.cursors[stream] = Cursor(event["epoch"], event["seq"])
        seen = Seen(event["seq"], event["kind"], data.get("id"), data.get("text"))
        self.logs.setdefault(stream, []).append(seen)
        if synced:
            self.count.by_sync += 1
            self.count.by_poll += self.polled
        else:
            self.count.by_socket += 1
        if event["kind"] == "message.posted" and not synced:
            self.lags.append(time.time() - datetime.fromisoformat(data["posted_at"]).timestamp())

    def fill(self, stream: str) -> None:
        """Time is up for what was missing."""
        held = self.held.get(stream)
        cursor = self.cursors.get(stream)
        for seq in [seq for seq in held or () if cursor and seq <= cursor.seq]:
            assert held is not None
            del held[seq]
        if held:
            self.count.gaps += 1
            self.ask_to_sync()

    def apply(self, found: dict[str, Any]) -> None:
        """Take in what a sync says of one stream."""
        stream, head = found["stream"], Cursor(found["epoch"], found["head"])
        known = self.cursors.get(stream)
        if found["reset"]:
            if known is None:
                self.begun.setdefault(stream, head)
                self.logs.setdefault(stream, [])
            else:
                self.resets.append((stream, known, head))
            self.cursors[stream] = head
            return
        for event in found["events"]:
            self.take(event, synced=True)
        if not found["limited"] and (known := self.cursors.get(stream)) and known.seq < head.seq:
            self.cursors[stream] = head
