"""Holding a time: one per person, for five minutes, for everybody in the mentorship; whoever races."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from app.core import clock
from app.scheduling import diaries, openings
from tests.app.diaries import ALWAYS, Travel, asked, in_days, keeps, traveller, walls, weekdays
from tests.app.problems import problem
from tests.app.test_nobody_twice import DOUBLE_BOOKED, deadlocks
from tests.world import ALL_ROLES, Person, World, meeting

pytestmark = pytest.mark.database
MONDAY: Final = "2027-05-03T00:00:00+00:00"
NINE: Final = datetime(2027, 5, 3, 9, tzinfo=UTC)


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Moves the clock."""
    return traveller(monkeypatch)


async def mentees(world: World, many: int, hours: Any = ALWAYS) -> tuple[Person, list[tuple[Person, str]]]:
    """A mentor, and so many mentees with the id of each one's mentorship."""
    place = await world.organisation()
    mentor = await world.member(place, "Amara", capacity=20, roles=ALL_ROLES)
    await keeps(mentor, "UTC", hours, lengths=[30, 45, 60], step_minutes=30)
    found = []
    for number in range(many):
        mentee = await world.member(place, f"Mentee {number}")
        await keeps(mentee, "UTC", ALWAYS, lengths=[30, 45, 60], step_minutes=30)
        found.append((mentee, (await world.pair(mentee, mentor))["id"]))
    return mentor, found


def body(at: datetime, minutes: int = 60) -> dict[str, Any]:
    return {"starts_at": at.isoformat(), "duration_minutes": minutes}


async def hold(who: Person, pairing_id: str, at: datetime, minutes: int = 60, **options: Any) -> Any:
    return await who.post(f"/v1/pairings/{pairing_id}/holds", body(at, minutes), **options)


async def test_what_is_held_is_nobody_elses_and_still_mine(world: World, travel: Travel) -> None:
    now = travel(MONDAY)
    mentor, ((ann, with_ann), (bob, with_bob)) = await mentees(world, 2, weekdays("09:00", "11:00"))
    ask = {"to": in_days(now, 1), "zone": "UTC", "duration_minutes": 60}
    held = (await hold(ann, with_ann, NINE)).json()
    assert (held["starts_at"], held["ends_at"]) == ("2027-05-03T09:00:00Z", "2027-05-03T10:00:00Z")
    assert held["expires_at"] == "2027-05-03T00:05:00Z"
    assert len((await asked(ann, with_ann, **ask))["slots"]) == 3, "it does not stand in my own way"
    assert walls(await asked(bob, with_bob, **ask)) == ["Mon 03 May 10:00"]
    assert walls(await asked(mentor, **ask)) == ["Mon 03 May 10:00"]
    for late in (
        await hold(bob, with_bob, NINE),
        await hold(mentor, with_ann, NINE + timedelta(minutes=30)),
        await bob.post(f"/v1/pairings/{with_bob}/meetings", meeting(NINE, 60)),
    ):
        assert problem(late, 409)["code"] == "time_held"
    assert (await hold(bob, with_bob, NINE + timedelta(hours=1))).status_code == 201, "touching is free"
    await ann.ok("DELETE", f"/v1/holds/{held['id']}")
    assert (await ann.call("DELETE", f"/v1/holds/{held['id']}")).status_code == 404
    assert (await hold(bob, with_bob, NINE)).status_code == 201


async def test_one_per_person_the_new_one_replaces_the_old(world: World, travel: Travel) -> None:
    travel(MONDAY)
    _, ((ann, with_ann), (bob, with_bob)) = await mentees(world, 2)
    first = (await hold(ann, with_ann, NINE)).json()
    again = await hold(ann, with_ann, NINE + timedelta(minutes=30))
    assert again.status_code == 201, "also when the two touch the same time"
    assert (await ann.call("DELETE", f"/v1/holds/{first['id']}")).status_code == 404
    assert (await hold(bob, with_bob, NINE - timedelta(minutes=30))).status_code == 201
    assert len(await world.run("SELECT 1 FROM hold")) == 2
    assert len(await world.run("SELECT 1 FROM held_time")) == 4
    repeated = [
        (
            await hold(ann, with_ann, NINE + timedelta(hours=5), headers={"Idempotency-Key": "only-once"})
        ).json()
        for _ in range(2)
    ]
    assert repeated[0] == repeated[1]


