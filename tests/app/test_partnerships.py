"""Partnerships: two organisations' people see each other only while both agree to it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from app.organisations.models import Partnership, Role
from tests.world import ALL_ROLES, Person, World

pytestmark = pytest.mark.database


async def names_found(person: Person, query: str = "") -> set[str]:
    """Whom a person finds."""
    return {row["name"] for row in (await person.ok("GET", f"/v1/people{query}"))["items"]}


async def partnered(
    world: World, *, roles: tuple[Role, ...] = (Role.ADMINISTRATOR,)
) -> tuple[Person, Person, Any]:
    """Two administrators, and a proposal from the first's organisation to the second's."""
    north, river = await world.organisation("Northside"), await world.organisation("Riverbank")
    left = await world.member(north, "Daniel", roles=roles)
    right = await world.member(river, "Ruth", roles=roles)
    body = {"partner_slug": river.slug, "note": "A lot to teach each other."}
    proposed = await left.ok("POST", f"/v1/organisations/{north.id}/partnerships", body)
    return left, right, proposed


async def test_a_partnership_is_proposed_and_accepted_by_the_other_side(world: World) -> None:
    left, right, proposed = await partnered(world)
    assert (proposed["status"], proposed["may"]) == ("proposed", ["end"])
    path = f"/v1/partnerships/{proposed['id']}"
    assert (await left.post(f"{path}/accept")).json()["code"] == "not_administrator"
    assert (await left.post(f"{path}/decline")).status_code == 403
    (seen,) = (await right.ok("GET", f"/v1/organisations/{right.organisation_id}/partnerships"))["items"]
    assert seen["may"] == ["accept", "decline", "end"]
    accepted = await right.ok("POST", f"{path}/accept")
    assert (accepted["status"], accepted["may"]) == ("accepted", ["end"])
    assert (await right.post(f"{path}/accept")).status_code == 409
    assert (await right.post(f"{path}/decline")).status_code == 409
    assert [mail["subject"] for mail in await world.mails(right.email)] == [
        "Another organisation proposes a partnership"
    ]


async def test_people_see_each_other_across_only_while_the_partnership_is_accepted(world: World) -> None:
    left, right, proposed = await partnered(world)
    path = f"/v1/partnerships/{proposed['id']}"
    page = f"/v1/people/{right.membership_id}"
    assert await names_found(left) == set()
    assert (await left.get(page)).status_code == 404
    await right.ok("POST", f"{path}/accept")
    assert await names_found(left) == {"Ruth"}
    assert await names_found(right) == {"Daniel"}
    assert (await left.ok("GET", page))["external"] is True
    await right.ok("PATCH", f"/v1/memberships/{right.membership_id}", {"visibility": "organisation"})
    assert await names_found(left) == set(), "they closed their profile to partners"
    await right.ok("PATCH", f"/v1/memberships/{right.membership_id}", {"visibility": "partners"})
    assert (await left.get(page)).status_code == 200
    ended = await left.ok("POST", f"{path}/end")
    assert (ended["status"], ended["may"]) == ("ended", [])
    assert await names_found(left) == await names_found(right) == set()
    assert (await left.get(page)).status_code == 404
    assert (await left.post(f"{path}/end")).status_code == 409


async def test_a_partner_of_a_partner_is_nobody(world: World) -> None:
    a, b, c = [await world.organisation(name) for name in ("A", "B", "C")]
    await world.partners(a, b)
    await world.partners(c, b)
    first, _, third = [await world.member(place, place.name) for place in (a, b, c)]
    assert await names_found(first) == {"B"}
    assert await names_found(third) == {"B"}


async def test_each_membership_sees_through_its_own_organisation(world: World) -> None:
    a, b, c = [await world.organisation(name) for name in ("A", "B", "C")]
    await world.partners(a, c)
    both = await world.member(a, "Both")
    in_a = both.membership_id
    await world.member(b, person=both)
    await world.member(c, "Carol")
    await world.member(b, "Bob")
    assert await names_found(both) == {"Carol", "Bob"}
    assert await names_found(both, f"?membership_id={in_a}") == {"Carol"}
    assert await names_found(both, f"?membership_id={both.membership_id}") == {"Bob"}


async def test_a_declined_proposal_can_be_made_again_and_taken_back(world: World) -> None:
    left, right, proposed = await partnered(world)
    path = f"/v1/organisations/{left.organisation_id}/partnerships"
    declined = await right.ok("POST", f"/v1/partnerships/{proposed['id']}/decline")
    assert (declined["status"], declined["may"]) == ("declined", [])
    again = await left.ok("POST", path, {"partner_slug": proposed["partner"]["slug"]})
    assert (await left.ok("POST", f"/v1/partnerships/{again['id']}/end"))["status"] == "ended"
    assert (await right.post(f"/v1/partnerships/{again['id']}/accept")).status_code == 409
    statuses = [row["status"] for row in (await left.ok("GET", path))["items"]]
    assert statuses == ["ended", "declined"]


async def test_what_makes_no_sense_is_refused_with_words(world: World) -> None:
    left, right, proposed = await partnered(world)
    path = f"/v1/organisations/{left.organisation_id}/partnerships"
    cases = {
        proposed["organisation"]["slug"]: (422, "own_organisation"),
        "nobody-has-this": (422, "unknown_partner"),
        proposed["partner"]["slug"]: (409, "partnership_exists"),
    }
    for slug, expected in cases.items():
        answer = await left.post(path, {"partner_slug": slug})
        assert (answer.status_code, answer.json()["code"]) == expected
    back = await right.post(
        f"/v1/organisations/{right.organisation_id}/partnerships",
        {"partner_slug": proposed["organisation"]["slug"]},
    )
    assert back.json()["code"] == "partnership_exists", "also in the other direction"
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=(Role.COORDINATOR,))
    answer = await coordinator.post(
        f"/v1/organisations/{place.id}/partnerships", {"partner_slug": proposed["partner"]["slug"]}
    )
    assert answer.status_code == 403, "administrators only"


async def test_two_organisations_that_propose_to_each_other_at_once_get_one_partnership(
    world: World,
) -> None:
    for _ in range(3):
        places = [await world.organisation(name) for name in ("Left", "Right")]
        bosses = [await world.member(place, "Boss", roles=ALL_ROLES) for place in places]
        answers = await asyncio.gather(
            *(
                boss.post(f"/v1/organisations/{own.id}/partnerships", {"partner_slug": other.slug})
                for boss, own, other in zip(bosses * 2, places * 2, places[::-1] * 2, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"partnership_exists"}
    assert len(await world.rows(select(Partnership))) == 3


async def test_a_request_from_before_the_end_of_a_partnership_begins_nothing_after_it(world: World) -> None:
    mentee, mentor = await world.two()
    asked = await world.ask(mentee, mentor)
    await world.run("UPDATE partnership SET status = 'ended'")
    late = await mentor.post(f"/v1/pairings/{asked['id']}/accept")
    assert (late.status_code, late.json()["code"]) == (409, "no_longer_partners")
    await mentor.ok("POST", f"/v1/pairings/{asked['id']}/decline")
