"""Moving booked meetings: asking, agreeing, refusing, and what cannot be moved."""

from datetime import timedelta

import pytest

from tests.app.arranged import One, Two, at_of, bookings, refused
from tests.app.kept import sweep
from tests.app.test_scheduling import in_hours, propose
from tests.world import ALL_ROLES, World, meeting, slot

pytestmark = pytest.mark.database


@pytest.fixture
async def world(shared_world: World) -> World:
    """An empty world, in a database that the tests of this module share."""
    await sweep(shared_world)
    return shared_world


@pytest.fixture
async def two(world: World) -> Two:
    mentee, mentor = await world.two()
    return Two(world, mentee, mentor, await world.pair(mentee, mentor))


async def test_a_booked_meeting_moves_when_the_other_side_agrees(two: Two) -> None:
    one = await two.booked(in_hours(30))
    to = in_hours(54).replace(microsecond=0)
    asked = (await one.wish(two.mentee, to, 60, zone="Asia/Tokyo", reason="I travel.")).json()
    assert at_of(asked) == at_of(one.made), "until then it stays where it is"
    assert (at_of(asked["move"]), asked["move"]["reason"]) == (to, "I travel.")
    assert asked["move"]["proposed_by"] == str(two.mentee.membership_id)
    assert asked["may"] == ["cancel", "edit", "reschedule", "decline_move"]
    theirs = await one.now(two.mentor)
    assert theirs["may"] == ["cancel", "edit", "reschedule", "accept_move", "decline_move"]
    refused(await two.mentee.post(f"{one.path}/move/accept"), 403, "not_yours_to_decide")
    other = await two.mentor.post(f"{one.path}/move/accept", {"starts_at": in_hours(55).isoformat()})
    refused(other, 409, "move_changed")
    moved = await two.mentor.ok("POST", f"{one.path}/move/accept", {"starts_at": to.isoformat()})
    assert (at_of(moved), moved["duration_minutes"], moved["zone"], moved["move"]) == (
        to,
        60,
        "Asia/Tokyo",
        None,
    )
    assert at_of(moved, "join_opens_at") == to - timedelta(minutes=15)
    assert await bookings(two.world) == [(to, to + timedelta(hours=1))] * 2
    refused(await two.mentor.post(f"{one.path}/move/accept"), 409, "no_move")
    talks = (await two.mentor.ok("GET", "/v1/conversations"))["items"]
    assert [at_of(talk) for talk in talks if talk["meeting_id"]] == [to]
    again = await propose(two.mentee, two.pairing, at_of(one.made))
    assert again["status"] == "proposed", "the old time is free again"


async def test_the_window_of_the_call_follows_a_move(two: Two) -> None:
    one = await two.booked(in_hours(0.1))
    await two.world.node()
    assert (await two.mentee.post(f"{one.path}/ticket")).status_code == 201
    await one.wish(two.mentee, in_hours(5))
    assert (await two.mentee.post(f"{one.path}/ticket")).status_code == 201, "not moved yet"
    await two.mentor.ok("POST", f"{one.path}/move/accept")
    refused(await two.mentee.post(f"{one.path}/ticket"), 409, "too_early")
    await one.wish(two.mentee, in_hours(0.2))
    await two.mentor.ok("POST", f"{one.path}/move/accept")
    assert (await two.mentee.post(f"{one.path}/ticket")).status_code == 201


async def test_its_own_time_is_not_in_the_way_of_a_move(two: Two) -> None:
    start = in_hours(30)
    one = await two.booked(start)
    for minutes in (10, 55):
        assert (await one.wish(two.mentee, start + timedelta(minutes=minutes), 45)).status_code == 200
        await two.mentor.ok("POST", f"{one.path}/move/accept")
    await two.booked(start + timedelta(minutes=200))
    taken = await one.wish(two.mentee, start + timedelta(minutes=190))
    assert refused(taken, 409, "time_taken")["detail"].startswith("You have another meeting")


async def test_a_move_is_refused_taken_back_or_replaced_by_a_later_one(two: Two) -> None:
    one = await two.booked(in_hours(30))
    await one.wish(two.mentee, in_hours(40))
    assert (await two.mentor.ok("POST", f"{one.path}/move/decline"))["move"] is None
    await one.wish(two.mentee, in_hours(41))
    assert (await two.mentee.ok("POST", f"{one.path}/move/decline"))["move"] is None
    await one.wish(two.mentee, in_hours(42), reason="Too early.")
    counter = (await one.wish(two.mentor, in_hours(43))).json()
    assert counter["move"]["proposed_by"] == str(two.mentor.membership_id)
    rows = await two.world.run("SELECT status FROM meeting_move ORDER BY id")
    assert [row.status for row in rows] == ["declined", "withdrawn", "superseded", "proposed"]
    assert at_of(await one.now()) == at_of(one.made)
    words = [mail["subject"].partition(" meeting")[0] for mail in await two.world.mails(two.mentor.email)][
        -4:
    ]
    assert words == [
        "Priya Raman asks to move your",
        "Priya Raman asks to move your",
        "Priya Raman no longer asks to move your",
        "Priya Raman asks to move your",
    ]
    told = (await two.world.mails(two.mentee.email))[-2]
    assert told["subject"].startswith("Amara Okafor cannot move your meeting; it stays on ")
    written = [mail["subject"] + mail["text"] for mail in await two.world.mails()]
    assert not any("Too early" in mail for mail in written), "mails never tell what was written"


