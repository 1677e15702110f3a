"""Circles: a coordinator gathers people, who may leave again."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.pairings.models import Participant
from tests.world import ALL_ROLES, Person, World, meeting

pytestmark = pytest.mark.database


async def circle_of_three(world: World) -> tuple[Person, Person, Person, Person, Any]:
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    lead, ann, bob = [await world.member(place, name) for name in ("Lead", "Ann", "Bob")]
    return coordinator, lead, ann, bob, await world.circle(coordinator, [lead], [ann, bob])


async def test_a_circle_is_active_at_once_and_anyone_may_leave(world: World) -> None:
    coordinator, lead, ann, bob, circle = await circle_of_three(world)
    path = f"/v1/pairings/{circle['id']}"
    assert (circle["kind"], circle["status"], circle["may"]) == ("circle", "active", ["end"])
    assert (await ann.ok("GET", path))["may"] == ["leave", "edit", "meet"]
    assert (await ann.post(f"{path}/end")).status_code == 403
    assert (await coordinator.post(f"{path}/leave")).status_code == 403, "they are not in it"
    await ann.ok("POST", f"{path}/leave")
    assert (await ann.get(path)).status_code == 404
    assert (await ann.post(f"{path}/leave")).status_code == 404
    seen = await bob.ok("GET", path)
    left = {part["person"]["name"]: part["left_at"] for part in seen["participants"]}
    assert left["Ann"] is not None
    assert left["Bob"] is left["Lead"] is None
    for person in (lead, bob):
        assert (await person.ok("GET", path))["status"] == "active"
    subjects = [mail["subject"] for mail in await world.mails(ann.email)]
    assert subjects == ["You are now in the circle Practice circle"]


async def test_a_circle_is_ended_by_a_coordinator_of_its_organisation(world: World) -> None:
    coordinator, lead, ann, _, circle = await circle_of_three(world)
    path = f"/v1/pairings/{circle['id']}"
    other = await world.member(await world.organisation("Elsewhere"), "Other", roles=ALL_ROLES)
    assert (await other.post(f"{path}/end")).status_code == 404
    assert (await lead.post(f"{path}/end")).status_code == 403
    ended = await coordinator.ok("POST", f"{path}/end")
    assert (ended["status"], ended["may"]) == ("ended", [])
    assert (await ann.post(f"{path}/leave")).status_code == 409


async def test_a_circle_gathers_only_people_its_coordinator_can_see(world: World) -> None:
    coordinator, lead, ann, _, _ = await circle_of_three(world)
    far = await world.organisation("Far")
    hidden = await world.member(far, "Hidden")
    path = f"/v1/organisations/{coordinator.organisation_id}/circles"

    def body(*mentees: UUID | None) -> dict[str, Any]:
        return {
            "title": "Circle",
            "lead_ids": [str(lead.membership_id)],
            "mentee_ids": [str(mentee) for mentee in mentees],
        }

    unknown = await coordinator.post(path, body(uuid4()))
    invisible = await coordinator.post(path, body(ann.membership_id, hidden.membership_id))
    assert unknown.status_code == invisible.status_code == 404
    assert unknown.content == invisible.content
    twice = await coordinator.post(path, body(lead.membership_id))
    assert (twice.status_code, twice.json()["code"]) == (422, "named_twice")
    assert (await ann.post(path, body(ann.membership_id))).json()["code"] == "not_coordinator"
    assert (await hidden.post(path, body(ann.membership_id))).status_code == 404
    assert len(await world.rows(select(Participant))) == 3, "a refused circle leaves nothing"
    with_me = await coordinator.ok("POST", path, body(coordinator.membership_id))
    assert with_me["may"] == ["leave", "edit", "meet", "end"]


async def test_a_circle_takes_no_mentors_place_and_two_verbs_are_not_for_it(world: World) -> None:
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    mentor = await world.member(place, "Mentor", capacity=1)
    mentee = await world.member(place, "Mentee")
    circle = await world.circle(coordinator, [mentor], [mentee])
    pairing = await world.pair(mentee, mentor)
    leave = await mentee.post(f"/v1/pairings/{pairing['id']}/leave")
    assert (leave.status_code, leave.json()["code"]) == (409, "not_a_circle")
    assert (await mentee.post(f"/v1/pairings/{circle['id']}/withdraw")).status_code == 409


async def test_leaving_a_circle_puts_one_out_of_its_call(world: World) -> None:
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    lead, ann = [await world.member(place, name) for name in ("Lead", "Ann")]
    circle = await world.circle(coordinator, [lead], [ann])
    met = await lead.ok("POST", f"/v1/pairings/{circle['id']}/meetings", meeting())
    await world.node()
    call = (await ann.ok("POST", f"/v1/meetings/{met['id']}/ticket"))["call_id"]
    await ann.ok("POST", f"/v1/pairings/{circle['id']}/leave")
    payloads = [row.payload for row in await world.run("SELECT payload FROM node_command")]
    (payload,) = (payload for payload in payloads if payload["kind"] != "roster_changed")
    assert (payload["kind"], payload["call_id"]) == ("remove_from_call", call)
    assert payload["membership_ids"] == [str(ann.membership_id)]
