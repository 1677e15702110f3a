"""Mentorships: asking, agreeing, ending, and what holds under concurrency."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from app.pairings.models import MOVES, Pairing, Status
from tests.world import Person, World, meeting

pytestmark = pytest.mark.database


async def test_the_path_from_asking_to_a_ticket(world: World) -> None:
    mentee, mentor = await world.two()
    found = await mentee.ok("GET", "/v1/people?mentors_only=true")
    assert [row["name"] for row in found["items"]] == ["Amara Okafor"]
    assert found["items"][0]["external"] is True
    asked = await world.ask(mentee, mentor)
    assert asked["status"] == "proposed"
    assert asked["may"] == ["withdraw"]
    active = await mentor.ok("POST", f"/v1/pairings/{asked['id']}/accept")
    assert active["status"] == "active"
    proposed = await mentee.ok("POST", f"/v1/pairings/{asked['id']}/meetings", meeting())
    assert proposed["may"] == ["cancel", "edit"]
    booked = await mentor.ok("POST", f"/v1/meetings/{proposed['id']}/accept")
    assert booked["status"] == "booked"
    await world.node()
    ticket = await mentee.ok("POST", f"/v1/meetings/{booked['id']}/ticket")
    assert ticket["socket_url"].endswith(ticket["call_id"])
    again = await mentor.ok("POST", f"/v1/meetings/{booked['id']}/ticket")
    assert again["call_id"] == ticket["call_id"]


async def test_a_mentor_is_never_overbooked_by_racing_acceptances(world: World) -> None:
    organisation = await world.organisation()
    mentor = await world.member(organisation, "Mentor", capacity=2)
    mentees = [await world.member(organisation, f"Mentee {number}") for number in range(6)]
    asked = [await world.ask(mentee, mentor) for mentee in mentees]
    answers = await asyncio.gather(*(mentor.post(f"/v1/pairings/{row['id']}/accept") for row in asked))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"mentor_full"}


VERBS = ("accept", "decline", "withdraw", "end")
ASKER, ASKED = "asker", "asked"
# Who may do what, where the table of states allows it.
BY: dict[tuple[Status, str], set[str]] = {
    (Status.PROPOSED, "accept"): {ASKED},
    (Status.PROPOSED, "decline"): {ASKED},
    (Status.PROPOSED, "withdraw"): {ASKER},
    (Status.ACTIVE, "end"): {ASKER, ASKED},
}
PATHS: dict[Status, list[tuple[str, str]]] = {
    Status.PROPOSED: [],
    Status.ACTIVE: [(ASKED, "accept")],
    Status.DECLINED: [(ASKED, "decline")],
    Status.WITHDRAWN: [(ASKER, "withdraw")],
    Status.ENDED: [(ASKED, "accept"), (ASKER, "end")],
}


def test_the_table_of_states_is_the_one_that_is_tested() -> None:
    assert set(BY) == set(MOVES)
    assert set(PATHS) == set(Status)


@pytest.mark.parametrize("status", list(Status))
async def test_every_verb_in_every_state_by_both_sides(world: World, status: Status) -> None:
    place = await world.organisation()
    mentor = await world.member(place, "Mentor", capacity=20)
    for verb in VERBS:
        for side in (ASKER, ASKED):
            mentee = await world.member(place, "Mentee")
            people = {ASKER: mentee, ASKED: mentor}
            pairing = await world.ask(mentee, mentor)
            path = f"/v1/pairings/{pairing['id']}"
            for who, step in PATHS[status]:
                pairing = await people[who].ok("POST", f"{path}/{step}")
            assert pairing["status"] == status
            answer = await people[side].post(f"{path}/{verb}")
            after = MOVES.get((status, verb))
            if after is None:
                assert (answer.status_code, answer.json()["code"]) == (409, f"pairing_{status}")
            elif side in BY[status, verb]:
                assert (answer.status_code, answer.json()["status"]) == (200, after)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "not_yours_to_decide")
            row = await world.run("SELECT status FROM pairing WHERE id = :id", id=pairing["id"])
            done = after is not None and side in BY[status, verb]
            assert row[0].status == (after if done else status)


async def test_may_says_what_each_side_can_do(world: World) -> None:
    mentee, mentor = await world.two()
    asked = await world.ask(mentee, mentor)
    path = f"/v1/pairings/{asked['id']}"
    assert (await mentee.ok("GET", path))["may"] == ["withdraw"]
    assert (await mentor.ok("GET", path))["may"] == ["accept", "decline"]
    await mentor.ok("POST", f"{path}/accept")
    for person in (mentee, mentor):
        assert (await person.ok("GET", path))["may"] == ["end", "edit", "meet"]
    await mentee.ok("POST", f"{path}/end")
    for person in (mentee, mentor):
        assert (await person.ok("GET", path))["may"] == []


async def test_mail_tells_whom_it_concerns_and_never_what_was_written(world: World) -> None:
    mentee, mentor = await world.two()
    asked = await world.ask(mentee, mentor, note="A very private note.")
    await mentor.ok("POST", f"/v1/pairings/{asked['id']}/accept")
    peers = await world.ask(mentee, mentor, kind="peers")
    await mentor.ok("POST", f"/v1/pairings/{peers['id']}/decline")
    assert [mail["subject"] for mail in await world.mails(mentor.email)] == [
        "Priya Raman (Riverbank) asks you for a mentorship"
    ] * 2
    assert [mail["subject"] for mail in await world.mails(mentee.email)] == [
        "Amara Okafor said yes to your mentorship",
        "Amara Okafor cannot take up your mentorship request now",
    ]
    assert not any("private" in mail["text"] for mail in await world.mails())


async def test_racing_asks_make_one_request(world: World) -> None:
    """The same two people, in both directions: whoever comes first asks, and nothing deadlocks."""
    for _ in range(4):
        place = await world.organisation()
        ann = await world.member(place, "Ann", capacity=5)
        bob = await world.member(place, "Bob", capacity=5)

        def ask(who: Person, whom: Person, role: str) -> Any:
            body = {
                "membership_id": str(who.membership_id),
                "counterpart_id": str(whom.membership_id),
                "role": role,
            }
            return who.post("/v1/pairings", body)

        sides = [(ann, bob, "mentee"), (bob, ann, "mentor")] * 3
        answers = await asyncio.gather(*(ask(*side) for side in sides))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"pairing_exists"}
    assert len(await world.rows(select(Pairing))) == 4


async def test_racing_acceptances_and_withdrawals_have_one_outcome(world: World) -> None:
    for _ in range(4):
        mentee, mentor = await world.two()
        path = f"/v1/pairings/{(await world.ask(mentee, mentor))['id']}"
        answers = await asyncio.gather(
            mentor.post(f"{path}/accept"), mentee.post(f"{path}/withdraw"), mentor.post(f"{path}/decline")
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409]


async def test_a_second_request_waits_for_the_end_of_the_first(world: World) -> None:
    mentee, mentor = await world.two()
    body = {"membership_id": str(mentee.membership_id), "counterpart_id": str(mentor.membership_id)}
    for verb, who in (("withdraw", mentee), ("decline", mentor), ("end", mentee)):
        asked = await mentee.ok("POST", "/v1/pairings", body)
        again = await mentee.post("/v1/pairings", body)
        assert (again.status_code, again.json()["code"]) == (409, "pairing_exists")
        if verb == "end":
            await mentor.ok("POST", f"/v1/pairings/{asked['id']}/accept")
            assert (await mentee.post("/v1/pairings", body)).status_code == 409
        await who.ok("POST", f"/v1/pairings/{asked['id']}/{verb}")
    assert (await mentee.post("/v1/pairings", body)).status_code == 201


async def test_a_place_is_free_again_when_a_mentorship_ends(world: World) -> None:
    place = await world.organisation()
    mentor = await world.member(place, "Mentor", capacity=1)
    first, second = [await world.member(place, name) for name in ("First", "Second")]
    pairing = await world.pair(first, mentor)
    page = f"/v1/people/{mentor.membership_id}"
    assert (await second.ok("GET", page))["places_left"] == 0
    body = {"membership_id": str(second.membership_id), "counterpart_id": str(mentor.membership_id)}
    refused = await second.post("/v1/pairings", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "mentor_full")
    await first.ok("POST", f"/v1/pairings/{pairing['id']}/end")
    assert (await second.ok("GET", page))["places_left"] == 1
    await second.ok("POST", "/v1/pairings", body)


async def parts(pairing: Any) -> set[tuple[str, str]]:
    return {(part["person"]["name"], part["role"]) for part in pairing["participants"]}


async def test_roles_follow_from_the_kind(world: World) -> None:
    place = await world.organisation()
    ann = await world.member(place, "Ann", capacity=3)
    bob = await world.member(place, "Bob", capacity=3)
    cases: list[tuple[dict[str, str], set[tuple[str, str]]]] = [
        ({}, {("Ann", "mentee"), ("Bob", "mentor")}),
        ({"role": "mentor"}, {("Ann", "mentor"), ("Bob", "mentee")}),
        ({"kind": "peers"}, {("Ann", "peer"), ("Bob", "peer")}),
        (
            {"kind": "reciprocal"},
            {(name, role) for name in ("Ann", "Bob") for role in ("mentor", "mentee")},
        ),
    ]
    for fields, expected in cases:
        asked = await world.ask(ann, bob, **fields)
        assert await parts(asked) == expected
        assert [part["is_me"] for part in asked["participants"] if part["person"]["name"] == "Ann"]
        await bob.ok("POST", f"/v1/pairings/{asked['id']}/accept")
        await ann.ok("POST", f"/v1/pairings/{asked['id']}/end")


@pytest.mark.parametrize(
    ("kind", "role"),
    [("peers", "mentor"), ("peers", "mentee"), ("one_to_one", "peer"), ("reciprocal", "mentee")],
)
async def test_parts_that_a_kind_does_not_have_are_refused(world: World, kind: str, role: str) -> None:
    mentee, mentor = await world.two()
    body = {
        "membership_id": str(mentee.membership_id),
        "counterpart_id": str(mentor.membership_id),
        "kind": kind,
        "role": role,
    }
    answer = await mentee.post("/v1/pairings", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "role_not_in_kind")
    assert answer.json()["errors"][0]["pointer"] == "/role"


async def test_both_sides_of_a_reciprocal_pair_need_a_place_and_peers_need_none(world: World) -> None:
    place = await world.organisation()
    ann, bob = await world.member(place, "Ann", capacity=0), await world.member(place, "Bob", capacity=1)
    body = {
        "membership_id": str(ann.membership_id),
        "counterpart_id": str(bob.membership_id),
        "kind": "reciprocal",
    }
    refused = await ann.post("/v1/pairings", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_mentoring")
    await ann.ok("PATCH", f"/v1/memberships/{ann.membership_id}", {"capacity": 1})
    active = await world.pair(ann, bob, kind="reciprocal")
    assert active["status"] == "active"
    for person, other in ((ann, bob), (bob, ann)):
        assert (await person.ok("GET", f"/v1/people/{other.membership_id}"))["places_left"] == 0
    await world.pair(ann, bob, kind="peers")


async def test_one_person_with_two_memberships_acts_with_the_one_they_name(world: World) -> None:
    first, second, far = [await world.organisation(name) for name in ("First", "Second", "Far")]
    await world.partners(first, far)
    both = await world.member(first, "Both")
    in_first = both.membership_id
    await world.member(second, person=both)
    mentor = await world.member(far, "Mentor", capacity=2)
    body = {"membership_id": str(both.membership_id), "counterpart_id": str(mentor.membership_id)}
    assert (await both.post("/v1/pairings", body)).status_code == 404, "invisible from the second"
    made = await both.ok("POST", "/v1/pairings", {**body, "membership_id": str(in_first)})
    assert made["proposed_by"] == str(in_first)
    (mine,) = [part for part in made["participants"] if part["is_me"]]
    assert mine["person"]["organisation"]["name"] == "First"
    own = {"membership_id": str(in_first), "counterpart_id": str(both.membership_id)}
    assert (await both.post("/v1/pairings", own)).status_code == 404, "nobody mentors themselves"
    foreign = await both.post("/v1/pairings", {**body, "membership_id": str(mentor.membership_id)})
    assert (foreign.status_code, foreign.json()["code"]) == (422, "not_your_membership")


async def test_lists_come_newest_first_in_pages_and_by_status(world: World) -> None:
    place = await world.organisation()
    mentee = await world.member(place, "Mentee")
    asked = []
    for number in range(5):
        mentor = await world.member(place, f"Mentor {number}", capacity=1)
        asked.append(await world.ask(mentee, mentor))
    await mentee.ok("POST", f"/v1/pairings/{asked[0]['id']}/withdraw")
    ids: list[str] = []
    cursor = ""
    while True:
        page = await mentee.ok("GET", f"/v1/pairings?limit=2{cursor}")
        ids += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert ids == [row["id"] for row in reversed(asked)]
    withdrawn = (await mentee.ok("GET", "/v1/pairings?status=withdrawn"))["items"]
    assert [row["id"] for row in withdrawn] == [asked[0]["id"]]
