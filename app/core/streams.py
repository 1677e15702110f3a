"""Streams: what happened, numbered without holes, for those who may hear it.

Every account, membership and conversation has a stream. An event gets the next `seq` of its stream under
the stream's row lock, in the transaction that makes it happen; so numbers are contiguous and nothing is seen
before it is committed. The rows are the outbox: they hold kinds and ids. `app.core.outbox` publishes them
after the commit, and again when a crash came between.

Locks are taken in one order: the rows of the business first, then streams by id, last. Hence `announce` only
notes what happened, and `number` takes the locks of everything noted at once.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import NamedTuple, Protocol, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Select,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, nodes
from app.core.db import Base, before_commit, instant, open_database
from signalling.contracts.calls import RosterChanged


class StreamKind(StrEnum):
    """Whose stream it is. Its id is the id of that account, membership or conversation."""

    ACCOUNT = "account"
    MEMBERSHIP = "membership"
    CONVERSATION = "conversation"


class Address(NamedTuple):
    """Which stream."""

    kind: StreamKind
    id: UUID


class Stream(Base):
    """The head of a stream."""

    __tablename__ = "stream"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    epoch: Mapped[str] = mapped_column(default_factory=lambda: new_epoch())
    """Changes when numbers begin anew, as after a restored backup."""
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    floor: Mapped[int] = mapped_column(BigInteger, default=0)
    """Events up to here are forgotten."""
    roster_version: Mapped[int] = mapped_column(BigInteger, default=1)
    """Rises with every change of who may hear it."""


class StreamEvent(Base):
    """One event: what happened to which thing, never its content."""

    __tablename__ = "stream_event"
    __table_args__ = (
        Index("ix_stream_event_waiting", "created_at", postgresql_where=text("relayed_at IS NULL")),
        Index("ix_stream_event_created_at", "created_at"),
    )

    stream_id: Mapped[UUID] = mapped_column(ForeignKey("stream.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str]
    subject_id: Mapped[UUID | None] = mapped_column(default=None)
    by_account_id: Mapped[UUID | None] = mapped_column(default=None)
    """Whose doing it was: it stays hidden from people who are kept apart from them."""
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    relayed_at: Mapped[datetime | None] = instant(default=None)


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event that has its place."""

    stream: UUID
    epoch: str
    seq: int
    roster_version: int
    kind: str
    subject_id: UUID | None
    by_account_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Noted:
    kind: str
    subject_id: UUID | None
    by_account_id: UUID | None


@dataclass(slots=True)
class _Pending:
    """What a transaction has noted and not numbered yet."""

    notes: dict[Address, dict[_Noted, None]] = field(default_factory=dict)
    rosters: set[Address] = field(default_factory=set)
    numbered: list[Numbered] = field(default_factory=list)
    versions: dict[UUID, int] = field(default_factory=dict)
    """The roster versions of the streams that are locked."""
    finished: bool = False
    """Nothing can be noted any more: everything has its place."""


def new_epoch() -> str:
    """A name that no earlier numbering of the stream had."""
    return secrets.token_urlsafe(6)


def announce(
    db: AsyncSession, stream: Address, kind: str, subject_id: UUID | None = None, *, by: UUID | None = None
) -> None:
    """Note that something happened, for the hearers of `stream`; saying the same twice is saying it once."""
    _noting(db).notes.setdefault(stream, {})[_Noted(kind, subject_id, by)] = None


def change_roster(db: AsyncSession, stream: Address) -> None:
    """Note that who may hear `stream` is not the same any more; before the stream is locked."""
    pending = _noting(db)
    if stream.id in pending.versions and stream not in pending.rosters:
        raise RuntimeError("This stream is locked with its roster as it was: change it, then number.")
    pending.rosters.add(stream)


class Publisher(Protocol):
    """What carries events out (`db.info["publisher"]`)."""

    async def take(self, db: AsyncSession, events: Sequence[Numbered]) -> None:
        """Prepare these for when the transaction of `db` has committed."""


def _pending(db: AsyncSession) -> _Pending:
    if "streams" not in db.info:
        db.info["streams"] = _Pending()
        before_commit(db, _finish)
    pending: _Pending = db.info["streams"]
    return pending


def _noting(db: AsyncSession) -> _Pending:
    pending = _pending(db)
    if pending.finished:
        raise RuntimeError("Streams have been numbered for the commit: announce before it begins.")
    return pending


async def _finish(db: AsyncSession) -> None:
    await number(db)
    pending = _pending(db)
    pending.finished = True
    for stream in sorted(pending.rosters, key=lambda stream: stream.id):
        version = pending.versions[stream.id]
        await nodes.command_all(db, RosterChanged, stream=stream.id, version=version)
    publisher: Publisher | None = db.info.get("publisher")
    if publisher is not None and pending.numbered:
        await publisher.take(db, pending.numbered)


