"""The outbox: events leave after the commit, and again when a crash came between.

What an event says is read when it leaves, with only what every hearer may see, and rendered once.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, BigInteger, Uuid, cast, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import Database, after_commit
from app.core.streams import Numbered, Stream, StreamEvent
from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.envelope import Envelope

Content = Mapping[str, Any]
Reader = Callable[[AsyncSession, Sequence[UUID]], Awaitable[Mapping[UUID, Content]]]

WAITING = 10_000
BATCH = 500
MARK_SECONDS = 0.1
OVERDUE = timedelta(seconds=0.5)
HIDDEN = "hidden"
"""The kind of an event whose content is not for its hearer, or is gone."""

log = structlog.get_logger()
_readers: dict[str, Reader] = {}


class Happened(Protocol):
    """An event, as it was numbered or as it is stored."""

    @property
    def seq(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject_id(self) -> UUID | None: ...


def read_with(kind: str, reader: Reader) -> None:
    """Let a room say what events of `kind` tell: from subjects to what every hearer may see of them.

    A kind without a reader tells the id of its subject, and a subject that its reader leaves out is hidden.
    """
    _readers[kind] = reader


async def contents(db: AsyncSession, events: Sequence[Happened]) -> list[tuple[str, Content]]:
    """What each event says now: its kind and content."""
    wanted: dict[str, list[UUID]] = {}
    for event in events:
        if event.kind in _readers and event.subject_id is not None:
            wanted.setdefault(event.kind, []).append(event.subject_id)
    found = {kind: await _readers[kind](db, ids) for kind, ids in wanted.items()}
    said: list[tuple[str, Content]] = []
    for event in events:
        subject = event.subject_id
        if event.kind not in found or subject is None:
            said.append((event.kind, {"id": str(subject)} if subject else {}))
        elif subject in found[event.kind]:
            said.append((event.kind, found[event.kind][subject]))
        else:
            said.append((HIDDEN, {}))
    return said


def message(stream: UUID, epoch: str, event: Happened, kind: str, content: Content) -> dict[str, Any]:
    """The `event` message, as the socket and the sync both carry it."""
    return {
        "type": "event",
        "stream": str(stream),
        "epoch": epoch,
        "seq": event.seq,
        "kind": kind,
        "data": dict(content),
    }


def _envelope(event: Numbered, kind: str, content: Content) -> Envelope:
    said = message(event.stream, event.epoch, event, kind, content)
    return Envelope(
        stream=event.stream,
        epoch=event.epoch,
        seq=event.seq,
        roster_version=event.roster_version,
        kind=kind,
        by=event.by_account_id,
        frame=json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode(),
    )


async def _render(db: AsyncSession, events: Sequence[Numbered]) -> list[Envelope]:
    said = await contents(db, events)
    return [_envelope(event, *what) for event, what in zip(events, said, strict=True)]


class Relay:
    """Carries the events of this process's transactions out, without making anyone wait.

    What cannot leave now stays unmarked in the database, where `sweep` finds it.
    """

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._waiting: asyncio.Queue[Envelope] = asyncio.Queue(WAITING)
        self._sent: list[Envelope] = []
        self._stopping = asyncio.Event()

    async def take(self, db: AsyncSession, events: Sequence[Numbered]) -> None:
        """Render these now; they leave when the transaction of `db` has committed."""
        envelopes = await _render(db, events)

        async def put() -> None:
            for envelope in envelopes:
                if not self._waiting.full():
                    self._waiting.put_nowait(envelope)

        after_commit(db, put)

    async def run(self) -> None:
        """Publish what waits, for ever."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty() and len(batch) < BATCH:
                batch.append(self._waiting.get_nowait())
            try:
                await self._bus.publish_hints(batch)
            except BusUnavailable:
                continue
            except Exception:
                log.exception("relay_failed", count=len(batch))
                continue
            self._sent += batch

    def stop(self) -> None:
        """Let `mark` end with what has left so far: cancelled in the middle, it would lose its connection."""
        self._stopping.set()

    async def mark(self) -> None:
        """Write down what has left, a batch at a time, until `stop`."""
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MARK_SECONDS):
                    await self._stopping.wait()
            sent, self._sent = self._sent, []
            if sent:
                try:
                    async with self._database.transaction() as db:
                        await _mark(db, sent)
                except Exception:  # unmarked, it only leaves twice
                    log.warning("relayed_not_marked", count=len(sent))


async def _mark(db: AsyncSession, sent: Sequence[Envelope]) -> None:
    ids = cast([envelope.stream for envelope in sent], ARRAY(Uuid))
    seqs = cast([envelope.seq for envelope in sent], ARRAY(BigInteger))
    gone = select(func.unnest(ids).label("id"), func.unnest(seqs).label("seq")).subquery()
    await db.execute(
        update(StreamEvent)
        .where(StreamEvent.stream_id == gone.c.id, StreamEvent.seq == gone.c.seq)
        .values(relayed_at=clock.now())
    )


async def sweep(db: AsyncSession, bus: Bus) -> int:
    """Publish what a crash, or a bus that was away, left behind. Returns how many."""
    rows = await db.execute(
        select(StreamEvent, Stream)
        .join(Stream, Stream.id == StreamEvent.stream_id)
        .where(StreamEvent.relayed_at.is_(None), StreamEvent.created_at < clock.now() - OVERDUE)
        .order_by(StreamEvent.created_at, StreamEvent.stream_id, StreamEvent.seq)
        .limit(BATCH)
        .with_for_update(of=StreamEvent, skip_locked=True, key_share=True)
    )
    events = [
        Numbered(
            stream=stream.id,
            epoch=stream.epoch,
            seq=event.seq,
            roster_version=stream.roster_version,
            kind=event.kind,
            subject_id=event.subject_id,
            by_account_id=event.by_account_id,
            created_at=event.created_at,
        )
        for event, stream in rows
    ]
    if events:
        envelopes = await _render(db, events)
        try:
            await bus.publish_hints(envelopes)
        except BusUnavailable:
            return 0
        await _mark(db, envelopes)
    return len(events)


async def clear_away(db: AsyncSession, before: datetime) -> int:
    """Forget the events of before then; a cursor that stands there is told that the stream was reset.

    Deals with a batch of streams, so that nobody waits long for their rows, and returns how many there were:
    until it is none, there are more.
    """
    old = (
        select(StreamEvent.stream_id.label("id"), func.max(StreamEvent.seq).label("seq"))
        .where(StreamEvent.created_at < before)
        .group_by(StreamEvent.stream_id)
        .order_by(StreamEvent.stream_id)
        .limit(BATCH)
        .subquery()
    )
    # Whoever takes the rows of several streams takes them by id.
    rows = await db.execute(
        select(Stream.id, old.c.seq)
        .join(old, old.c.id == Stream.id)
        .order_by(Stream.id)
        .with_for_update(of=Stream, key_share=True)
    )
    last = {identity: seq for identity, seq in rows}
    if not last:
        return 0
    ids, seqs = cast(list(last), ARRAY(Uuid)), cast(list(last.values()), ARRAY(BigInteger))
    floors = select(func.unnest(ids).label("id"), func.unnest(seqs).label("seq")).subquery()
    await db.execute(
        update(Stream)
        .where(Stream.id == floors.c.id, Stream.floor < floors.c.seq)
        .values(floor=floors.c.seq)
        .execution_options(synchronize_session=False)
    )
    forgotten = StreamEvent.stream_id == floors.c.id, StreamEvent.seq <= floors.c.seq
    await db.execute(delete(StreamEvent).where(*forgotten).execution_options(synchronize_session=False))
    return len(last)
