"""Organisations: founding, inviting, roles, profiles, and partnerships with others."""

import asyncio

import pytest
import time_machine
from sqlalchemy import select

from app.core import clock
from app.organisations.models import Membership, Organisation, Role
from tests.world import ALL_ROLES, Person, World, mailed_token

pytestmark = pytest.mark.database

PASSWORD = "a long sentence works well"


async def names_found(person: Person, query: str = "") -> set[str]:
    """Whom a person finds."""
    return {row["name"] for row in (await person.ok("GET", f"/v1/people{query}"))["items"]}


async def test_whoever_founds_an_organisation_administers_it(world: World) -> None:
    founder = await world.person("Ruth Bell")
    made = await founder.ok("POST", "/v1/organisations", {"name": "Riverbank Rural Services"})
    assert made["slug"] == "riverbank-rural-services"
    memberships = (await founder.ok("GET", "/v1/me"))["memberships"]
    assert [row["roles"] for row in memberships] == [["member", "coordinator", "administrator"]]
    assert memberships[0]["name"] == "Ruth Bell"
    assert [row["id"] for row in (await founder.ok("GET", "/v1/organisations"))["items"]] == [made["id"]]
    assert await founder.ok("GET", f"/v1/organisations/{made['id']}") == made


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Northside Family Trust", "northside-family-trust"),
        ("  Ærø & Søn -- Çà  ", "r-sn-ca"),
        ("X", "x-1"),
        ("社会福祉法人", "organisation"),
        ("!!!", "organisation"),
        ("é" * 80, "e" * 60),
        ("a" * 59 + " b", "a" * 59),
    ],
)
async def test_every_name_gives_a_slug_that_can_be_typed(world: World, name: str, slug: str) -> None:
    founder = await world.person()
    made = await founder.ok("POST", "/v1/organisations", {"name": name})
    assert made["slug"] == slug
    assert made["name"] == name.strip()


async def test_names_may_repeat_but_slugs_never_do(world: World) -> None:
    founder = await world.person()
    slugs = [
        (await founder.ok("POST", "/v1/organisations", {"name": name}))["slug"]
        for name in ("Acme", "ACME!", "Acme 3", "Acmé", "Acm")
    ]
    assert slugs == ["acme", "acme-2", "acme-3", "acme-4", "acm"]


async def test_racing_foundations_of_one_name_all_succeed(world: World) -> None:
    people = [await world.person() for _ in range(6)]
    answers = await asyncio.gather(*(person.post("/v1/organisations", {"name": "Acme"}) for person in people))
    assert {answer.status_code for answer in answers} == {201}
    slugs = {answer.json()["slug"] for answer in answers}
    assert slugs == {"acme", *(f"acme-{number}" for number in range(2, 7))}


async def test_from_invitation_to_membership_by_mail_alone(world: World) -> None:
    coordinator = await world.member(await world.organisation(), "Ruth Bell", roles=(Role.COORDINATOR,))
    path = f"/v1/organisations/{coordinator.organisation_id}/invitations"
    sent = await coordinator.ok("POST", path, {"email": "Priya@Example.org"})
    assert (sent["status"], sent["email"], sent["roles"]) == ("pending", "priya@example.org", ["member"])
    (mail,) = await world.mails("priya@example.org")
    assert mail["subject"] == "Northside invites you to Mentorspan"
    token = mailed_token(mail)
    body = {"email": "priya@example.org", "password": PASSWORD, "name": "Priya", "invitation_token": token}
    assert (await world.client.post("/v1/accounts", json=body)).status_code == 202
    proof = mailed_token((await world.mails("priya@example.org"))[1])
    assert (
        await world.client.post("/v1/accounts/verify", json={"token": proof, "password": PASSWORD})
    ).status_code == 204
    session = await world.client.post(
        "/v1/sessions", json={"email": "priya@example.org", "password": PASSWORD, "refresh": "body"}
    )
    headers = {"Authorization": f"Bearer {session.json()['access_token']}"}
    joined = [
        await world.client.post("/v1/invitations/accept", json={"token": token}, headers=headers)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in joined] == [201, 201]
    assert joined[0].json() == joined[1].json()
    assert joined[0].json()["organisation"]["id"] == str(coordinator.organisation_id)
    assert [row["status"] for row in (await coordinator.ok("GET", path))["items"]] == ["accepted"]
    members = await coordinator.ok("GET", f"/v1/organisations/{coordinator.organisation_id}/memberships")
    assert {row["name"] for row in members["items"]} == {"Ruth Bell", "Priya"}


