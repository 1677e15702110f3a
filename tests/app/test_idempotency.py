"""A creating request that is repeated with the same key creates once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from app.core.idempotency import IdempotencyKey
from app.organisations.models import Organisation
from app.pairings.models import Pairing
from tests.world import Person, World, meeting

pytestmark = pytest.mark.database

KEY = {"Idempotency-Key": "f2b1f0e4-0001"}


def found(person: Person, name: str = "Acme", key: dict[str, str] | None = None) -> Any:
    return person.post("/v1/organisations", {"name": name}, headers=key or KEY)


async def test_the_same_key_has_one_effect(world: World) -> None:
    person = await world.person()
    first, second = await found(person), await found(person)
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert len(await world.rows(select(Organisation))) == 1
    other = await found(person, key={"Idempotency-Key": "f2b1f0e4-0002"})
    assert other.json()["id"] != first.json()["id"]
    without = await person.post("/v1/organisations", {"name": "Acme"})
    assert without.json()["id"] not in {first.json()["id"], other.json()["id"]}


async def test_also_when_the_repetitions_arrive_together(world: World) -> None:
    person = await world.person()
    answers = await asyncio.gather(*(found(person) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.content for answer in answers}) == 1
    assert len(await world.rows(select(Organisation))) == 1


async def test_a_key_names_one_request(world: World) -> None:
    person = await world.person()
    await found(person)
    other_body = await found(person, "Another")
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")
    stranger = await found(await world.person(), "Another")
    assert stranger.status_code == 201, "keys are each person's own"


async def test_a_failure_does_not_burn_the_key(world: World) -> None:
    mentee, mentor = await world.two()
    body = {"membership_id": str(mentee.membership_id), "counterpart_id": str(mentor.membership_id)}
    await mentor.ok("PATCH", f"/v1/memberships/{mentor.membership_id}", {"capacity": 0})
    refused = await mentee.post("/v1/pairings", body, headers=KEY)
    assert refused.status_code == 404, "who does not mentor is not to be found across organisations"
    assert await world.rows(select(IdempotencyKey)) == []
    await mentor.ok("PATCH", f"/v1/memberships/{mentor.membership_id}", {"capacity": 1})
    made = [await mentee.post("/v1/pairings", body, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["id"] == made[1].json()["id"]
    assert len(await world.rows(select(Pairing))) == 1


async def test_a_repetition_shows_the_thing_as_it_is_now(world: World) -> None:
    mentee, mentor = await world.two()
    body = {"membership_id": str(mentee.membership_id), "counterpart_id": str(mentor.membership_id)}
    made = await mentee.ok("POST", "/v1/pairings", body, headers=KEY)
    await mentor.ok("POST", f"/v1/pairings/{made['id']}/accept")
    again = await mentee.ok("POST", "/v1/pairings", body, headers=KEY)
    assert (again["id"], again["status"]) == (made["id"], "active")


async def test_mail_goes_out_once_too(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    before = len(await world.mails(mentor.email))
    path = f"/v1/pairings/{pairing['id']}/meetings"
    body = meeting()
    answers = await asyncio.gather(*(mentee.post(path, body, headers=KEY) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {201}
    assert len(await world.mails(mentor.email)) == before + 1


@pytest.mark.parametrize("key", ["short", "x" * 101, "has space in it", ""])
async def test_keys_that_are_none_are_refused(world: World, key: str) -> None:
    person = await world.person()
    answer = await found(person, key={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].lower() == "/header/idempotency-key"
