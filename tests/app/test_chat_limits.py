"""How much can be said, what it costs, and what events tell of it."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core import clock, outbox
from app.core.streams import StreamEvent
from tests.app.cost import Statements
from tests.app.problems import problem
from tests.app.talk import (
    conversation_at,
    conversation_of,
    events,
    message,
    messages,
    pair,
    say,
    texts,
)
from tests.world import World

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    "text", ["", "   \n ", "\u0000", "a\u0007b", "\u2028", "x" * 8001, None, 5, ["x"], "\ud800"]
)
async def test_text_that_is_none(world: World, text: Any) -> None:
    mentee, _, talk = await pair(world)
    sent = await say(mentee, talk)
    headers = {"Content-Type": "application/json"}
    for method, path, body in (
        ("POST", messages(talk), {**message(), "text": text}),
        ("PATCH", f"/v1/messages/{sent['id']}", {"text": text}),
    ):
        answer = await mentee.call(method, path, headers=headers, content=json.dumps(body))
        refused = problem(answer, 422)
        assert {error["pointer"] for error in refused["errors"]} == {"/text"}
    assert len(await events(world, talk["id"])) == 1


async def test_long_text_in_any_script_is_said_as_it_was_written(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    for text in (
        "x" * 8000,
        "Tēnā koe 👩🏽‍⚕️\n\tनमस्ते \u200f\u202b\u05e9\u05dc\u05d5\u05dd",
        "<b>'; DROP TABLE message; --</b>",
    ):
        assert (await say(mentee, talk, text))["text"] == text
        assert (await texts(mentor, talk))[-1] == text


async def test_one_person_says_only_so_much_in_a_minute(world: World) -> None:
    world.door.settings.messages_per_minute = 3
    mentee, mentor, talk = await pair(world)
    body = message()
    for _ in range(2):
        sent = await mentee.ok("POST", messages(talk), body)
    await mentee.ok("PATCH", f"/v1/messages/{sent['id']}", {"text": "New"})
    for refused in (
        await mentee.post(messages(talk), message()),
        await mentee.call("PATCH", f"/v1/messages/{sent['id']}", {"text": "Newer"}),
    ):
        assert problem(refused, 429)["code"] == "too_many_requests"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
    await say(mentor, talk)
    assert (await mentee.call("DELETE", f"/v1/messages/{sent['id']}")).status_code == 204
    assert len(await events(world, talk["id"])) == 4


# Cost


async def test_saying_something_costs_five_statements(world: World) -> None:
    mentee, _, talk = await pair(world)
    await say(mentee, talk)
    with Statements(world) as statements:
        await say(mentee, talk)
    assert statements.of_requests() == 5, statements.seen


async def test_reading_counts_what_is_left_once(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    said = await say(mentee, talk)
    for seq, unread in ((0, 1), (said["seq"], 0), (10**6, 0)):
        with Statements(world) as statements:
            reading = await mentor.ok("POST", f"/v1/conversations/{talk['id']}/read", {"seq": seq})
        assert reading["unread"] == unread
        assert len([one for one in statements.seen if "unread" in one]) == 1


async def test_a_list_costs_the_same_whatever_is_in_it(world: World) -> None:
    place = await world.organisation()
    mentor = await world.member(place, "Mentor", capacity=20)
    costs: list[list[int]] = []
    for number in range(3):
        mentee = await world.member(place, f"Mentee {number}")
        pairing = await world.pair(mentee, mentor)
        met = await world.meet(mentee, mentor, pairing["id"], clock.now() + timedelta(days=number + 1))
        for talk in (await conversation_of(mentee, pairing), await conversation_at(mentee, met)):
            for _ in range(number + 1):
                await say(mentee, talk, mentions=[str(mentor.membership_id)])
        cost = []
        for path in ("/v1/conversations", f"/v1/conversations/{talk['id']}", messages(talk)):
            with Statements(world) as statements:
                found = await mentor.ok("GET", path)
            cost.append(statements.of_requests())
        assert len((await mentor.ok("GET", "/v1/conversations"))["items"]) == 2 * (number + 1)
        assert len(found["items"]) == number + 1
        costs.append(cost)
    assert costs[0] == costs[1] == costs[2]
    assert max(costs[0]) <= 6


# What events tell


async def contents(world: World, talk: Any) -> list[tuple[str, Any]]:
    """What the events of a conversation say at this moment."""
    async with world.database.transaction() as db:
        found = select(StreamEvent).where(StreamEvent.stream_id == UUID(talk["id"])).order_by(StreamEvent.seq)
        return await outbox.contents(db, list(await db.scalars(found)))


async def test_events_tell_messages_as_they_are_now(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    kept, changed, gone = [await say(mentee, talk, text) for text in ("Kept", "Changed", "Gone")]
    changed = await mentee.ok("PATCH", f"/v1/messages/{changed['id']}", {"text": "Reworded"})
    await mentee.ok("DELETE", f"/v1/messages/{gone['id']}")
    stone = (await mentor.ok("GET", messages(talk)))["items"][-1]
    assert await contents(world, talk) == [
        ("message.posted", kept),
        ("message.posted", changed),
        ("message.posted", stone),
        ("message.edited", changed),
        ("message.deleted", stone),
    ]
    await world.run("DELETE FROM message WHERE id = :id", id=gone["id"])
    assert (await contents(world, talk))[2::2] == [(outbox.HIDDEN, {})] * 2, "erased: a number is left"


async def test_what_many_events_tell_is_read_at_once(world: World) -> None:
    mentee, _, talk = await pair(world)
    costs = []
    for _ in range(2):
        for _ in range(3):
            await say(mentee, talk)
        with Statements(world) as statements:
            await contents(world, talk)
        costs.append(statements.of_requests())
    assert costs == [2, 2], "the events, and all their messages"