async def test_a_move_whose_time_has_passed_is_not_agreed_to(two: Two) -> None:
    one = await two.booked(in_hours(30))
    await one.wish(two.mentee, in_hours(10))
    await two.world.run("UPDATE meeting_move SET to_starts_at = now() - interval '2 minutes'")
    assert "accept_move" not in (await one.now(two.mentor))["may"]
    refused(await two.mentor.post(f"{one.path}/move/accept"), 409, "move_over")
    assert (await two.mentor.ok("POST", f"{one.path}/move/decline"))["move"] is None


async def test_moves_that_make_no_sense(two: Two) -> None:
    one = await two.booked(in_hours(30))
    refused(await one.wish(two.mentee, in_hours(-1)), 422, "in_the_past")
    refused(await one.wish(two.mentee, in_hours(24 * 731)), 422, "too_far_ahead")
    refused(await one.wish(two.mentee, at_of(one.made)), 422, "same_time")
    assert (await one.wish(two.mentee, at_of(one.made), 30)).is_success, "shorter is something else"
    assert (await one.wish(two.mentee, in_hours(40), zone="Europe/Atlantis")).status_code == 422
    assert (await one.wish(two.mentee, in_hours(40), reason="x" * 501)).status_code == 422


@pytest.mark.parametrize("state", ["proposed", "cancelled", "declined", "over", "running"])
async def test_what_cannot_be_moved_says_why_and_what_took_its_place(two: Two, state: str) -> None:
    spans = {"over": (in_hours(-2), in_hours(-1)), "running": (in_hours(-0.1), in_hours(1))}
    status = "booked" if state in spans else state
    row = slot(two.mentee, two.pairing["id"], in_hours(30), status=status)
    row.starts_at, row.ends_at = spans.get(state, (row.starts_at, row.ends_at))
    await two.world.save(row)
    one = One(two, f"/v1/meetings/{row.id}", {"id": row.id})
    document = refused(await one.wish(two.mentee, in_hours(40)), 409, f"meeting_{state}")
    assert "successor" not in document
    assert "reschedule" not in (await one.now())["may"]
    refused(await two.mentee.post(f"{one.path}/move/accept"), 409, f"meeting_{state}")
    if state not in ("cancelled", "declined"):
        return
    after = await propose(two.mentee, two.pairing, in_hours(50), instead_of=str(row.id))
    for who, verb in ((two.mentee, "reschedule"), (two.mentor, "accept"), (two.mentor, "cancel")):
        body = meeting(in_hours(40)) if verb == "reschedule" else {}
        document = refused(await who.post(f"{one.path}/{verb}", body), 409, f"meeting_{state}")
        assert document["successor"] == after["id"]
        assert "has taken its place" in document["detail"]


async def test_a_repeated_wish_is_one_wish(two: Two) -> None:
    one = await two.booked(in_hours(30))
    body, key = meeting(in_hours(40)), {"Idempotency-Key": "the-same-wish"}
    answers = [await two.mentee.post(f"{one.path}/reschedule", body, headers=key) for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1
    assert len(await two.world.run("SELECT 1 FROM meeting_move")) == 1


async def test_a_circles_lead_moves_and_its_members_ask(world: World) -> None:
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    lead, ann, bob = [await world.member(place, name) for name in ("Lead", "Ann", "Bob")]
    circle = await world.circle(coordinator, [lead], [ann, bob])
    made = await propose(lead, circle, in_hours(30))
    one = One(Two(world, ann, lead, circle), f"/v1/meetings/{made['id']}", made)
    refused_options = await lead.post(
        f"/v1/pairings/{circle['id']}/meetings",
        {**meeting(in_hours(9)), "options": [in_hours(12).isoformat()]},
    )
    refused(refused_options, 422, "one_time_only")
    moved = (await one.wish(lead, in_hours(31), reason="A room was free.")).json()
    assert (at_of(moved) > at_of(made), moved["move"]) == (True, None)
    asked = (await one.wish(ann, in_hours(33))).json()
    assert asked["move"] is not None
    for verb in ("accept", "decline"):
        refused(await bob.post(f"{one.path}/move/{verb}"), 403, "not_yours_to_decide")
    await bob.ok("POST", f"/v1/pairings/{circle['id']}/leave")
    await lead.ok("POST", f"{one.path}/move/accept")
    assert len(await bookings(world)) == 2, "whoever has left is not booked again"
    told = [(row["what"], row["name"], row["reason"]) for row in await one.history()]
    assert told == [
        ("proposed", "Lead", None),
        ("booked", "Lead", None),
        ("moved", "Lead", "A room was free."),
        ("move_proposed", "Ann", None),
        ("moved", "Lead", None),
    ]
