"""Conversations: who has one, what is said in it, and what each of its people sees."""

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from app import demo
from app.core import clock
from tests.app.problems import problem
from tests.app.talk import (
    circle,
    conversation_at,
    conversation_of,
    events,
    message,
    messages,
    pair,
    say,
    seen,
    told,
)
from tests.world import Person, World, meeting

pytestmark = pytest.mark.database


# Conversations


async def test_a_mentorship_talks_from_its_acceptance_on(world: World) -> None:
    mentee, mentor = await world.two()
    asked = await world.ask(mentee, mentor)
    assert (await mentee.ok("GET", "/v1/conversations"))["items"] == []
    await mentor.ok("POST", f"/v1/pairings/{asked['id']}/accept")
    talk = await conversation_of(mentee, asked)
    assert (talk["kind"], talk["pairing_id"], talk["meeting_id"]) == ("pairing", asked["id"], None)
    assert (talk["title"], talk["head"], talk["last_message"]) == (None, 0, None)
    assert (talk["read_up_to"], talk["unread"], talk["unread_mentions"]) == (0, 0, 0)
    assert talk["may"] == ["write"]
    people = {row["name"]: (row["is_me"], row["left"], row["id"]) for row in talk["people"]}
    assert people == {
        "Priya Raman": (True, False, str(mentee.membership_id)),
        "Amara Okafor": (False, False, str(mentor.membership_id)),
    }
    for person in (mentee, mentor):
        assert await told(world, person) == Counter({("conversation.changed", talk["id"]): 1})


