"""The internal door: nodes that prove themselves learn who hears what, and nobody else learns anything."""

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from app.core import clock
from app.core.nodes import Node
from app.internal import create_internal_app
from app.settings import Settings
from signalling.contracts.standing import PATH, StandingRead
from signalling.contracts.tickets import issue_node_token, node_public_key
from tests.app import talk
from tests.world import World

pytestmark = pytest.mark.database
NAME = "node-1"


@pytest.fixture
async def internal(settings: Settings) -> AsyncIterator[FastAPI]:
    application = create_internal_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def key(world: World) -> Ed25519PrivateKey:
    """The key of a node that app knows."""
    made = Ed25519PrivateKey.generate()
    await world.save(
        Node(
            name=NAME,
            url="ws://localhost:1",
            draining=False,
            calls=0,
            seen_at=clock.now(),
            public_key=node_public_key(made),
        )
    )
    return made


async def knock(door: FastAPI, token: str | None, **ask: Any) -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(app=door)
    async with httpx2.AsyncClient(transport=transport, base_url="http://app") as client:
        return await client.post(PATH, json=ask, headers=headers)


async def standing(door: FastAPI, key: Ed25519PrivateKey, **ask: Any) -> StandingRead:
    answer = await knock(door, issue_node_token(NAME, key=key, now=time.time()), **ask)
    assert answer.status_code == 200, answer.text
    return StandingRead.model_validate_json(answer.content)


async def test_who_cannot_prove_to_be_a_node_learns_nothing(
    world: World, internal: FastAPI, key: Ed25519PrivateKey
) -> None:
    person, now = await world.person(), time.time()
    stranger = Ed25519PrivateKey.generate()
    tokens = {
        "none": None,
        "nonsense": "nonsense",
        "another key": issue_node_token(NAME, key=stranger, now=now),
        "an unknown node": issue_node_token("node-2", key=key, now=now),
        "expired": issue_node_token(NAME, key=key, now=now - 61),
        "from the future": issue_node_token(NAME, key=key, now=now + 60),
        "a person's": person.token,
    }
    for what, token in tokens.items():
        answer = await knock(internal, token, streams=[str(person.account_id)])
        assert (answer.status_code, answer.json()["code"]) == (401, "node_refused"), what
        assert "rosters" not in answer.text
    assert (await knock(internal, issue_node_token(NAME, key=key, now=now))).status_code == 200


async def test_a_node_that_fell_silent_is_nobody(
    world: World, internal: FastAPI, key: Ed25519PrivateKey
) -> None:
    await world.run("UPDATE node SET seen_at = seen_at - interval '6 minutes'")
    answer = await knock(internal, issue_node_token(NAME, key=key, now=time.time()))
    assert answer.status_code == 401


async def test_the_world_has_no_such_door(world: World) -> None:
    answer = await world.client.post(PATH, json={})
    assert answer.status_code in (404, 405)


async def test_rosters_name_accounts_and_how_others_know_them(
    world: World, internal: FastAPI, key: Ed25519PrivateKey
) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    (conversation,) = (await mentee.ok("GET", f"/v1/conversations?pairing_id={pairing['id']}"))["items"]
    await mentee.ok("POST", "/v1/sync", {})  # streams begin when somebody asks for them
    nowhere = uuid4()
    asked = [conversation["id"], str(mentee.account_id), str(mentee.membership_id), str(nowhere)]
    read = await standing(internal, key, streams=asked)
    rosters = {str(roster.stream): roster for roster in read.rosters}
    assert list(rosters) == asked
    assert rosters[conversation["id"]].members == {
        mentee.account_id: mentee.membership_id,
        mentor.account_id: mentor.membership_id,
    }
    assert rosters[str(mentee.account_id)].members == {mentee.account_id: None}
    assert rosters[str(mentee.membership_id)].members == {mentee.account_id: None}
    assert (rosters[str(nowhere)].version, rosters[str(nowhere)].members) == (0, {})


async def test_a_block_shows_in_rosters_and_raises_their_version(
    world: World, internal: FastAPI, key: Ed25519PrivateKey
) -> None:
    _, (lead, mentee, third), circle = await talk.circle(world, "Lead", "Mentee", "Third")
    (conversation,) = (await lead.ok("GET", f"/v1/conversations?pairing_id={circle['id']}"))["items"]
    (before,) = (await standing(internal, key, streams=[conversation["id"]])).rosters
    assert before.apart == ()
    await mentee.ok("POST", "/v1/blocks", {"membership_id": str(lead.membership_id)})
    (after,) = (await standing(internal, key, streams=[conversation["id"]])).rosters
    assert after.version > before.version
    assert [set(pair) for pair in after.apart] == [{mentee.account_id, lead.account_id}]
    assert after.members.keys() == {lead.account_id, mentee.account_id, third.account_id}


async def test_ended_sessions_are_named(world: World, internal: FastAPI, key: Ed25519PrivateKey) -> None:
    staying, leaving = await world.person(), await world.person()
    assert (await leaving.call("DELETE", "/v1/sessions/current")).status_code == 204
    unknown = uuid4()
    asked = [str(staying.session_id), str(leaving.session_id), str(unknown)]
    read = await standing(internal, key, sessions=asked)
    assert set(read.ended_sessions) == {leaving.session_id, unknown}


async def test_whoever_is_hidden_is_named_while_signed_in(
    world: World, internal: FastAPI, key: Ed25519PrivateKey
) -> None:
    hidden, shown, leaving = await world.person(), await world.person(), await world.person()
    for person, choices in ((hidden, (False, True, False)), (shown, (False, True)), (leaving, (False,))):
        for choice in choices:
            await person.ok("PATCH", "/v1/me", {"show_presence": choice})
    assert (await leaving.call("DELETE", "/v1/sessions/current")).status_code == 204
    asked = [str(person.session_id) for person in (hidden, shown, leaving)]
    assert (await standing(internal, key, sessions=asked)).hidden_accounts == {hidden.account_id: 3}
    assert (await standing(internal, key)).hidden_accounts == {}


async def test_a_question_that_is_too_long_is_refused(internal: FastAPI, key: Ed25519PrivateKey) -> None:
    token = issue_node_token(NAME, key=key, now=time.time())
    answer = await knock(internal, token, streams=[str(uuid4()) for _ in range(501)])
    assert answer.status_code == 422
