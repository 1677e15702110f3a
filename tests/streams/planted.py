"""Faulty variants of the product, to prove that the tests would notice: `python -m ... FAULT app|...`.

Each is a mistake that a reasonable person could make, and is made here by replacing one function before the
program starts.
"""

import asyncio
import os
import random
import runpy
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Select, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.chat import queries as chat
from app.core import outbox, streams
from app.core.engines import libpq_url
from app.core.streams import Address, Head, Numbered, Stream, StreamEvent
from signalling.events.rosters import Known, Rosters

ROOM = 1000
"""Numbers are handed out so far apart that one turn has room for all the events of a transaction."""


async def _number_globally(
    db: AsyncSession, addresses: Sequence[Address], notes: Mapping[Address, Collection[Any]], pending: Any
) -> dict[UUID, Head]:
    """Numbers from one sequence for everybody, taken without the row's lock: commits overtake each other."""
    heads: dict[UUID, Head] = {}
    for stream in addresses:
        number = await db.scalar(text("SELECT nextval('planted_serial')"))
        assert isinstance(number, int)
        await streams.ensure(db, [stream])
        found = (
            await db.execute(select(Stream.epoch, Stream.roster_version).where(Stream.id == stream.id))
        ).one()
        heads[stream.id] = Head(stream.id, found.epoch, number * ROOM, 0, found.roster_version)
        pending.versions[stream.id] = found.roster_version
    await asyncio.sleep(random.uniform(0, 0.03))  # other work of the transaction
    for stream in addresses:
        here = notes.get(stream, ())
        first = heads[stream.id].seq - len(here) + 1
        for seq, note in enumerate(here, start=first):
            row = StreamEvent(stream_id=stream.id, seq=seq, kind=note.kind)
            row.subject_id, row.by_account_id = note.subject_id, note.by_account_id
            db.add(row)
        if here:
            head = func.greatest(Stream.seq, heads[stream.id].seq)
            await db.execute(
                update(Stream)
                .where(Stream.id == stream.id)
                .values(seq=head)
                .execution_options(synchronize_session=False)
            )
    return heads


def _unlocked() -> Select[UUID]:
    """Whether the writer may write, without keeping others waiting."""
    heard = chat.heard_by(chat._WRITER)
    return select(Stream.id).where(Stream.id == bindparam("conversation"), Stream.id.in_(heard))


def global_serial() -> None:
    """Cursors over a global serial."""
    with psycopg.connect(libpq_url(os.environ["DATABASE_URL"]), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(4242)")
        connection.execute("CREATE SEQUENCE IF NOT EXISTS planted_serial")
    streams._advance = _number_globally  # type: ignore[assignment]
    chat._hold = cache(_unlocked)


class _Unlucky(RuntimeError):
    """A transaction that does not commit after all."""


def publish_before_commit() -> None:
    """Events leave at once; a moment later the transaction commits, or does not."""

    async def take(self: outbox.Relay, db: AsyncSession, events: Sequence[Numbered]) -> None:
        for envelope in await outbox._render(db, events):
            self._waiting.put_nowait(envelope)
        await asyncio.sleep(random.uniform(0, 0.02))
        if random.random() < 0.05:
            raise _Unlucky

    outbox.Relay.take = take  # type: ignore[method-assign]


def deaf_to_rosters() -> None:
    """A node that goes on with the first roster it was told."""

    def get(self: Rosters, stream: UUID, version: int = 0) -> Known | None:
        return self._known.get(stream)

    def forget(self: Rosters, stream: UUID, version: int = 0) -> Known | None:
        return None

    Rosters.get = get  # type: ignore[method-assign]
    Rosters.forget = forget  # type: ignore[method-assign]
    Rosters.hold = lambda self: None  # type: ignore[method-assign]


FAULTS: dict[str, tuple[tuple[str, ...], Callable[[], None]]] = {
    "global-serial": (("app", "worker"), global_serial),
    "publish-before-commit": (("app", "worker"), publish_before_commit),
    "deaf-to-rosters": (("signalling",), deaf_to_rosters),
}
"""Where each belongs, and how it is made."""


def main() -> None:
    """Plant the fault where it belongs and run the program."""
    fault, program = sys.argv[1:3]
    places, plant = FAULTS[fault]
    if program in places:
        plant()
    if program == "signalling":
        sys.argv = ["signalling"]
        runpy.run_module("signalling", run_name="__main__")
        return
    from app.cli import main as run  # noqa: PLC0415

    sys.argv = ["mentorspan", program]
    run()


if __name__ == "__main__":
    main()