async def test_a_meeting_talks_from_its_booking_on(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    path = f"/v1/pairings/{pairing['id']}/meetings"
    proposed = await mentee.ok("POST", path, {**meeting(), "title": "First meeting"})
    assert (await mentee.ok("GET", f"/v1/conversations?meeting_id={proposed['id']}"))["items"] == []
    await mentor.ok("POST", f"/v1/meetings/{proposed['id']}/accept")
    talk = await conversation_at(mentor, proposed)
    assert (talk["kind"], talk["meeting_id"], talk["title"]) == ("meeting", proposed["id"], "First meeting")
    own = await conversation_of(mentor, pairing)
    assert own["id"] != talk["id"], "a mentorship's own conversation is not that of its meetings"
    listed = (await mentor.ok("GET", "/v1/conversations"))["items"]
    assert [row["id"] for row in listed] == [talk["id"], own["id"]]
    both = f"/v1/conversations?meeting_id={proposed['id']}&pairing_id="
    assert len((await mentor.ok("GET", both + pairing["id"]))["items"]) == 1
    assert (await mentor.ok("GET", both + str(uuid4())))["items"] == []
    assert (await told(world, mentee))["conversation.changed", talk["id"]] == 1


async def test_a_circle_talks_from_its_creation_on_and_its_coordinator_is_not_in_it(world: World) -> None:
    coordinator, (lead, ann, _), made = await circle(world, "Lead", "Ann", "Bob")
    talk = await conversation_of(ann, made)
    assert talk["title"] == "Practice circle"
    assert {row["name"] for row in talk["people"]} == {"Lead", "Ann", "Bob"}
    assert (await coordinator.ok("GET", "/v1/conversations"))["items"] == []
    for method, path, body in (
        ("GET", f"/v1/conversations/{talk['id']}", None),
        ("GET", messages(talk), None),
        ("POST", messages(talk), message()),
        ("POST", f"/v1/conversations/{talk['id']}/read", {"seq": 1}),
    ):
        unknown = await coordinator.call(method, path.replace(talk["id"], str(uuid4())), body)
        hidden = await coordinator.call(method, path, body)
        assert (hidden.status_code, hidden.content) == (404, unknown.content)
    assert await told(world, coordinator) == Counter()
    booked = await lead.ok("POST", f"/v1/pairings/{made['id']}/meetings", meeting())
    assert (await conversation_at(ann, booked))["may"] == ["write"]


async def test_conversations_come_in_pages(world: World) -> None:
    mentee, mentor = await world.two()
    made = [await conversation_of(mentee, await world.pair(mentee, mentor, kind="peers"))]
    pairing = await world.pair(mentee, mentor)
    made.append(await conversation_of(mentee, pairing))
    for day in (1, 2, 3):
        met = await world.meet(mentee, mentor, pairing["id"], clock.now() + timedelta(days=day))
        made.append(await conversation_at(mentee, met))
    ids: list[str] = []
    cursor = ""
    while True:
        page = await mentor.ok("GET", f"/v1/conversations?limit=2{cursor}")
        ids += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert ids == [row["id"] for row in reversed(made)]


# Messages


async def test_what_is_said_is_there_for_both_in_order(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    sent = [await say(who, talk, text) for who, text in ((mentee, "One"), (mentor, " Two\n"), (mentee, "3"))]
    assert [(row["text"], row["seq"]) for row in sent] == [("One", 1), ("Two", 2), ("3", 3)]
    assert [row["author_id"] for row in sent] == [str(who.membership_id) for who in (mentee, mentor, mentee)]
    for person in (mentee, mentor):
        history = await person.ok("GET", messages(talk))
        assert history == {"items": sent, "more_before": False, "more_after": False}
        assert (await seen(person, talk))["last_message"] == sent[-1]
    assert await events(world, talk["id"]) == [
        (number, "message.posted", row["id"]) for number, row in enumerate(sent, start=1)
    ]
    authors = await world.run(
        "SELECT by_account_id FROM stream_event WHERE kind LIKE 'message.%' ORDER BY seq"
    )
    assert [row[0] for row in authors] == [who.account_id for who in (mentee, mentor, mentee)]


async def test_the_same_client_id_is_the_same_message(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    body = message("Once")
    first = await mentee.ok("POST", messages(talk), body)
    assert (await mentee.post(messages(talk), body)).json() == first
    other = problem(await mentee.post(messages(talk), {**body, "text": "Twice"}), 422)
    assert (other["code"], other["errors"][0]["pointer"]) == ("client_id_reused", "/client_id")
    theirs = await mentor.ok("POST", messages(talk), {**body, "text": "Mine"})
    assert theirs["seq"] == 2, "ids of different people have nothing to do with each other"
    peers = await conversation_of(mentee, await world.pair(mentee, mentor, kind="peers"))
    elsewhere = problem(await mentee.post(messages(peers), body), 422)
    assert elsewhere["code"] == "client_id_reused"
    assert await events(world, peers["id"]) == []
    assert len(await events(world, talk["id"])) == 2


async def test_only_the_client_id_is_blamed_for_itself(world: World) -> None:
    mentee, _, talk = await pair(world)
    await world.run("ALTER TABLE message ADD CONSTRAINT quiet CHECK (text <> 'LOUD')")
    assert problem(await mentee.post(messages(talk), message("LOUD")), 500)["code"] == "internal_error"


async def test_a_repetition_is_answered_also_when_nothing_can_be_said_any_more(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    talk = await conversation_of(mentee, pairing)
    body = message("Before it ended")
    first = await mentee.ok("POST", messages(talk), body)
    edited = await mentee.ok("PATCH", f"/v1/messages/{first['id']}", {"text": "Reworded"})
    assert await mentee.ok("POST", messages(talk), body) == edited, "sent again by a device that knows less"
    await mentor.ok("POST", f"/v1/pairings/{pairing['id']}/end")
    assert await mentee.ok("POST", messages(talk), body) == edited
    await mentee.ok("DELETE", f"/v1/messages/{first['id']}")
    again = await mentee.ok("POST", messages(talk), body)
    assert (again["id"], again["deleted"], again["text"]) == (first["id"], True, "")


async def test_history_goes_both_ways(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    sent = [await say((mentee, mentor)[number % 2], talk, str(number)) for number in range(1, 8)]
    await mentor.ok("DELETE", f"/v1/messages/{sent[6]['id']}")
    cases = {
        "?limit=3": (["5", "6", ""], True, False),
        "?limit=7": (["1", "2", "3", "4", "5", "6", ""], False, False),
        "?limit=2&before=5": (["3", "4"], True, True),
        "?limit=2&before=3": (["1", "2"], False, True),
        "?before=1": ([], False, True),
        "?before=99": (["1", "2", "3", "4", "5", "6", ""], False, False),
        "?limit=2&after=0": (["1", "2"], False, True),
        "?limit=2&after=3": (["4", "5"], True, True),
        "?limit=2&after=5": (["6", ""], True, False),
        "?after=7": ([], True, False),
        "?after=9007199254740991": ([], True, False),
    }
    for query, (expected, before, after) in cases.items():
        found = await mentor.ok("GET", messages(talk) + query)
        assert [row["text"] for row in found["items"]] == expected, query
        assert (found["more_before"], found["more_after"]) == (before, after), query
    assert problem(await mentor.get(messages(talk) + "?before=3&after=1"), 422)["code"] == "before_or_after"


async def test_words_are_changed_by_their_author(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    sent = await say(mentee, talk, "Frist", mentions=[str(mentor.membership_id)])
    path = f"/v1/messages/{sent['id']}"
    edited = await mentee.ok("PATCH", path, {"text": "First"})
    assert {**edited, "edited_at": None} == {**sent, "text": "First"}
    assert edited["edited_at"] > sent["posted_at"]
    assert (await mentor.ok("GET", messages(talk)))["items"] == [edited]
    same = await mentee.ok("PATCH", path, {"text": "First", "mentions": [str(mentor.membership_id)]})
    assert same == edited, "nothing changed, and nobody is told"
    assert (await mentee.ok("PATCH", path, {"text": "First", "mentions": []}))["mentions"] == []
    refused = problem(await mentor.call("PATCH", path, {"text": "Mine"}), 403)
    assert refused["code"] == "not_your_message"
    kinds = [kind for _, kind, _ in await events(world, talk["id"])]
    assert kinds == ["message.posted", "message.edited", "message.edited"]
    audited = await world.run("SELECT subject_id FROM audit_entry WHERE action LIKE 'message.%'")
    assert [str(row[0]) for row in audited] == [sent["id"]] * 2


async def test_what_was_taken_back_leaves_a_tombstone(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    sent = await say(mentee, talk, "Regret", mentions=[str(mentor.membership_id)])
    path = f"/v1/messages/{sent['id']}"
    assert (await seen(mentor, talk))["unread"] == 1
    problem(await mentor.call("DELETE", path), 403)
    for _ in range(2):
        assert (await mentee.call("DELETE", path)).status_code == 204
    (stone,) = (await mentor.ok("GET", messages(talk)))["items"]
    assert stone == {**sent, "text": "", "mentions": [], "deleted": True}
    after = await seen(mentor, talk)
    assert (after["unread"], after["unread_mentions"], after["last_message"]) == (0, 0, stone)
    assert problem(await mentee.call("PATCH", path, {"text": "New"}), 409)["code"] == "message_deleted"
    kinds = [kind for _, kind, _ in await events(world, talk["id"])]
    assert kinds == ["message.posted", "message.deleted"]
    assert await world.run("SELECT id FROM message WHERE text LIKE '%Regret%'") == []
    audited = await world.run("SELECT action FROM audit_entry WHERE subject_id = :id", id=sent["id"])
    assert [row[0] for row in audited] == ["message.deleted"], "posts are not written down twice"


# Reading


async def test_unread_counts_what_others_said_since(world: World) -> None:
    mentee, mentor, talk = await pair(world)
    me = [str(mentor.membership_id)]
    for text, mentions in (("1", []), ("2", me), ("3", me)):
        await say(mentee, talk, text, mentions=mentions)
    await say(mentor, talk, "4", mentions=me)
    read = f"/v1/conversations/{talk['id']}/read"

    async def counts(person: Person) -> tuple[int, int, int]:
        row = await seen(person, talk)
        return row["read_up_to"], row["unread"], row["unread_mentions"]

    assert await counts(mentor) == (0, 3, 2)
    assert await counts(mentee) == (0, 1, 0)
    marked = await mentor.ok("POST", read, {"seq": 2})
    assert marked == {"read_up_to": 2, "unread": 1, "unread_mentions": 1}
    assert await counts(mentor) == (2, 1, 1)
    for seq, stands_at in ((1, 2), (0, 2), (2, 2), (3, 3), (2**53 - 1, 4)):
        assert (await mentor.ok("POST", read, {"seq": seq}))["read_up_to"] == stands_at
    assert await counts(mentor) == (4, 0, 0)
    assert await counts(mentee) == (0, 1, 0), "each has a mark of their own"
    told_mentor = await told(world, mentor)
    assert told_mentor["conversation.read", talk["id"]] == 3, "only when the mark moved"
    assert (await told(world, mentee))["conversation.read", talk["id"]] == 0
    assert len(await events(world, talk["id"])) == 4, "the others are not told how far one has read"


async def test_mentions_name_people_who_are_there(world: World) -> None:
    _, (lead, ann, bob, cat), made = await circle(world, "Lead", "Ann", "Bob", "Cat")
    talk = await conversation_of(ann, made)
    outsider = await world.member(await world.organisation("Elsewhere"), "Outsider")
    ids = {person.name: str(person.membership_id) for person in (lead, ann, bob, cat, outsider)}
    sent = await say(ann, talk, mentions=[ids["Bob"], ids["Lead"], ids["Bob"], ids["Ann"]])
    assert sent["mentions"] == [ids["Bob"], ids["Lead"], ids["Ann"]], "each once"
    for person, named in ((lead, 1), (bob, 1), (cat, 0), (ann, 0)):
        assert (await seen(person, talk))["unread_mentions"] == named
    await cat.ok("POST", f"/v1/pairings/{made['id']}/leave")
    await bob.ok("POST", "/v1/blocks", {"membership_id": ids["Ann"]})
    for strange in (ids["Outsider"], ids["Cat"], ids["Bob"], str(uuid4()), str(ann.account_id)):
        body = message(mentions=[ids["Lead"], strange])
        refused = problem(await ann.post(messages(talk), body), 422)
        assert (refused["code"], [error["pointer"] for error in refused["errors"]]) == (
            "unknown_person",
            ["/mentions/1"],
        )
        edit = {"text": "New", "mentions": [strange]}
        again = problem(await ann.call("PATCH", f"/v1/messages/{sent['id']}", edit), 422)
        assert again["errors"][0]["pointer"] == "/mentions/0"
    kept = await ann.ok("PATCH", f"/v1/messages/{sent['id']}", {"text": "New"})
    assert kept["mentions"] == sent["mentions"], "what was said of someone stays when they go"


async def test_the_demo_world_talks(world: World, database_url: str) -> None:
    await demo.seed(database_url)
    person = demo.DEMO_SIGN_INS[0]
    body = {"email": person.email, "password": person.password, "refresh": "body"}
    token = (await world.client.post("/v1/sessions", json=body)).json()["access_token"]
    answer = await world.client.get("/v1/conversations", headers={"Authorization": f"Bearer {token}"})
    talks = {row["kind"]: row for row in answer.json()["items"] if row["last_message"]}
    assert set(talks) == {"pairing", "meeting"}
    assert any(row["unread"] for row in talks.values())