async def test_a_hold_goes_by_itself_and_expired_rows_stand_in_nobodys_way(
    world: World, travel: Travel
) -> None:
    now = travel(MONDAY)
    mentor, ((ann, with_ann), (bob, with_bob)) = await mentees(world, 2)
    held = (await hold(ann, with_ann, NINE)).json()
    travel("2027-05-03T00:04:59+00:00")
    assert (await hold(bob, with_bob, NINE)).status_code == 409
    travel("2027-05-03T00:05:00+00:00")
    ask = {"from_": NINE.isoformat(), "to": in_days(now, 0.4), "zone": "UTC"}
    assert walls(await asked(bob, with_bob, **ask))[0] == "Mon 03 May 09:00"
    assert len(await world.run("SELECT 1 FROM hold")) == 1, "the row is still there"
    assert (await ann.call("DELETE", f"/v1/holds/{held['id']}")).status_code == 404
    booked = await world.meet(bob, mentor, with_bob, NINE)
    await mentor.ok("POST", f"/v1/meetings/{booked['id']}/cancel")
    assert (await hold(bob, with_bob, NINE)).status_code == 201
    assert len(await world.run("SELECT 1 FROM hold")) == 1, "whoever holds anew clears away what has expired"
    travel("2027-05-03T00:20:00+00:00")
    async with world.database.transaction() as db:
        await diaries.clear_holds(db)
    assert await world.run("SELECT 1 FROM held_time") == []


async def test_booking_uses_the_hold_up(world: World, travel: Travel) -> None:
    travel(MONDAY)
    mentor, ((ann, with_ann),) = await mentees(world, 1)
    await hold(ann, with_ann, NINE)
    proposed = await ann.ok("POST", f"/v1/pairings/{with_ann}/meetings", meeting(NINE, 60))
    assert await world.run("SELECT 1 FROM hold") == []
    # What the proposer holds afterwards does not keep the other from saying yes.
    await hold(ann, with_ann, NINE)
    await mentor.ok("POST", f"/v1/meetings/{proposed['id']}/accept")
    taken = await hold(ann, with_ann, NINE)
    assert problem(taken, 409)["code"] == "time_taken"


async def test_a_circles_lead_holds_for_all_and_books(world: World, travel: Travel) -> None:
    travel(MONDAY)
    mentor, ((ann, _), (bob, _)) = await mentees(world, 2)
    circle = await world.circle(mentor, [mentor], [ann, bob])
    assert (await hold(mentor, circle["id"], NINE)).status_code == 201
    peers = await world.pair(ann, bob, kind="peers")
    ask = {"from_": NINE.isoformat(), "to": (NINE + timedelta(hours=1)).isoformat(), "zone": "UTC"}
    assert (await asked(ann, peers["id"], **ask))["slots"] == []
    assert problem(await hold(ann, peers["id"], NINE), 409)["code"] == "time_held"
    booked = await mentor.ok("POST", f"/v1/pairings/{circle['id']}/meetings", meeting(NINE, 60))
    assert booked["status"] == "booked"
    assert await world.run("SELECT 1 FROM hold") == []


async def test_what_cannot_be_held(world: World, travel: Travel) -> None:
    now = travel(MONDAY)
    mentor, ((ann, with_ann),) = await mentees(world, 1)
    for at in (now - timedelta(seconds=1), now + timedelta(days=731)):
        assert problem(await hold(ann, with_ann, at), 422)["code"] == "not_ahead"
    for wrong in ({"duration_minutes": 4}, {"starts_at": "2027-05-03T10:00:00"}, {"starts_at": "18:00"}):
        answer = await ann.post(f"/v1/pairings/{with_ann}/holds", {**body(NINE), **wrong})
        assert problem(answer, 422)["errors"][0]["pointer"] == f"/{next(iter(wrong))}"
    await mentor.ok("POST", f"/v1/pairings/{with_ann}/end")
    assert problem(await hold(ann, with_ann, NINE), 409)["code"] == "pairing_ended"


