"""Meetings: proposing, deciding, time, and that nobody is booked twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core import clock
from app.scheduling.models import MOVES, MeetingStatus
from tests.world import ALL_ROLES, Person, World, meeting, slot

pytestmark = pytest.mark.database

PROPOSER, OTHER = "proposer", "other"
VERBS = ("accept", "decline", "cancel")
BY: dict[tuple[MeetingStatus, str], set[str]] = {
    (MeetingStatus.PROPOSED, "accept"): {OTHER},
    (MeetingStatus.PROPOSED, "decline"): {OTHER},
    (MeetingStatus.PROPOSED, "cancel"): {PROPOSER, OTHER},
    (MeetingStatus.BOOKED, "cancel"): {PROPOSER, OTHER},
}
PATHS: dict[MeetingStatus, list[tuple[str, str]]] = {
    MeetingStatus.PROPOSED: [],
    MeetingStatus.BOOKED: [(OTHER, "accept")],
    MeetingStatus.DECLINED: [(OTHER, "decline")],
    MeetingStatus.CANCELLED: [(PROPOSER, "cancel")],
}


def in_hours(hours: float) -> datetime:
    return clock.now() + timedelta(hours=hours)


async def propose(
    who: Person, pairing: Any, at: datetime | None = None, minutes: int = 45, **fields: Any
) -> Any:
    body = {**meeting(at, minutes), **fields}
    return await who.ok("POST", f"/v1/pairings/{pairing['id']}/meetings", body)


def test_the_table_of_states_is_the_one_that_is_tested() -> None:
    assert set(BY) == set(MOVES)
    assert set(PATHS) == set(MeetingStatus)


@pytest.mark.parametrize("status", list(MeetingStatus))
async def test_every_verb_in_every_state_by_both_sides(world: World, status: MeetingStatus) -> None:
    mentee, mentor = await world.two()
    people = {PROPOSER: mentee, OTHER: mentor}
    pairing = await world.pair(mentee, mentor)
    for hour, (verb, side) in enumerate((verb, side) for verb in VERBS for side in people):
        made = await propose(mentee, pairing, in_hours(1 + hour))
        path = f"/v1/meetings/{made['id']}"
        for who, step in PATHS[status]:
            made = await people[who].ok("POST", f"{path}/{step}")
        assert made["status"] == status
        may = (await people[side].ok("GET", path))["may"]
        answer = await people[side].post(f"{path}/{verb}")
        after = MOVES.get((status, verb))
        assert (verb in may) is answer.is_success, "`may` promises exactly what is allowed"
        if after is None:
            assert (answer.status_code, answer.json()["code"]) == (409, f"meeting_{status}")
        elif side in BY[status, verb]:
            assert (answer.status_code, answer.json()["status"]) == (200, after)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "not_yours_to_decide")
    booked = await world.run("SELECT count(*) FROM meeting WHERE status = 'booked'")
    assert (await world.run("SELECT count(*) FROM booking"))[0][0] == 2 * booked[0][0]


async def test_a_meeting_that_is_over_changes_no_more(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    past = slot(mentee, pairing["id"], in_hours(-2))
    await world.save(past)
    for verb in VERBS:
        answer = await mentor.post(f"/v1/meetings/{past.id}/{verb}")
        assert (answer.status_code, answer.json()["code"]) == (409, "meeting_over")


async def test_meetings_belong_to_active_mentorships(world: World) -> None:
    mentee, mentor = await world.two()
    asked = await world.ask(mentee, mentor)
    path = f"/v1/pairings/{asked['id']}"
    assert (await mentee.post(f"{path}/meetings", meeting())).json()["code"] == "pairing_proposed"
    await mentor.ok("POST", f"{path}/accept")
    proposed = await propose(mentee, asked, in_hours(2))
    booked = await world.meet(mentee, mentor, asked["id"], in_hours(4))
    await mentor.ok("POST", f"{path}/end")
    for made in (proposed, booked):
        seen = await mentee.ok("GET", f"/v1/meetings/{made['id']}")
        assert (seen["status"], seen["may"]) == ("cancelled", [])
        assert (await mentee.post(f"/v1/meetings/{made['id']}/accept")).status_code == 409
    assert await world.run("SELECT 1 FROM booking") == []
    assert (await mentee.post(f"{path}/meetings", meeting())).json()["code"] == "pairing_ended"
    assert any(m["subject"].startswith("Cancelled: the meeting on") for m in await world.mails(mentee.email))


async def test_times_that_make_no_sense_are_refused(world: World) -> None:
    mentee, mentor = await world.two()
    path = f"/v1/pairings/{(await world.pair(mentee, mentor))['id']}/meetings"
    past = await mentee.post(path, meeting(in_hours(-1)))
    assert (past.status_code, past.json()["code"]) == (422, "in_the_past")
    far = await mentee.post(path, meeting(in_hours(24 * 731)))
    assert (far.status_code, far.json()["code"]) == (422, "too_far_ahead")
    for wrong in (
        {"starts_at": "2027-03-28T10:00:00"},
        {"starts_at": 1_800_000_000},
        {"zone": "Europe/Atlantis"},
        {"zone": "localtime"},
        {"duration_minutes": 4},
        {"duration_minutes": 481},
        {"duration_minutes": "45"},
    ):
        assert (await mentee.post(path, {**meeting(in_hours(1)), **wrong})).status_code == 422, wrong
    assert (await mentee.post(path, meeting(clock.now() - timedelta(seconds=30)))).status_code == 201, "now"


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        # 01:30 happens twice when British summer time ends: two instants, an hour apart.
        ("Europe/London", "2027-10-31T01:30:00+01:00", "2027-10-31T00:30:00Z"),
        ("Europe/London", "2027-10-31T01:30:00+00:00", "2027-10-31T01:30:00Z"),
        # 01:30 does not happen when it begins; the offset says which instant is meant.
        ("Europe/London", "2027-03-28T01:30:00+00:00", "2027-03-28T01:30:00Z"),
        ("Australia/Lord_Howe", "2027-04-04T01:45:00+11:00", "2027-04-03T14:45:00Z"),
        ("Asia/Kathmandu", "2027-06-01T09:00:00+05:45", "2027-06-01T03:15:00Z"),
        ("Pacific/Kiritimati", "2027-06-01T00:30:00+14:00", "2027-05-31T10:30:00Z"),
        ("Pacific/Pago_Pago", "2027-06-01T23:30:00-11:00", "2027-06-02T10:30:00Z"),
    ],
)
async def test_an_instant_is_kept_whatever_the_clocks_do(
    world: World, zone: str, wall: str, instant: str
) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    made = await propose(mentee, pairing, minutes=60, starts_at=wall, zone=zone)
    expected = datetime.fromisoformat(instant)
    assert datetime.fromisoformat(made["starts_at"]) == expected
    assert made["starts_at"].endswith("Z")
    assert datetime.fromisoformat(made["ends_at"]) == expected + timedelta(hours=1)
    assert (made["zone"], made["duration_minutes"]) == (zone, 60)
    assert datetime.fromisoformat(made["join_opens_at"]) == expected - timedelta(minutes=15)
    assert datetime.fromisoformat(made["join_closes_at"]) == expected + timedelta(hours=2)


async def test_the_hour_that_happens_twice_can_be_booked_twice(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    for offset in ("+01:00", "+00:00"):
        made = await propose(mentee, pairing, minutes=60, starts_at=f"2027-10-31T01:00:00{offset}")
        assert (await mentor.ok("POST", f"/v1/meetings/{made['id']}/accept"))["status"] == "booked"
    third = {**meeting(), "starts_at": "2027-10-31T01:30:00+01:00"}
    taken = await mentee.post(f"/v1/pairings/{pairing['id']}/meetings", third)
    assert taken.json()["code"] == "time_taken"


async def test_mail_gives_the_time_in_the_readers_own_zone(world: World) -> None:
    mentee, mentor = await world.two()
    await mentor.ok("PATCH", f"/v1/memberships/{mentor.membership_id}", {"zone": "America/Toronto"})
    pairing = await world.pair(mentee, mentor)
    await propose(mentee, pairing, starts_at="2027-01-15T18:00:00Z")
    mail = (await world.mails(mentor.email))[-1]
    assert mail["subject"] == "Priya Raman proposes to meet on Fri 15 Jan 2027, 13:00 (America/Toronto)"


async def test_time_that_touches_is_free_and_time_that_overlaps_is_not(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    start = in_hours(5)
    booked = await world.meet(mentee, mentor, pairing["id"], start)
    path = f"/v1/pairings/{pairing['id']}/meetings"
    for minutes, status in ((-45, 201), (45, 201), (-44, 409), (44, 409), (0, 409), (20, 409)):
        answer = await mentee.post(path, meeting(start + timedelta(minutes=minutes)))
        assert answer.status_code == status, minutes
    assert answer.json()["detail"] == "You have another meeting at that time. Choose another time."
    await mentor.ok("POST", f"/v1/meetings/{booked['id']}/cancel")
    await propose(mentee, pairing, start)


async def test_a_person_is_one_person_in_all_their_memberships(world: World) -> None:
    first, second = await world.organisation("First"), await world.organisation("Second")
    busy = await world.member(first, "Busy", capacity=3)
    ann = await world.member(first, "Ann")
    one = await world.pair(ann, busy)
    await world.member(second, person=busy, capacity=3)
    bob = await world.member(second, "Bob")
    two = await world.pair(bob, busy)
    at = in_hours(3)
    in_two = await propose(bob, two, at)
    await world.meet(ann, busy, one["id"], at)
    late = await busy.post(f"/v1/meetings/{in_two['id']}/accept")
    assert (late.status_code, late.json()["code"]) == (409, "time_taken")
    told = await bob.post(f"/v1/pairings/{two['id']}/meetings", meeting(at))
    assert told.json()["detail"] == "Busy has another meeting at that time. Choose another time."


async def test_a_circles_lead_books_and_its_members_propose(world: World) -> None:
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    lead, ann, bob = [await world.member(place, name) for name in ("Lead", "Ann", "Bob")]
    circle = await world.circle(coordinator, [lead], [ann, bob])
    at = in_hours(3)
    booked = await propose(lead, circle, at)
    assert (booked["status"], booked["may"]) == ("booked", ["cancel", "edit", "reschedule"])
    assert len(await world.run("SELECT 1 FROM booking")) == 3
    refused = await coordinator.post(f"/v1/pairings/{circle['id']}/meetings", meeting(at))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_a_participant")
    wish = await propose(ann, circle, in_hours(6))
    assert (wish["status"], wish["may"]) == ("proposed", ["cancel", "edit"])
    assert (await bob.post(f"/v1/meetings/{wish['id']}/accept")).status_code == 403
    assert (await lead.ok("POST", f"/v1/meetings/{wish['id']}/accept"))["status"] == "booked"
    await ann.ok("POST", f"/v1/pairings/{circle['id']}/leave")
    left = await world.run("SELECT 1 FROM booking WHERE account_id = :id", id=ann.account_id)
    assert left == [], "whoever leaves has that time back"
    pair = await world.pair(bob, lead, kind="peers")
    hidden = await lead.post(f"/v1/pairings/{pair['id']}/meetings", meeting(at))
    assert hidden.json()["code"] == "time_taken"
    busy = await world.pair(ann, bob, kind="peers")
    await world.meet(ann, bob, busy["id"], in_hours(9))
    nameless = await lead.post(f"/v1/pairings/{circle['id']}/meetings", meeting(in_hours(9)))
    assert nameless.json()["detail"].startswith("Someone in the circle has another meeting")


async def test_my_meetings_can_be_asked_for_by_time(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    start = datetime(2027, 5, 3, 9, tzinfo=UTC)
    made = [await propose(mentee, pairing, start + timedelta(days=day)) for day in range(3)]

    async def found(**span: str) -> list[str]:
        return [row["id"] for row in (await mentor.ok("GET", "/v1/meetings", params=span))["items"]]

    ids = [row["id"] for row in made]
    assert await found() == ids[::-1]
    assert await found(**{"from": "2027-05-04T09:30:00+00:00"}) == [ids[2], ids[1]], "the second is under way"
    assert await found(to="2027-05-04T09:00:00Z") == [ids[0]]
    assert await found(**{"from": "2027-05-04T00:00:00Z", "to": "2027-05-05T00:00:00Z"}) == [ids[1]]
