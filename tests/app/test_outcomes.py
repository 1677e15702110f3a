"""How meetings went: what attendance shows, what comes in late, and what people say of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app.core import clock
from app.scheduling import calls, noshows
from app.worker import settle_meetings
from tests.app.at_work import running, until
from tests.app.kept import sweep
from tests.app.test_attendance import Room, Stay, room
from tests.world import Person, World

pytestmark = pytest.mark.database
__all__ = ["room"]


@pytest.fixture
async def world(shared_world: World) -> World:
    """An empty world, in a database that the tests of this module share."""
    await sweep(shared_world)
    return shared_world


START = datetime(2027, 3, 1, 9, tzinfo=UTC)
PEOPLE = [UUID(int=number) for number in range(1, 5)]
minutes = st.integers(min_value=-20, max_value=90)
stays = st.lists(st.tuples(st.sampled_from(PEOPLE), minutes, st.none() | st.integers(1, 100)), max_size=8)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def by_the_minute(patience: dict[UUID, int], spent: list[Any]) -> tuple[bool, list[UUID]]:
    """The same on a grid of minutes: in the call during the minute that begins then."""

    def present(who: UUID) -> list[int]:
        return [
            minute
            for minute in range(300)
            for account, joined, length in spent
            if account == who and joined <= minute and (length is None or minute < joined + length)
        ]

    there = {who: present(who) for who in PEOPLE}
    absent = [who for who in patience if not there[who] or min(there[who]) > patience[who]]
    return sum(bool(found) for found in there.values()) >= 2, sorted(absent)


@examples(max_examples=150, deadline=None, database=None)
@given(stays, st.dictionaries(st.sampled_from(PEOPLE), st.integers(5, 60), max_size=4))
def test_who_was_there_is_what_a_clock_on_the_wall_would_say(
    spent: list[Any], patience: dict[UUID, int]
) -> None:
    people = {who: (who, timedelta(minutes=limit)) for who, limit in patience.items()}
    told = [
        (who, at(joined), None if length is None else at(joined + length)) for who, joined, length in spent
    ]
    found = noshows.judge(START, people, told)
    assert (found.held, found.absent) == by_the_minute(patience, spent)


async def end(room: Room, ago: timedelta = timedelta(minutes=5)) -> datetime:
    """Let the room's meeting be over; returns when it began."""
    ends = clock.now() - ago
    starts = ends - timedelta(minutes=45)
    await room.world.run("UPDATE meeting SET starts_at = :starts, ends_at = :ends", starts=starts, ends=ends)
    return starts


async def settle(world: World) -> int:
    async with world.database.transaction() as db:
        return await noshows.settle(db)


async def seen(room: Room, who: Person | None = None) -> Any:
    return await (who or room.mentee).ok("GET", f"/v1/meetings/{room.meeting['id']}")


def stay(room: Room, who: Person, since: datetime) -> Stay:
    return Stay(
        room.call_id, who.membership_id or UUID(int=0), since, UUID(int=who.account_id.int ^ since.minute)
    )


async def test_a_meeting_is_settled_once_it_is_over(room: Room) -> None:
    assert (await seen(room))["outcome"] is None
    assert await settle(room.world) == 0, "it has not begun"
    starts = await end(room)
    present = stay(room, room.mentee, starts)
    await room.tell(present.joined(), present.left(2000))
    before = await seen(room)
    assert await settle(room.world) == 1
    assert await settle(room.world) == 0, "once"
    after = await seen(room)
    mentor = str(room.mentor.membership_id)
    assert after["outcome"] == {"held": False, "by": "attendance", "absent": [mentor], "note": None}
    assert after["version"] > before["version"]
    assert after == {**await seen(room, room.mentor), "people": after["people"]}
    last = (await room.mentee.ok("GET", f"/v1/meetings/{room.meeting['id']}/history"))["items"][-1]
    assert (last["what"], last["by"]) == ("not_held", None)


async def test_when_nobody_came_it_was_not_held(room: Room) -> None:
    await end(room)
    await settle(room.world)
    outcome = (await seen(room))["outcome"]
    both = {str(room.mentee.membership_id), str(room.mentor.membership_id)}
    assert (outcome["held"], set(outcome["absent"])) == (False, both)


async def test_facts_that_come_late_correct_what_was_marked(room: Room) -> None:
    starts = await end(room)
    await settle(room.world)
    first, second = stay(room, room.mentee, starts), stay(room, room.mentor, starts + timedelta(minutes=12))
    await room.tell(first.joined())
    mentor = str(room.mentor.membership_id)
    outcome = (await seen(room))["outcome"]
    assert (outcome["held"], outcome["absent"]) == (False, [mentor])
    await room.tell(second.joined())
    outcome = (await seen(room))["outcome"]
    assert (outcome["held"], outcome["absent"]) == (True, [mentor]), "12 minutes late is absent, and yet met"
    earlier = stay(room, room.mentor, starts + timedelta(minutes=8))
    version = (await seen(room))["version"]
    await room.tell(earlier.joined(), earlier.left(30))
    after = await seen(room)
    assert (after["outcome"]["held"], after["outcome"]["absent"]) == (True, [])
    await room.tell(second.left(900), first.left(1800))
    assert (await seen(room))["version"] == after["version"] > version, "that told nothing new"


