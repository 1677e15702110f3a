"""Nobody is booked twice, however many say yes at once; and how the checker would know."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.core import clock
from app.scheduling import service
from tests.world import Person, World, slot

pytestmark = pytest.mark.database

DOUBLE_BOOKED = """
    SELECT a.account_id FROM booking a JOIN booking b
    ON a.account_id = b.account_id AND a.meeting_id < b.meeting_id AND a.during && b.during
"""
# What was refused must have been in someone's way: no meeting stays out that would have fitted.
REFUSED_WITHOUT_REASON = """
    SELECT m.id FROM meeting m WHERE m.status = 'proposed' AND NOT EXISTS (
        SELECT 1 FROM participant p JOIN membership s ON s.id = p.membership_id
        JOIN booking b ON b.account_id = s.account_id
        WHERE p.pairing_id = m.pairing_id AND b.during && tstzrange(m.starts_at, m.ends_at))
"""
HALF_BOOKED = """
    SELECT m.id FROM meeting m LEFT JOIN booking b ON b.meeting_id = m.id
    GROUP BY m.id, m.status HAVING count(b.account_id) <> CASE m.status WHEN 'booked' THEN 2 ELSE 0 END
"""


async def rivals(world: World, people: int, meetings: int) -> list[tuple[Person, UUID]]:
    """So many people paired with each other, and proposals for them in one crowded afternoon."""
    place = await world.organisation()
    crowd = [await world.member(place, f"Person {number}") for number in range(people)]
    pairs = []
    for index, left in enumerate(crowd):
        for right in crowd[index + 1 :]:
            made = await world.pair(left, right, kind="peers")
            pairs.append((left, right, made["id"]))
    chance = random.Random(20261122)
    start = clock.now() + timedelta(hours=24)
    proposals, rows = [], []
    for _ in range(meetings):
        left, right, pairing = chance.choice(pairs)
        at = start + timedelta(minutes=5 * chance.randrange(96))
        rows.append(slot(left, pairing, at, chance.choice((15, 30, 45, 60))))
        proposals.append((right, rows[-1].id))
    await world.save(*rows)
    return proposals


async def accept_all(proposals: list[tuple[Person, UUID]]) -> Counter[int]:
    answers = await asyncio.gather(
        *(person.post(f"/v1/meetings/{meeting_id}/accept") for person, meeting_id in proposals)
    )
    return Counter(answer.status_code for answer in answers)


async def deadlocks(world: World) -> int:
    await asyncio.sleep(1.1)  # how long a backend may keep its counters to itself
    await world.run("SELECT pg_stat_clear_snapshot()")
    rows = await world.run("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(rows[0][0])


async def test_nobody_is_booked_twice_by_hundreds_of_racing_acceptances(world: World) -> None:
    """Over ten connections at once, which is what the pool of the test application holds."""
    proposals = await rivals(world, people=5, meetings=240)
    before = await deadlocks(world)
    outcome = await accept_all(proposals)
    assert set(outcome) == {200, 409}
    assert outcome[200] > 10
    assert await world.run(DOUBLE_BOOKED) == []
    assert await world.run(HALF_BOOKED) == []
    assert await world.run(REFUSED_WITHOUT_REASON) == []
    assert await deadlocks(world) == before


async def _nothing(*_: Any) -> None:
    return None


async def test_the_constraint_alone_holds_when_the_checks_are_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals = await rivals(world, people=4, meetings=40)
    monkeypatch.setattr(service, "lock", _nothing)
    monkeypatch.setattr(service, "must_be_free", _nothing)
    outcome = await accept_all(proposals)
    assert outcome[200] > 0
    assert outcome[409] > 0, "a violated constraint is told as taken time"
    assert await world.run(DOUBLE_BOOKED) == []
    assert await world.run(HALF_BOOKED) == []


async def test_the_checker_finds_double_bookings_when_nothing_prevents_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals = await rivals(world, people=4, meetings=40)
    await world.run("ALTER TABLE booking DROP CONSTRAINT ex_booking_nobody_twice")
    monkeypatch.setattr(service, "lock", _nothing)
    monkeypatch.setattr(service, "must_be_free", _nothing)
    assert await accept_all(proposals) == {200: 40}
    assert await world.run(DOUBLE_BOOKED) != []