async def number(db: AsyncSession) -> list[Numbered]:
    """Give everything noted its place; the locks are held until the transaction ends.

    Runs by itself before the commit. A service that must know a number calls it as its last step.
    """
    pending = _pending(db)
    notes, pending.notes = pending.notes, {}
    streams = sorted({*notes, *pending.rosters}, key=lambda stream: stream.id)
    streams = [stream for stream in streams if stream in notes or stream.id not in pending.versions]
    if not streams:
        return []
    if pending.versions and not {stream.id for stream in streams} <= pending.versions.keys():
        raise RuntimeError("Streams are locked once per transaction: announce everything, then number it.")
    heads = await _advance(db, streams, notes, pending)
    found = [
        Numbered(
            stream=stream.id,
            epoch=heads[stream.id].epoch,
            seq=heads[stream.id].seq - len(notes[stream]) + place,
            roster_version=heads[stream.id].roster_version,
            kind=note.kind,
            subject_id=note.subject_id,
            by_account_id=note.by_account_id,
            created_at=clock.now(),
        )
        for stream in streams
        for place, note in enumerate(notes.get(stream, ()), start=1)
    ]
    pending.numbered += found
    return found


class Head(NamedTuple):
    """Where a stream stands."""

    id: UUID
    epoch: str
    seq: int
    floor: int
    roster_version: int


@cache
def _forward() -> Select[UUID, str, int, int, int]:
    """Move one stream on and store what happened in it: one statement, for everyone waits for the lock.

    It is made once, for making it takes longer than running it.
    """
    head = (
        update(cast(Table, Stream.__table__))
        .where(Stream.id == bindparam("stream"))
        .values(seq=Stream.seq + bindparam("steps"), roster_version=Stream.roster_version + bindparam("turn"))
        .returning(Stream.id, Stream.epoch, Stream.seq, Stream.floor, Stream.roster_version)
        .cte("head")
    )
    note = (
        func.unnest(
            bindparam("kinds", type_=ARRAY(Text())),
            bindparam("subjects", type_=ARRAY(Uuid())),
            bindparam("authors", type_=ARRAY(Uuid())),
        )
        .table_valued("kind", "subject_id", "by_account_id", with_ordinality="place", name="note")
        .render_derived()
    )
    what = select(
        head.c.id,
        head.c.seq - bindparam("steps") + note.c.place,
        note.c.kind,
        note.c.subject_id,
        note.c.by_account_id,
        bindparam("now", type_=DateTime(timezone=True)),
    ).select_from(head.join(note, true()))
    columns = ["stream_id", "seq", "kind", "subject_id", "by_account_id", "created_at"]
    stored = insert(cast(Table, StreamEvent.__table__)).from_select(columns, what).cte("stored")
    return select(head.c.id, head.c.epoch, head.c.seq, head.c.floor, head.c.roster_version).add_cte(stored)


async def _advance(
    db: AsyncSession,
    streams: Sequence[Address],
    notes: Mapping[Address, Collection[_Noted]],
    pending: _Pending,
) -> dict[UUID, Head]:
    heads: dict[UUID, Head] = {}
    for stream in streams:  # in the order of their ids; nearly always it is one
        here = notes.get(stream, ())
        given = {
            "stream": stream.id,
            "steps": len(here),
            "turn": int(stream in pending.rosters and stream.id not in pending.versions),
            "kinds": [note.kind for note in here],
            "subjects": [note.subject_id for note in here],
            "authors": [note.by_account_id for note in here],
            "now": clock.now(),
        }
        row = (await db.execute(_forward(), given)).first()
        if row is None:
            await ensure(db, [stream])
            row = (await db.execute(_forward(), given)).one()
        heads[stream.id] = Head(*row)
        pending.versions[stream.id] = row.roster_version
    return heads


async def ensure(db: AsyncSession, streams: Sequence[Address]) -> None:
    """Begin those of these streams that nothing was ever said in."""
    rows = [
        {
            "id": stream.id,
            "kind": str(stream.kind),
            "epoch": new_epoch(),
            "seq": 0,
            "floor": 0,
            "roster_version": 1,
        }
        for stream in sorted(streams, key=lambda stream: stream.id)
    ]
    if rows:
        await db.execute(upsert(Stream).values(rows).on_conflict_do_nothing())


async def renew_epochs(url: str) -> int:
    """Give every stream of the database at `url` a new epoch; returns how many there are.

    A restored backup gives numbers away again that clients know already, for other events.
    """
    database = open_database(url)
    try:
        async with database.transaction() as db:
            rows = await db.scalars(
                update(Stream)
                .values(epoch=new_epoch())
                .returning(Stream.id)
                .execution_options(synchronize_session=False)
            )
            return len(list(rows))
    finally:
        await database.close()
