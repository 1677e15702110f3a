"""How far each stream is known: docs/protocol.md sections 12, 14 and 15 without sockets or clocks."""

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass
class Stream:
    """The cursor of one stream, and the events that came before their time."""

    kind: str
    epoch: str
    seq: int
    kept: dict[int, Event] = field(default_factory=dict)


class Streams:
    """Puts the events in order, each of them once, and knows when to catch up."""

    def __init__(self) -> None:
        self.known: dict[str, Stream] = {}
        # From a welcome, or the beginning of a sync, until its answer has been applied.
        self.holding = False
        self._held: list[Event] = []
        self._older = 0  # so many of them were there before the sync was asked for

    def cursors(self) -> list[dict[str, Any]]:
        return [{"stream": id_, "epoch": s.epoch, "seq": s.seq} for id_, s in self.known.items()]

    def hold(self) -> list[dict[str, Any]]:
        """Keeps whatever comes from now on, and gives the cursors for the sync."""
        self.holding = True
        self._older = len(self._held)
        return self.cursors()

    def take(self, event: Event) -> tuple[list[Event], bool]:
        """What is to be applied now, in order; and whether only a sync helps."""
        if self.holding:
            self._held.append(event)
            return [], False
        stream = self.known.get(event["stream"])
        if stream is None or stream.epoch != event["epoch"]:
            self._held.append(event)
            return [], True
        if event["seq"] > stream.seq:
            stream.kept[event["seq"]] = event
        return self._run(stream), False

    def _run(self, stream: Stream) -> list[Event]:
        """As far as the numbers go on without a hole."""
        ready = []
        while (event := stream.kept.pop(stream.seq + 1, None)) is not None:
            ready.append(event)
            stream.seq += 1
        return ready

    def has_gap(self) -> bool:
        return any(stream.kept for stream in self.known.values())

    def catch_up(self, part: dict[str, Any]) -> list[Event]:
        """One stream of a sync's answer that is no reset: what is to be applied."""
        stream = self.known[part["stream"]]
        for event in part["events"]:
            if event["seq"] > stream.seq:
                stream.kept[event["seq"]] = event
        return self._run(stream)

    def reset(self, part: dict[str, Any]) -> None:
        """From now on the stream is known up to its head; the caller reads the rest afresh."""
        old = self.known.get(part["stream"])
        kept = old.kept if old is not None and old.epoch == part["epoch"] else {}
        newer = {seq: event for seq, event in kept.items() if seq > part["head"]}
        self.known[part["stream"]] = Stream(part["kind"], part["epoch"], part["head"], newer)

    def forget(self, stream: str) -> None:
        self.known.pop(stream, None)

    def release(self) -> tuple[list[Event], bool]:
        """After a sync: what was held and is newer; and whether something came of a still newer stream."""
        self.holding = False
        held, self._held = self._held, []
        ready: list[Event] = []
        for place, event in enumerate(held):
            stream = self.known.get(event["stream"])
            if stream is not None and stream.epoch == event["epoch"]:
                ready += self.take(event)[0]
            elif place >= self._older:
                self._held.append(event)
        return ready, bool(self._held)