async def invited(world: World, email: str, roles: list[str] | None = None) -> tuple[Person, str, str]:
    """An administrator, the id of an invitation of theirs, and its secret."""
    boss = await world.member(await world.organisation(), "Boss", roles=ALL_ROLES)
    path = f"/v1/organisations/{boss.organisation_id}/invitations"
    sent = await boss.ok("POST", path, {"email": email, "roles": roles or ["member"]})
    return boss, sent["id"], mailed_token((await world.mails(email))[-1])


async def test_an_invitation_is_for_its_address_only(world: World) -> None:
    right, thief = await world.person("Priya"), await world.person("Mallory")
    _, _, token = await invited(world, right.email)
    stolen = await thief.post("/v1/invitations/accept", {"token": token})
    unknown = await thief.post("/v1/invitations/accept", {"token": "z" * 43})
    assert stolen.status_code == unknown.status_code == 404
    assert stolen.content == unknown.content
    await right.ok("POST", "/v1/invitations/accept", {"token": token})


async def test_an_invitation_can_be_taken_back_and_expires(world: World) -> None:
    person = await world.person("Priya")
    boss, first, token = await invited(world, person.email)
    await boss.ok("DELETE", f"/v1/invitations/{first}")
    refused = await person.post("/v1/invitations/accept", {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (409, "invitation_not_pending")
    assert (await boss.call("DELETE", f"/v1/invitations/{first}")).status_code == 409
    _, _, later = await invited(world, person.email)
    with time_machine.travel(clock.now().timestamp() + 14 * 86400 + 5, tick=True):
        world.renew(person)
        assert (await person.post("/v1/invitations/accept", {"token": later})).status_code == 409


async def test_racing_acceptances_of_two_invitations_make_one_membership(world: World) -> None:
    person = await world.person("Priya")
    boss, _, first = await invited(world, person.email)
    path = f"/v1/organisations/{boss.organisation_id}/invitations"
    await boss.ok("POST", path, {"email": person.email})
    second = mailed_token((await world.mails(person.email))[-1])
    answers = await asyncio.gather(
        *(person.post("/v1/invitations/accept", {"token": token}) for token in (first, second, first, second))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_only_coordinators_invite_and_only_administrators_give_roles(world: World) -> None:
    place = await world.organisation()
    path = f"/v1/organisations/{place.id}/invitations"
    member = await world.member(place, "Member")
    coordinator = await world.member(place, "Coordinator", roles=(Role.COORDINATOR,))
    boss = await world.member(place, "Boss", roles=(Role.ADMINISTRATOR,))
    stranger = await world.member(await world.organisation("Elsewhere"), "Stranger", roles=ALL_ROLES)
    wanted = {"email": "new@example.org", "roles": ["coordinator"]}
    assert (await stranger.post(path, wanted)).status_code == 404
    assert (await member.post(path, {"email": "new@example.org"})).status_code == 403
    assert (await member.get(path)).status_code == 403
    assert (await coordinator.post(path, wanted)).json()["code"] == "not_administrator"
    assert (await boss.ok("POST", path, wanted))["roles"] == ["member", "coordinator"]
    person = await world.person("New")
    assert await world.mails(person.email) == []
    joined = await boss.ok("POST", path, {"email": person.email, "roles": ["administrator"]})
    assert joined["roles"] == ["member", "administrator"]
    token = mailed_token((await world.mails(person.email))[0])
    made = await person.ok("POST", "/v1/invitations/accept", {"token": token})
    assert made["roles"] == ["member", "administrator"]


async def test_invitations_to_one_address_are_limited(world: World) -> None:
    boss, _, _ = await invited(world, "priya@example.org")
    path = f"/v1/organisations/{boss.organisation_id}/invitations"
    answers = [await boss.post(path, {"email": "PRIYA@example.org"}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201] * 4 + [429]


async def test_roles_are_given_by_administrators_of_the_same_organisation(world: World) -> None:
    place, elsewhere = await world.organisation(), await world.organisation("Elsewhere")
    boss = await world.member(place, "Boss", roles=(Role.ADMINISTRATOR,))
    coordinator = await world.member(place, "Coordinator", roles=(Role.COORDINATOR,))
    stranger = await world.member(elsewhere, "Stranger", roles=ALL_ROLES)
    path = f"/v1/memberships/{coordinator.membership_id}/roles"
    assert (await coordinator.call("PUT", path, {"roles": ["administrator"]})).status_code == 403
    assert (await stranger.call("PUT", path, {"roles": []})).status_code == 404
    assert (await boss.ok("PUT", path, {"roles": []}))["roles"] == ["member"]
    assert (await boss.ok("PUT", path, {"roles": ["administrator"]}))["roles"] == ["member", "administrator"]
    assert (await boss.call("PUT", path, {"roles": ["owner"]})).status_code == 422


async def test_the_last_administrator_stays(world: World) -> None:
    place = await world.organisation()
    boss = await world.member(place, "Boss", roles=(Role.ADMINISTRATOR,))
    own = f"/v1/memberships/{boss.membership_id}/roles"
    refused = await boss.call("PUT", own, {"roles": ["coordinator"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "last_administrator")
    second = await world.member(place, "Second", roles=(Role.ADMINISTRATOR,))
    await second.ok("PUT", own, {"roles": ["coordinator"]})
    assert (await boss.call("PUT", own, {"roles": ["administrator"]})).status_code == 403


@pytest.mark.parametrize("target", ["each other", "themselves"])
async def test_the_last_administrator_stays_when_two_leave_at_once(world: World, target: str) -> None:
    for _ in range(4):
        place = await world.organisation()
        bosses = [await world.member(place, "Boss", roles=(Role.ADMINISTRATOR,)) for _ in range(2)]
        targets = bosses if target == "themselves" else bosses[::-1]
        answers = await asyncio.gather(
            *(
                boss.call("PUT", f"/v1/memberships/{other.membership_id}/roles", {"roles": []})
                for boss, other in zip(bosses, targets, strict=True)
            )
        )
        lost = 403 if target == "each other" else 409
        assert sorted(answer.status_code for answer in answers) == [200, lost]
        rows = await world.rows(select(Membership).where(Membership.organisation_id == place.id))
        assert sum(row.has(Role.ADMINISTRATOR) for row in rows) == 1


async def test_a_profile_is_edited_by_its_owner_only(world: World) -> None:
    place = await world.organisation()
    owner = await world.member(place, "Priya")
    boss = await world.member(place, "Boss", roles=ALL_ROLES)
    stranger = await world.member(await world.organisation("Elsewhere"), "Stranger")
    path = f"/v1/memberships/{owner.membership_id}"
    profile = {
        "headline": "Two years in",
        "bio": "First line\nsecond line",
        "skills_offered": ["Digital case tools", "digital CASE tools", "Tea"],
        "skills_wanted": ["Court reports"],
        "languages": ["EN", "pt-BR", "en"],
        "zone": "Australia/Brisbane",
        "capacity": 2,
        "visibility": "organisation",
    }
    edited = await owner.ok("PATCH", path, profile)
    expected = {
        **profile,
        "skills_offered": ["Digital case tools", "Tea"],
        "languages": ["en", "pt-br"],
    }
    assert {name: edited[name] for name in profile} == expected
    assert await owner.ok("GET", path) == edited
    partial = await owner.ok("PATCH", path, {"headline": "Three years in"})
    assert partial == {**edited, "headline": "Three years in"}
    refused = await boss.call("PATCH", path, {"headline": "Mine"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_profile")
    assert (await stranger.call("PATCH", path, {"headline": "Mine"})).status_code == 404
    assert (await owner.call("PATCH", path, {"roles": ["administrator"]})).status_code == 422


async def test_an_ended_membership_is_out_of_everything(world: World) -> None:
    place = await world.organisation()
    person = await world.member(place, "Gone", roles=ALL_ROLES)
    other = await world.member(place, "Stays", roles=ALL_ROLES)
    await world.run("UPDATE membership SET ended_at = now() WHERE id = :id", id=person.membership_id)
    assert (await person.ok("GET", "/v1/me"))["memberships"] == []
    assert (await person.get(f"/v1/organisations/{place.id}")).status_code == 404
    assert await names_found(person) == await names_found(other) == set()
    path = f"/v1/organisations/{place.id}/invitations"
    await other.ok("POST", path, {"email": person.email})
    token = mailed_token((await world.mails(person.email))[0])
    back = await person.ok("POST", "/v1/invitations/accept", {"token": token})
    assert back["id"] == str(person.membership_id)
    assert back["roles"] == ["member"], "what the new invitation says, not what was before"
    assert await names_found(other) == {"Gone"}
    assert len(await world.rows(select(Organisation))) == 1
