"""Both sides at once: edits, decisions, moves and bookings that race; and how the checkers would know."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy.dialects.postgresql import Range

from app.core import clock
from app.scheduling import openings, service
from app.scheduling.models import Booking, MeetingMove
from tests.app.arranged import Two, at_of
from tests.app.test_nobody_twice import DOUBLE_BOOKED, HALF_BOOKED, deadlocks
from tests.app.test_scheduling import in_hours, propose
from tests.world import ALL_ROLES, Person, World, meeting, slot

pytestmark = pytest.mark.database

LOOSE_MOVES = """
    SELECT m.id FROM meeting m LEFT JOIN meeting_move w ON w.meeting_id = m.id AND w.status = 'proposed'
    WHERE m.move_id IS DISTINCT FROM w.id
"""
"""Each meeting waits for the one move of it that is open, and for no other one."""
ELSEWHERE = """
    SELECT m.id FROM meeting m JOIN booking b ON b.meeting_id = m.id
    WHERE b.during <> tstzrange(m.starts_at, m.ends_at)
"""
"""What is taken from people is the time at which they meet."""


@pytest.fixture
async def two(world: World) -> Two:
    mentee, mentor = await world.two()
    return Two(world, mentee, mentor, await world.pair(mentee, mentor))


async def together(*calls: Awaitable[httpx2.Response]) -> list[httpx2.Response]:
    return list(await asyncio.gather(*calls))


def codes(answers: list[httpx2.Response]) -> Counter[str]:
    return Counter("done" if one.is_success else one.json()["code"] for one in answers)


async def sound(world: World) -> None:
    for rule in (DOUBLE_BOOKED, HALF_BOOKED, LOOSE_MOVES, ELSEWHERE):
        assert await world.run(rule) == [], rule


async def test_of_edits_at_once_one_is_kept_and_the_others_hear_of_it(two: Two) -> None:
    one = await two.booked(in_hours(30))
    for turn in range(3):
        seen = {"If-Match": f'"{(await one.now())["version"]}"'}
        answers = await together(
            *(
                who.call("PATCH", one.path, {"agenda": f"Words {turn}.{number}"}, headers=seen)
                for number, who in enumerate((two.mentee, two.mentor) * 3)
            )
        )
        assert codes(answers) == {"done": 1, "changed_meanwhile": 5}
        (kept,) = [answer.json()["agenda"] for answer in answers if answer.is_success]
        assert (await one.now())["agenda"] == kept


async def test_accepting_and_cancelling_at_once_ends_in_one_of_both(two: Two) -> None:
    found: Counter[str] = Counter()
    for hour in range(8):
        made = await propose(two.mentee, two.pairing, in_hours(30 + hour))
        path = f"/v1/meetings/{made['id']}"
        accepted, cancelled = await together(
            two.mentor.post(f"{path}/accept"), two.mentee.post(f"{path}/cancel")
        )
        assert cancelled.is_success, "it can be cancelled before and after"
        found += codes([accepted])
        assert (await two.mentee.ok("GET", path))["status"] == "cancelled"
    assert set(found) <= {"done", "meeting_cancelled"}
    assert await two.world.run("SELECT 1 FROM booking") == []


async def test_of_two_wishes_at_once_one_waits(two: Two) -> None:
    one = await two.booked(in_hours(30))
    for hour in range(4):
        answers = await together(
            one.wish(two.mentee, in_hours(40 + hour)), one.wish(two.mentor, in_hours(60 + hour))
        )
        assert codes(answers) == {"done": 2}
        await sound(two.world)
    assert (await two.world.run("SELECT count(*) FROM meeting_move WHERE status = 'proposed'"))[0][0] == 1
    seen = {"If-Match": f'"{(await one.now())["version"]}"'}
    path = f"{one.path}/reschedule"
    answers = await together(
        two.mentee.post(path, meeting(in_hours(80)), headers=seen),
        two.mentor.post(path, meeting(in_hours(90)), headers=seen),
    )
    assert codes(answers) == {"done": 1, "changed_meanwhile": 1}


async def test_a_move_is_agreed_to_refused_or_taken_back_once(two: Two) -> None:
    one = await two.booked(in_hours(30))
    for hour in range(4):
        assert (await one.wish(two.mentee, in_hours(40 + hour))).is_success
        answers = await together(
            two.mentor.post(f"{one.path}/move/accept"),
            two.mentor.post(f"{one.path}/move/accept"),
            two.mentor.post(f"{one.path}/move/decline"),
            two.mentee.post(f"{one.path}/move/decline"),
        )
        assert codes(answers) == {"done": 1, "no_move": 3}
        await sound(two.world)
    rows = await two.world.run(
        "SELECT sequence, (SELECT count(*) FROM meeting_move WHERE status = 'accepted') AS moved FROM meeting"
    )
    assert rows[0].sequence == rows[0].moved


async def test_a_meeting_is_replaced_by_one_of_those_who_try_at_once(two: Two) -> None:
    one = await two.booked(in_hours(30))
    await two.mentee.ok("POST", f"{one.path}/cancel")
    path = f"/v1/pairings/{two.pairing['id']}/meetings"
    answers = await together(
        *(
            who.post(path, {**meeting(in_hours(40 + hour)), "instead_of": one.made["id"]})
            for hour, who in enumerate((two.mentee, two.mentor) * 3)
        )
    )
    assert codes(answers) == {"done": 1, "already_replaced": 5}
    (after,) = [answer.json()["id"] for answer in answers if answer.is_success]
    assert (await one.now())["successor"] == after


async def _needs_no_yes(*_: object) -> bool:
    return True


async def test_cal_com_13397_ten_bookings_at_once_are_one(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten identical requests that arrived together made ten bookings of one slot."""
    monkeypatch.setattr(openings, "needs_no_yes", _needs_no_yes)
    at = in_hours(30)
    path = f"/v1/pairings/{two.pairing['id']}/meetings"
    answers = await together(*(two.mentee.post(path, meeting(at)) for _ in range(10)))
    assert codes(answers) == {"done": 1, "time_taken": 9}
    place = await two.world.organisation()
    coordinator = await two.world.member(place, "Coordinator", roles=ALL_ROLES)
    lead, ann = [await two.world.member(place, name) for name in ("Lead", "Ann")]
    circle = await two.world.circle(coordinator, [lead], [ann])
    path = f"/v1/pairings/{circle['id']}/meetings"
    answers = await together(*(lead.post(path, meeting(at)) for _ in range(10)))
    assert codes(answers) == {"done": 1, "time_taken": 9}
    booked = await two.world.run("SELECT 1 FROM meeting WHERE status = 'booked'")
    assert len(booked) == 2
    await sound(two.world)


