"""Finding people: what the search looks at, and what it shows."""

from typing import Any

import pytest

from app.organisations.models import Role
from tests.world import Person, World

pytestmark = pytest.mark.database


async def found(person: Person, **query: Any) -> list[str]:
    return [row["name"] for row in (await person.ok("GET", "/v1/people", params=query))["items"]]


async def crowd(world: World) -> Person:
    """Someone who looks around in an organisation of three others, the newest of whom comes first."""
    place = await world.organisation()
    await world.member(
        place, "Amara Okafor", capacity=3, headline="Child protection", bio="Fourteen years.",
        skills_offered=["Court reports", "100% honest feedback"], languages=["en", "fr"],
    )  # fmt: skip
    await world.member(
        place, "Tomasz Nowak", capacity=1, headline="Fostering manager", bio="Trains with C:\\tools_x.",
        skills_offered=["Fostering", "court"], languages=["pl", "pt-br"],
    )  # fmt: skip
    await world.member(place, "Jack Sullivan", capacity=0, roles=(Role.COORDINATOR,), headline="Student")
    return await world.member(place, "Priya Raman")


SEARCHES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["Jack Sullivan", "Tomasz Nowak", "Amara Okafor"]),
    ({"mentors_only": True}, ["Tomasz Nowak", "Amara Okafor"]),
    ({"q": "oKaF"}, ["Amara Okafor"]),
    ({"q": "manager"}, ["Tomasz Nowak"]),
    ({"q": "fourteen"}, ["Amara Okafor"]),
    ({"q": "court"}, ["Tomasz Nowak", "Amara Okafor"]),
    ({"q": "100%"}, ["Amara Okafor"]),
    ({"q": "1%0"}, []),
    ({"q": "c:\\tools_x"}, ["Tomasz Nowak"]),
    ({"q": "c:\\tools?x"}, []),
    ({"q": "toolsYx"}, []),
    ({"q": "'; DROP TABLE membership; --"}, []),
    ({"skill": "COURT REPORTS"}, ["Amara Okafor"]),
    ({"skill": "court"}, ["Tomasz Nowak"]),
    ({"language": "EN"}, ["Amara Okafor"]),
    ({"language": "pt-BR"}, ["Tomasz Nowak"]),
    ({"language": "pl", "skill": "fostering", "q": "trains", "mentors_only": True}, ["Tomasz Nowak"]),
    ({"language": "pl", "q": "okafor"}, []),
]


async def test_a_search_narrows_by_everything_it_names(world: World) -> None:
    me = await crowd(world)
    for query, names in SEARCHES:
        assert await found(me, **query) == names, query


async def test_nobody_finds_themselves_and_pages_join_up(world: World) -> None:
    me = await crowd(world)
    names: list[str] = []
    cursor: dict[str, str | None] = {}
    for _ in range(3):
        page = await me.ok("GET", "/v1/people", params={"limit": 1, **cursor})
        names += [row["name"] for row in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    assert names == ["Jack Sullivan", "Tomasz Nowak", "Amara Okafor"]
    assert cursor == {"cursor": None}
    assert (await me.get(f"/v1/people/{me.membership_id}")).status_code == 404


async def test_a_person_shows_a_profile_and_no_account(world: World) -> None:
    me = await crowd(world)
    amara = (await me.ok("GET", "/v1/people", params={"q": "amara"}))["items"][0]
    assert await me.ok("GET", f"/v1/people/{amara['id']}") == amara
    assert set(amara) == {
        "id", "name", "headline", "organisation", "zone", "bio", "skills_offered", "skills_wanted",
        "languages", "capacity", "places_left", "external",
    }  # fmt: skip
    assert (amara["capacity"], amara["places_left"], amara["external"]) == (3, 3, False)


async def test_another_persons_membership_is_no_window(world: World) -> None:
    me = await crowd(world)
    elsewhere = await world.organisation("Elsewhere")
    other = await world.member(elsewhere, "Other")
    await world.member(elsewhere, "Hidden")
    assert await found(me, membership_id=str(other.membership_id)) == []


async def test_across_organisations_only_mentors_are_found_and_whom_one_deals_with_is_shown(
    world: World,
) -> None:
    mentee, mentor = await world.two()
    await mentee.ok("PATCH", f"/v1/memberships/{mentee.membership_id}", {"capacity": 0})
    assert await found(mentor) == []
    assert (await mentor.get(f"/v1/people/{mentee.membership_id}")).status_code == 404
    asked = await world.ask(mentee, mentor)
    seen = await mentor.ok("GET", f"/v1/people/{mentee.membership_id}")
    assert seen["name"] == "Priya Raman", "who asks is shown to whom they asked"
    await mentor.ok("POST", f"/v1/pairings/{asked['id']}/decline")
    assert (await mentor.get(f"/v1/people/{mentee.membership_id}")).status_code == 404
