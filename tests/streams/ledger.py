"""Holds what readers saw, and what writers were told, against what the database holds."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.streams.actors import Leaver, Visitor, Writer
from tests.streams.readers import Reader
from tests.streams.sight import Seen
from tests.streams.topology import Topology

EXAMPLES = 12


class Row(NamedTuple):
    """An event of the database's log."""

    seq: int
    kind: str
    subject: str | None


class Said(NamedTuple):
    """A message as the database holds it."""

    id: str
    conversation: str
    seq: int
    text: str
    changed: bool


@dataclass
class Findings:
    """What was broken, by kind, with examples."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, kind: str, words: str) -> None:
        """Count one."""
        self.counts[kind] += 1
        if self.counts[kind] <= EXAMPLES:
            self.examples.append(f"{kind}: {words}")


@dataclass
class Ledger:
    """The database's own log."""

    events: dict[str, list[Row]]
    messages: dict[str, Said]
    """By client id."""
    twice: int

    @classmethod
    def read(cls, topology: Topology) -> "Ledger":
        """As it stands now."""
        events: dict[str, list[Row]] = {}
        for stream, seq, kind, subject in topology.rows(
            "SELECT stream_id, seq, kind, subject_id FROM stream_event ORDER BY stream_id, seq"
        ):
            events.setdefault(str(stream), []).append(Row(seq, kind, str(subject) if subject else None))
        rows = topology.rows(
            "SELECT client_id, id, conversation_id, seq, text, edited_at, deleted_at FROM message"
        )
        messages = {
            str(row[0]): Said(str(row[1]), str(row[2]), row[3], row[4], bool(row[5] or row[6]))
            for row in rows
        }
        return cls(events, messages, len(rows) - len(messages))

    def heads(self) -> dict[str, int]:
        """The newest number of each stream."""
        return {stream: rows[-1].seq for stream, rows in self.events.items()}

    def check_numbers(self, found: Findings) -> None:
        """Numbers are contiguous, and each message stands where its event does."""
        for stream, rows in self.events.items():
            for before, row in itertools.pairwise(rows):
                if row.seq != before.seq + 1:
                    found.add("hole", f"{stream} goes from {before.seq} to {row.seq}")
        posted = {
            (stream, row.seq): row.subject
            for stream, rows in self.events.items()
            for row in rows
            if row.kind == "message.posted"
        }
        for said in self.messages.values():
            if posted.get((said.conversation, said.seq)) != said.id:
                found.add("misplaced", f"message {said.id} is not what {said.conversation} {said.seq} posts")
        if self.twice:
            found.add("twice", f"{self.twice} messages share a client id with another")

    def check_writers(self, writers: Iterable[Writer], found: Findings) -> None:
        """Everything acknowledged is there, where it was said to be, once; and nothing else is."""
        known = set()
        for writer in writers:
            last: dict[str, int] = {}
            for client_id, told in writer.acknowledged.items():
                known.add(client_id)
                said = self.messages.get(client_id)
                if said is None or (said.id, said.seq) != (told.id, told.seq):
                    found.add("lost_acknowledged", f"{told} is {said} in the database")
                if told.seq <= last.get(told.conversation, 0):
                    found.add("out_of_order", f"{told} was acknowledged after {last[told.conversation]}")
                last[told.conversation] = told.seq
            for words in writer.refused:
                found.add("refused", words)
        for client_id in self.messages.keys() - known:
            found.add("never_acknowledged", f"message of client id {client_id}")

    def check_reader(self, name: str, reader: Reader, heard: Sequence[str], found: Findings) -> None:
        """The reader saw every event of every stream it hears, once and in order."""
        for stream, before, after in reader.sight.resets:
            found.add("reset", f"{name} {stream} from {before} to {after}")
        for stream in heard:
            begun = reader.sight.begun.get(stream)
            if begun is None:
                found.add("unheard", f"{name} never heard of {stream}")
                continue
            held = [row for row in self.events.get(stream, ()) if row.seq > begun.seq]
            self._compare(f"{name} {stream}", reader.sight.logs[stream], held, found)
        for stream in reader.sight.logs.keys() - set(heard):
            found.add("overheard", f"{name} {stream}")

    def _compare(self, name: str, log: Sequence[Seen], held: Sequence[Row], found: Findings) -> None:
        texts = {said.id: said for said in self.messages.values()}
        seen = {(event.seq, event.kind, event.subject) for event in log}
        rows = set(held)
        for row in held:
            if row not in seen:
                found.add("lost", f"{name} {row}")
        for event in log:
            if Row(event.seq, event.kind, event.subject) not in rows:
                found.add("phantom", f"{name} {event}")
            said = texts.get(event.subject or "")
            if said is not None and not said.changed and event.text != said.text:
                found.add("altered", f"{name} {event} is {said.text!r} in the database")
        if [event.seq for event in log] != sorted({event.seq for event in log}):
            found.add("out_of_order", f"{name}")
        posted = Counter(event.subject for event in log if event.kind == "message.posted")
        for subject, times in posted.items():
            if times > 1:
                found.add("duplicated", f"{name} showed {subject} {times} times")


def check_visitors(topology: Topology, visitors: Sequence[Visitor], found: Findings) -> int:
    """Every acknowledged join is an attendance row, and every leave ends one. Returns how many joins."""
    rows = {str(row[0]): row[1] for row in topology.rows("SELECT id, left_at FROM attendance")}
    for stay in (stay for visitor in visitors for stay in visitor.parted):
        if rows.get(stay) is None:
            found.add("leaving_lost", f"stay {stay}")
    joined = [stay for visitor in visitors for stay in visitor.joined]
    for stay in joined:
        if stay not in rows:
            found.add("attendance_lost", f"stay {stay}")
    return len(joined)


def check_leavers(topology: Topology, leavers: Iterable[Leaver], found: Findings) -> list[float]:
    """Every device that was signed out was put out of its socket. Returns how long that took."""
    took = []
    for leaver in leavers:
        if not leaver.signed_out_at:
            continue
        if leaver.reader.connected or not leaver.reader.signed_out:
            found.add("still_in", f"session {leaver.reader.device.session_id}")
        took += [close.at - leaver.signed_out_at for close in leaver.reader.closes if close.code == 4503]
    waiting: list[tuple[Any, ...]] = topology.rows(
        "SELECT id, node, payload FROM node_command WHERE done_at IS NULL"
    )
    for command in waiting:
        found.add("command_not_done", str(command))
    return took