async def test_how_long_one_waits_is_the_absent_ones_own_policy(room: Room) -> None:
    path = f"/v1/organisations/{room.mentor.organisation_id}/meeting-policy"
    await room.mentor.ok("PUT", path, {"late_cancel_hours": 24, "no_show_minutes": 30})
    starts = await end(room)
    for who in (room.mentee, room.mentor):
        await room.tell(stay(room, who, starts + timedelta(minutes=20)).joined())
    await settle(room.world)
    assert (await seen(room))["outcome"]["absent"] == [str(room.mentee.membership_id)]


async def test_what_people_say_counts_more_than_what_attendance_shows(room: Room) -> None:
    path = f"/v1/meetings/{room.meeting['id']}/outcome"
    await room.world.run(
        "UPDATE meeting SET starts_at = now() + interval '1 hour', ends_at = now() + interval '2 hour'"
    )
    ahead = await room.mentee.call("PUT", path, {"held": True})
    assert (ahead.status_code, ahead.json()["code"]) == (409, "meeting_ahead")
    starts = await end(room)
    await settle(room.world)
    told = await room.mentee.ok("PUT", path, {"held": True, "note": " By telephone. "})
    assert told["outcome"] == {"held": True, "by": "person", "absent": [], "note": "By telephone."}
    await room.tell(stay(room, room.mentor, starts).joined())
    await settle(room.world)
    assert (await seen(room, room.mentor))["outcome"] == told["outcome"]
    again = await room.mentor.ok("PUT", path, {"held": False})
    assert again["outcome"] == {"held": False, "by": "person", "absent": [], "note": None}
    last = (await room.mentee.ok("GET", f"/v1/meetings/{room.meeting['id']}/history"))["items"][-1]
    assert (last["what"], last["name"]) == ("not_held", "Amara Okafor")
    for wrong in ({}, {"held": None}, {"held": "yes"}, {"held": True, "note": "x" * 2001}):
        assert (await room.mentee.call("PUT", path, wrong)).status_code == 422
    await room.world.run("UPDATE meeting SET status = 'cancelled'")
    refused = await room.mentee.call("PUT", path, {"held": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "meeting_cancelled")


async def test_only_booked_meetings_of_the_last_days_are_settled(room: Room) -> None:
    for status, ago in (("cancelled", 5), ("proposed", 5), ("booked", 60 * 24 * 15), ("booked", 0.5)):
        await end(room, timedelta(minutes=ago))
        await room.world.run("UPDATE meeting SET status = :status", status=status)
        assert await settle(room.world) == 0, (status, ago)


async def test_a_fact_that_is_being_taken_in_is_not_overlooked(room: Room) -> None:
    """Who marks meetings passes over one whose attendance is changing at that moment, and comes again."""
    starts = await end(room)
    async with room.world.database.transaction() as db:
        await calls.apply(db, stay(room, room.mentee, starts).joined())
        assert await settle(room.world) == 0
    assert await settle(room.world) == 1
    assert (await seen(room))["outcome"]["absent"] == [str(room.mentor.membership_id)]


async def test_the_worker_settles_more_than_it_takes_at_a_time(room: Room, monkeypatch: Any) -> None:
    monkeypatch.setattr(noshows, "AT_A_TIME", 2)
    await end(room)
    for _ in range(4):
        await room.world.run(
            "INSERT INTO meeting (id, pairing_id, proposed_by_id, starts_at, ends_at, zone, version, "
            "sequence, status, created_at, late) SELECT gen_random_uuid(), pairing_id, proposed_by_id, "
            "starts_at, ends_at, zone, 1, 0, 'booked', created_at, false FROM meeting LIMIT 1"
        )

    async def settled() -> bool:
        return not await room.world.run("SELECT 1 FROM meeting WHERE outcome_from IS NULL")

    async with running(settle_meetings(room.world.database)):
        await until(settled)


async def test_settling_and_late_facts_at_once_agree(room: Room) -> None:
    starts = await end(room)
    facts = [stay(room, who, starts).joined() for who in (room.mentee, room.mentor)]
    await asyncio.gather(settle(room.world), room.tell(facts[0]), room.tell(facts[1]), settle(room.world))
    await settle(room.world)
    outcome = (await seen(room))["outcome"]
    assert (outcome["held"], outcome["absent"]) == (True, [])