async def crowd(world: World, people: int) -> list[tuple[Person, str]]:
    """Everyone paired with everyone, booked for different hours, and asked to move into one afternoon.

    As many proposals want the same afternoon. Returns who must say yes to what.
    """
    place = await world.organisation()
    there = [await world.member(place, f"Person {number}") for number in range(people)]
    start = clock.now() + timedelta(hours=24)
    decisions: list[tuple[Person, str]] = []
    for left in range(people):
        for right in range(left + 1, people):
            pair = await world.pair(there[left], there[right], kind="peers")
            decisions += await _conflicts(world, there[left], there[right], pair["id"], len(decisions), start)
    return decisions


async def _conflicts(
    world: World, left: Person, right: Person, pairing: str, number: int, start: Any
) -> list[tuple[Person, str]]:
    held = slot(left, pairing, start + timedelta(days=2, hours=number), status="booked")
    wanted = start + timedelta(minutes=15 * (number % 7))
    move = MeetingMove(
        meeting_id=held.id,
        proposed_by_id=left.membership_id or UUID(int=0),
        from_starts_at=held.starts_at,
        from_ends_at=held.ends_at,
        to_starts_at=wanted,
        to_ends_at=wanted + timedelta(minutes=45),
        zone="Europe/London",
    )
    held.move_id = move.id
    proposed = slot(left, pairing, wanted + timedelta(minutes=20), 30)
    await world.save(held, proposed)
    during = Range(held.starts_at, held.ends_at, bounds="[)")
    bookings = [
        Booking(meeting_id=held.id, account_id=who.account_id, during=during) for who in (left, right)
    ]
    await world.save(move, *bookings)
    return [
        (right, f"/v1/meetings/{held.id}/move/accept"),
        (right, f"/v1/meetings/{proposed.id}/accept"),
    ]


async def test_moves_and_bookings_race_for_the_same_afternoon(world: World) -> None:
    decisions = await crowd(world, people=5)
    before = await deadlocks(world)
    answers = await together(*(who.post(path) for who, path in decisions))
    found = codes(answers)
    assert set(found) == {"done", "time_taken"}
    assert found["done"] >= 3
    await sound(world)
    assert await deadlocks(world) == before
    moved = [one.json() for one in answers if one.is_success and one.json()["pairing_id"]]
    assert all(at_of(row) < clock.now() + timedelta(days=2) for row in moved)


async def _nothing(*_: Any) -> None:
    return None


@pytest.mark.parametrize("constraint", [True, False])
async def test_the_constraint_holds_moves_without_the_checks_and_without_it_the_checker_finds_them(
    world: World, monkeypatch: pytest.MonkeyPatch, constraint: bool
) -> None:
    decisions = await crowd(world, people=3)
    monkeypatch.setattr(service, "lock", _nothing)
    monkeypatch.setattr(service, "must_be_free", _nothing)
    if not constraint:
        await world.run("ALTER TABLE booking DROP CONSTRAINT ex_booking_nobody_twice")
    found = codes(await together(*(who.post(path) for who, path in decisions)))
    if constraint:
        assert found["time_taken"] > 0
        await sound(world)
    else:
        assert found == {"done": len(decisions)}
        assert await world.run(DOUBLE_BOOKED) != []


async def test_the_checkers_find_loose_moves_and_times_elsewhere(two: Two) -> None:
    one = await two.booked(in_hours(30))
    await one.wish(two.mentee, in_hours(40))
    await sound(two.world)
    await one.put_off(starts_at=in_hours(29))
    assert await two.world.run(ELSEWHERE) != []
    await two.world.run("UPDATE meeting SET move_id = NULL")
    assert await two.world.run(LOOSE_MOVES) != []
