"""2,000 bookings for one crowded day, over 30 connections at once: how long, overlaps, deadlocks.

Each is the whole verb, `scheduling.service.accept`, in a transaction of its own, with its stream events. The
peer checks and inserts without the lock, as most do, and leaves it to the constraint.
"""

import asyncio
import random
import time
from datetime import timedelta
from typing import Any, Final
from unittest.mock import patch

from sqlalchemy.exc import DBAPIError

from app.accounts.auth import Actor
from app.core import clock
from app.core.errors import Conflict
from app.scheduling import service
from tests.world import Person, World, slot

BOOKINGS: Final = 2_000
CONNECTIONS: Final = 30
CROWD: Final = 20
OVERLAPS: Final = """
    SELECT count(*) FROM booking a JOIN booking b
    ON a.account_id = b.account_id AND a.meeting_id < b.meeting_id AND a.during && b.during
"""


async def race(world: World) -> dict[str, Any]:
    """Ours, then the peer, on the same proposals."""
    proposals = await _proposals(world)
    ours = await _run(world, proposals)
    await world.run("DELETE FROM booking")
    await world.run("UPDATE meeting SET status = 'proposed', version = 1, sequence = 0, decided_at = NULL")
    with patch.object(service, "lock", _no_lock):
        peer = await _run(world, proposals)
    return {"bookings": BOOKINGS, "connections": CONNECTIONS, "with_the_lock": ours, "without_it": peer}


async def _no_lock(*_: object) -> None:
    return None


async def _proposals(world: World) -> list[tuple[Person, Any]]:
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
        rows.append(slot(left, pairing, at, chance.choice((15, 30, 45, 60))))
        found.append((right, rows[-1].id))
    await world.save(*rows)
    return found


async def _run(world: World, proposals: list[tuple[Person, Any]]) -> dict[str, Any]:
    waiting = list(reversed(proposals))
    outcome = {"booked": 0, "refused": 0, "deadlocks": 0}

    async def work() -> None:
        while waiting:
            person, meeting_id = waiting.pop()
            actor = Actor(person.account_id, person.session_id)
            try:
                async with world.database.transaction() as db:
                    await service.accept(db, actor, meeting_id)
                outcome["booked"] += 1
            except Conflict:
                outcome["refused"] += 1
            except DBAPIError:
                outcome["deadlocks"] += 1

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    took = time.perf_counter() - began
    overlaps = (await world.run(OVERLAPS))[0][0]
    return {
        "seconds": round(took, 2),
        "processor_seconds": round(time.process_time() - used, 2),
        "overlaps": overlaps,
        **outcome,
    }