async def test_of_many_who_hold_the_same_time_at_once_one_gets_it(world: World) -> None:
    mentor, pairs = await mentees(world, 10)
    before = await deadlocks(world)
    at = (clock.now() + timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    answers = await asyncio.gather(
        *(
            hold(mentee, pairing, at + timedelta(minutes=7 * place))
            for place, (mentee, pairing) in enumerate(pairs)
        ),
        *(hold(mentor, pairing, at) for _, pairing in pairs[:3]),
    )
    assert set(Counter(answer.status_code for answer in answers)) == {201, 409}
    overlapping = await world.run(
        "SELECT 1 FROM held_time a JOIN held_time b ON a.account_id = b.account_id AND a.during && b.during "
        "AND a.hold_id < b.hold_id"
    )
    assert overlapping == []
    assert await deadlocks(world) == before


async def test_holds_and_bookings_that_race_never_meet(world: World) -> None:
    """Half hold, half say yes to a proposal, all for the same hour; the next round finds expired rows."""
    mentor, pairs = await mentees(world, 6)
    before = await deadlocks(world)
    at = (clock.now() + timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    for round_ in range(3):
        start = at + timedelta(hours=2 * round_)
        proposed = [
            await mentee.ok("POST", f"/v1/pairings/{pairing}/meetings", meeting(start, 60))
            for mentee, pairing in pairs[:3]
        ]
        answers = await asyncio.gather(
            *(mentor.post(f"/v1/meetings/{row['id']}/accept") for row in proposed),
            *(hold(mentee, pairing, start) for mentee, pairing in pairs[3:]),
        )
        won = [answer for answer in answers if answer.is_success]
        assert len(won) == 1, [answer.text for answer in answers]
        await world.run("UPDATE hold SET expires_at = now() - interval '1 minute'")
    assert await world.run(DOUBLE_BOOKED) == []
    assert await deadlocks(world) == before


async def test_the_constraint_is_the_last_word_about_holds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: Any, **__: Any) -> set[UUID]:
        return set()

    _, ((ann, with_ann), (bob, with_bob)) = await mentees(world, 2)
    at = clock.now() + timedelta(days=3)
    assert (await hold(ann, with_ann, at)).status_code == 201
    monkeypatch.setattr(diaries, "held", nobody)
    assert problem(await hold(bob, with_bob, at), 409)["code"] == "time_held"


async def _booked_at_once(world: World) -> int:
    """Eight people book different times of a day, of somebody who meets once a day: how many get one."""
    place = await world.organisation()
    mentor = await world.member(place, "Amara", capacity=20)
    await keeps(mentor, "UTC", ALWAYS, most_per_day=1, confirm=False, lengths=[30])
    day = (clock.now() + timedelta(days=3)).replace(hour=9, minute=0, second=0, microsecond=0)
    asking = []
    for number in range(8):
        mentee = await world.member(place, f"Mentee {number}")
        await keeps(mentee, "UTC", ALWAYS, lengths=[30])
        path = f"/v1/pairings/{(await world.pair(mentee, mentor))['id']}/meetings"
        asking.append(mentee.post(path, meeting(day + timedelta(hours=number), 30)))
    answers = await asyncio.gather(*asking)
    assert {answer.status_code for answer in answers} == {201}
    return Counter(answer.json()["status"] for answer in answers)["booked"]


async def test_what_is_booked_without_a_question_keeps_to_the_limits_of_those_who_race(world: World) -> None:
    assert await _booked_at_once(world) == 1, "the others wait for a yes"


async def test_without_the_lock_a_limit_is_passed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        await asyncio.sleep(0.05)

    monkeypatch.setattr(openings, "lock", nothing)
    assert await _booked_at_once(world) > 1
