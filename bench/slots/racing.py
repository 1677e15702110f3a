"""2,000 bookings for one crowded day, over 30 connections at once: how long, overlaps, deadlocks.

What is raced is the taking of time: the statements of `scheduling.service._book` in a transaction for each,
from connections without an ORM. The peer checks and inserts without the lock, as most do, and leaves it to
the constraint. Beside it some run as whole verbs, `scheduling.service.accept`, with all that is told then.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.range import TimestamptzRange
from sqlalchemy.exc import DBAPIError

from app.accounts.auth import Actor
from app.core import clock
from app.core.engines import libpq_url
from app.core.errors import Conflict
from app.core.locks import _key
from app.scheduling import service
from tests.world import Person, World, slot

BOOKINGS: Final = 2_000
WHOLE: Final = 200
CONNECTIONS: Final = 30
CROWD: Final = 20
LOCK: Final = "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) key"
TAKEN: Final = "SELECT account_id FROM booking WHERE account_id = ANY(%s) AND during && %s"
HELD: Final = (
    "SELECT 1 FROM held_time JOIN hold ON hold.id = hold_id WHERE held_time.account_id = ANY(%s) "
    "AND during && %s AND expires_at > now()"
)
INSERT: Final = (
    "INSERT INTO booking (meeting_id, account_id, during, before_minutes, after_minutes) "
    "SELECT %s, account_id, %s, 0, 0 FROM unnest(%s::uuid[]) account_id"
)
DEADLOCK: Final = "40P01"
OVERLAPS: Final = """
    SELECT count(*) FROM booking a JOIN booking b
    ON a.account_id = b.account_id AND a.meeting_id < b.meeting_id AND a.during && b.during
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A time for two."""

    decider: Person
    meeting_id: UUID
    accounts: tuple[UUID, UUID]
    start: datetime
    end: datetime


async def race(world: World) -> dict[str, Any]:
    """Ours, the peer, and whole verbs, on the same proposals."""
    proposals = await _proposals(world)
    url = libpq_url(world.database.engine.url.render_as_string(hide_password=False))
    connections = [await psycopg.AsyncConnection.connect(url) for _ in range(CONNECTIONS)]
    found: dict[str, Any] = {"bookings": BOOKINGS, "connections": CONNECTIONS}
    try:
        for name, locked in (("with_the_lock", True), ("without_it", False)):
            waiting = list(connections)
            found[name] = await _run(world, proposals, _taking(waiting, locked))
            await world.run("DELETE FROM booking")
    finally:
        for connection in connections:
            await connection.close()
    found["whole_verbs"] = {"bookings": WHOLE, **await _run(world, proposals[:WHOLE], _whole(world))}
    return found


async def _proposals(world: World) -> list[Proposal]:
    place = await world.organisation()
    crowd = [await world.member(place, f"Person {number}") for number in range(CROWD)]
    chance = random.Random(20261129)
    pairs = []
    for index, left in enumerate(crowd):
        right = crowd[(index + 1) % CROWD]
        pairs.append((left, right, (await world.pair(left, right, kind="peers"))["id"]))
    start = clock.now() + timedelta(hours=24)
    rows, found = [], []
    for _ in range(BOOKINGS):
        left, right, pairing = chance.choice(pairs)
        at = start + timedelta(minutes=5 * chance.randrange(288))
        row = slot(left, pairing, at, chance.choice((15, 30, 45, 60)))
        rows.append(row)
        found.append(Proposal(right, row.id, (left.account_id, right.account_id), row.starts_at, row.ends_at))
    await world.save(*rows)
    return found


Outcome = Callable[[Proposal], Awaitable[str]]


def _taking(free: list[psycopg.AsyncConnection[Any]], locked: bool) -> Outcome:
    """Take the time of two people, or of nobody."""

    async def take(one: Proposal) -> str:
        connection = free.pop()
        during = TimestamptzRange(one.start, one.end, "[)")
        people = list(one.accounts)
        try:
            async with connection.transaction():
                if locked:
                    keys = [_key("booking", account_id) for account_id in sorted(people)]
                    await connection.execute(LOCK, [keys])
                for check in (TAKEN, HELD):
                    cursor = await connection.execute(check, [people, during])
                    if await cursor.fetchone():
                        return "refused"
                await connection.execute(INSERT, [one.meeting_id, during, people])
            return "booked"
        except psycopg.errors.DeadlockDetected:
            return "deadlocks"
        except psycopg.errors.ExclusionViolation:
            return "refused"
        finally:
            free.append(connection)

    return take


def _whole(world: World) -> Outcome:
    async def accept(one: Proposal) -> str:
        try:
            async with world.database.transaction() as db:
                await service.accept(
                    db, Actor(one.decider.account_id, one.decider.session_id), one.meeting_id
                )
        except Conflict:
            return "refused"
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != DEADLOCK:
                raise
            return "deadlocks"
        return "booked"

    return accept


async def _run(world: World, proposals: list[Proposal], book: Outcome) -> dict[str, Any]:
    waiting = list(reversed(proposals))
    outcome = {"booked": 0, "refused": 0, "deadlocks": 0}

    async def work() -> None:
        while waiting:
            outcome[await book(waiting.pop())] += 1

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    took = time.perf_counter() - began
    overlaps = (await world.run(OVERLAPS))[0][0]
    return {
        "seconds": round(took, 2),
        "processor_seconds_of_ours": round(time.process_time() - used, 2),
        "overlaps": overlaps,
        **outcome,
    }
