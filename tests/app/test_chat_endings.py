"""What becomes of a conversation when something ends: read and not written in, or gone."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.core import clock
from tests.app.problems import problem
from tests.app.talk import (
    circle,
    conversation_at,
    conversation_of,
    events,
    message,
    messages,
    say,
    seen,
    texts,
    told,
)
from tests.world import ALL_ROLES, World, meeting

pytestmark = pytest.mark.database


async def test_an_ended_mentorship_is_read_and_not_written_in(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    met = await world.meet(mentee, mentor, pairing["id"])
    talks = [await conversation_of(mentee, pairing), await conversation_at(mentee, met)]
    sent = [await say(mentee, talk, "Before") for talk in talks]
    await mentor.ok("POST", f"/v1/pairings/{pairing['id']}/end")
    for talk, said in zip(talks, sent, strict=True):
        assert (await seen(mentor, talk))["may"] == []
        assert await texts(mentor, talk) == ["Before"]
        for answer in (
            await mentor.post(messages(talk), message()),
            await mentee.call("PATCH", f"/v1/messages/{said['id']}", {"text": "After"}),
        ):
            assert problem(answer, 409)["code"] == "pairing_ended"
        marked = await mentor.ok("POST", f"/v1/conversations/{talk['id']}/read", {"seq": 1})
        assert marked["unread"] == 0
        assert (await mentee.call("DELETE", f"/v1/messages/{said['id']}")).status_code == 204
        assert await texts(mentor, talk) == [""]
        assert [kind for _, kind, _ in await events(world, talk["id"])] == [
            "message.posted",
            "message.deleted",
        ]
        assert (await told(world, mentee))["conversation.changed", talk["id"]] == 2


async def test_a_cancelled_meeting_is_read_and_not_written_in(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    met = await world.meet(mentee, mentor, pairing["id"], clock.now() + timedelta(days=2))
    talk = await conversation_at(mentee, met)
    sent = await say(mentee, talk, "Bring the file")
    await mentor.ok("POST", f"/v1/meetings/{met['id']}/cancel")
    assert (await seen(mentee, talk))["may"] == []
    assert await texts(mentor, talk) == ["Bring the file"]
    for answer in (
        await mentor.post(messages(talk), message()),
        await mentee.call("PATCH", f"/v1/messages/{sent['id']}", {"text": "After"}),
    ):
        assert problem(answer, 409)["code"] == "meeting_cancelled"
    assert (await mentee.call("DELETE", f"/v1/messages/{sent['id']}")).status_code == 204
    assert (await conversation_of(mentee, pairing))["may"] == ["write"]
    assert (await told(world, mentor))["conversation.changed", talk["id"]] == 2


@pytest.mark.parametrize("blocker", ["mentee", "mentor"])
@pytest.mark.parametrize("ended", [False, True], ids=["active", "ended"])
async def test_a_block_closes_what_two_people_said_to_both(world: World, blocker: str, ended: bool) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    met = await world.meet(mentee, mentor, pairing["id"])
    talks = [await conversation_of(mentee, pairing), await conversation_at(mentee, met)]
    sent = {person.name: [await say(person, talk) for talk in talks] for person in (mentee, mentor)}
    if ended:
        await mentor.ok("POST", f"/v1/pairings/{pairing['id']}/end")
    who, whom = (mentee, mentor) if blocker == "mentee" else (mentor, mentee)
    block = await who.ok("POST", "/v1/blocks", {"membership_id": str(whom.membership_id)})
    for person in (who, whom):
        assert (await person.ok("GET", "/v1/conversations"))["items"] == []
        for talk, said in zip(talks, sent[person.name], strict=True):
            for method, path, body in (
                ("GET", f"/v1/conversations/{talk['id']}", None),
                ("GET", messages(talk), None),
                ("POST", messages(talk), message()),
                ("POST", f"/v1/conversations/{talk['id']}/read", {"seq": 1}),
                ("PATCH", f"/v1/messages/{said['id']}", {"text": "Now"}),
                ("DELETE", f"/v1/messages/{said['id']}", None),
            ):
                problem(await person.call(method, path, body), 404)
            told_of = (await told(world, person))["conversation.changed", talk["id"]]
            assert told_of == (3 if ended else 2), "told once that it is gone"
    await who.ok("DELETE", f"/v1/blocks/{block['id']}")
    for person in (who, whom):
        assert await texts(person, talks[0]) == ["Hello there"] * 2, (
            "the mentorship stays ended, and readable"
        )
        problem(await person.post(messages(talks[0]), message()), 409)


async def test_in_a_circle_two_who_are_apart_do_not_read_each_other(world: World) -> None:
    _, (_, ann, bob, cat), made = await circle(world, "Lead", "Ann", "Bob", "Cat")
    talk = await conversation_of(ann, made)
    sent = {person.name: await say(person, talk, person.name) for person in (cat, ann, bob)}
    block = await ann.ok("POST", "/v1/blocks", {"membership_id": str(bob.membership_id)})
    await say(bob, talk, "Bob again", mentions=[str(cat.membership_id)])
    for person, read, unread in (
        (ann, ["Cat", "Ann"], 1),
        (bob, ["Cat", "Bob", "Bob again"], 1),
        (cat, ["Cat", "Ann", "Bob", "Bob again"], 3),
    ):
        assert await texts(person, talk) == read
        now = await seen(person, talk)
        assert (now["unread"], now["last_message"]["text"], now["head"]) == (unread, read[-1], 4)
        assert now["may"] == ["write"]
    assert "Bob" not in {row["name"] for row in (await seen(ann, talk))["people"]}
    for query, before, after in (("?after=2", True, False), ("?before=3", False, False)):
        page = await ann.ok("GET", messages(talk) + query)
        assert (page["more_before"], page["more_after"]) == (before, after), "counted without what is hidden"
    hidden = await ann.call("PATCH", f"/v1/messages/{sent['Bob']['id']}", {"text": "Mine"})
    assert problem(hidden, 404)["code"] == "not_found", "not even that it is someone else's"
    counts = [(await told(world, person))["conversation.changed", talk["id"]] for person in (ann, bob, cat)]
    assert counts == [2, 2, 1], "the others are not told of it"
    mutual = await bob.ok("POST", "/v1/blocks", {"membership_id": str(ann.membership_id)})
    await bob.ok("DELETE", f"/v1/blocks/{mutual['id']}")
    assert (await told(world, ann))["conversation.changed", talk["id"]] == 2, "they were apart already"
    await ann.ok("DELETE", f"/v1/blocks/{block['id']}")
    assert await texts(ann, talk) == ["Cat", "Ann", "Bob", "Bob again"]
    assert (await told(world, bob))["conversation.changed", talk["id"]] == 3


async def test_whoever_left_a_circle_is_out_and_their_words_stay(world: World) -> None:
    _, (lead, ann, bob), made = await circle(world, "Lead", "Ann", "Bob")
    booked = await lead.ok("POST", f"/v1/pairings/{made['id']}/meetings", meeting())
    talks = [await conversation_of(ann, made), await conversation_at(ann, booked)]
    sent = [await say(ann, talk, "Mine") for talk in talks]
    await ann.ok("POST", f"/v1/pairings/{made['id']}/leave")
    assert (await ann.ok("GET", "/v1/conversations"))["items"] == []
    for talk, said in zip(talks, sent, strict=True):
        for method, path, body in (
            ("GET", messages(talk), None),
            ("POST", messages(talk), message()),
            ("DELETE", f"/v1/messages/{said['id']}", None),
        ):
            problem(await ann.call(method, path, body), 404)
        left = {row["name"]: row["left"] for row in (await seen(bob, talk))["people"]}
        assert left == {"Lead": False, "Ann": True, "Bob": False}
        assert await texts(bob, talk) == ["Mine"]
        for person in (ann, bob):
            assert (await told(world, person))["conversation.changed", talk["id"]] == 2


async def test_a_person_of_two_memberships_is_one_reader(world: World) -> None:
    first, second = await world.organisation("First"), await world.organisation("Second")
    await world.partners(first, second)
    both = await world.member(second, "Both", capacity=1)
    in_second = both.membership_id
    await world.member(first, person=both)
    coordinator = await world.member(first, "Coordinator", roles=ALL_ROLES)
    ann = await world.member(first, "Ann")
    body = {
        "title": "Circle",
        "lead_ids": [str(ann.membership_id)],
        "mentee_ids": [str(both.membership_id), str(in_second)],
    }
    made = await coordinator.ok("POST", f"/v1/organisations/{first.id}/circles", body)
    talk = await conversation_of(both, made)
    assert [row["name"] for row in talk["people"] if row["is_me"]] == ["Both", "Both"]
    sent = await say(both, talk)
    assert sent["author_id"] == str(min(both.membership_id or uuid4(), in_second or uuid4()))
    assert (await seen(both, talk))["unread"] == 0
    for own in (both.membership_id, in_second):
        await say(ann, talk, mentions=[str(own)])
    assert (await seen(both, talk))["unread_mentions"] == 2
    await both.ok("POST", f"/v1/conversations/{talk['id']}/read", {"seq": 3})
    for own in (both.membership_id, in_second):
        assert ("conversation.read", talk["id"]) in {row[1:] for row in await events(world, own)}
