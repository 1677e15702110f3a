"""POST /v1/sync and the events ticket: what was missed, for those who may hear it, and nothing else."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from app.core import clock, outbox, streams
from app.core.streams import Address, StreamKind
from signalling.contracts.tickets import read_events_ticket
from tests.app import talk
from tests.world import ALL_ROLES, Person, World

pytestmark = pytest.mark.database


async def sync(person: Person, cursors: list[dict[str, Any]] | None = None, **options: Any) -> Any:
    return await person.ok("POST", "/v1/sync", {"cursors": cursors or [], **options})


def cursor(stream: dict[str, Any], seq: int | None = None, epoch: str | None = None) -> dict[str, Any]:
    head = stream["head"] if seq is None else seq
    return {"stream": stream["stream"], "epoch": epoch or stream["epoch"], "seq": head}


def of(answer: Any, stream: object) -> Any:
    """One stream of an answer; None when it is not in it."""
    return next((row for row in answer["streams"] if row["stream"] == str(stream)), None)


async def conversing(world: World) -> tuple[Person, Person, Any]:
    """Two people and their conversation."""
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    (found,) = (await mentee.ok("GET", f"/v1/conversations?pairing_id={pairing['id']}"))["items"]
    return mentee, mentor, found


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements that run inside."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    engine = world.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_whoever_comes_first_is_told_where_everything_stands(world: World) -> None:
    mentee, mentor, conversation = await conversing(world)
    await talk.say(mentor, conversation)
    answer = await sync(mentee)
    kinds = {row["kind"] for row in answer["streams"]}
    assert kinds == {"account", "membership", "conversation"}
    assert all(row["reset"] and not row["events"] and not row["limited"] for row in answer["streams"])
    assert of(answer, conversation["id"])["head"] == 1
    assert {row["stream"] for row in answer["streams"]} == {
        str(mentee.account_id),
        str(mentee.membership_id),
        conversation["id"],
    }


async def test_what_was_missed_comes_in_order_and_then_nothing(world: World) -> None:
    mentee, mentor, conversation = await conversing(world)
    before = await sync(mentee)
    said = [await talk.say(mentor, conversation, f"Word {number}") for number in range(5)]
    here = of(await sync(mentee, [cursor(row) for row in before["streams"]]), conversation["id"])
    assert not here["reset"]
    assert not here["limited"]
    assert [row["seq"] for row in here["events"]] == [1, 2, 3, 4, 5]
    assert [row["data"] for row in here["events"]] == said, "an event carries what the answer to POST carried"
    assert here["head"] == 5
    now = await sync(mentee)
    assert (await sync(mentee, [cursor(row) for row in now["streams"]]))["streams"] == []


async def test_a_message_is_told_as_it_is_now(world: World) -> None:
    mentee, mentor, conversation = await conversing(world)
    start = cursor(of(await sync(mentee), conversation["id"]))
    kept, gone = await talk.say(mentor, conversation, "Helo"), await talk.say(mentor, conversation, "Secret")
    await mentor.ok("PATCH", f"/v1/messages/{kept['id']}", {"text": "Hello"})
    await mentor.ok("DELETE", f"/v1/messages/{gone['id']}")
    events = of(await sync(mentee, [start]), conversation["id"])["events"]
    assert [row["kind"] for row in events] == [
        "message.posted",
        "message.posted",
        "message.edited",
        "message.deleted",
    ]
    assert [row["data"]["text"] for row in events] == ["Hello", "", "Hello", ""]
    assert "Secret" not in str(events)


async def test_a_long_absence_comes_in_portions(world: World) -> None:
    mentee, mentor, conversation = await conversing(world)
    at = cursor(of(await sync(mentee), conversation["id"]))
    for number in range(7):
        await talk.say(mentor, conversation, str(number))
    seen: list[int] = []
    for _ in range(5):
        here = of(await sync(mentee, [at], limit=3), conversation["id"])
        if here is None:
            break
        seen += [row["seq"] for row in here["events"]]
        assert here["limited"] == (seen[-1] < 7)
        at = cursor(here, seq=seen[-1])
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_limit_0_asks_for_heads_alone(world: World) -> None:
    mentee, mentor, conversation = await conversing(world)
    at = cursor(of(await sync(mentee), conversation["id"]))
    await talk.say(mentor, conversation)
    here = of(await sync(mentee, [at], limit=0), conversation["id"])
    assert (here["head"], here["events"], here["limited"], here["reset"]) == (1, [], True, False)


@pytest.mark.parametrize("wrong", ["epoch", "ahead"])
async def test_a_cursor_that_makes_no_sense_is_reset(world: World, wrong: str) -> None:
    mentee, mentor, conversation = await conversing(world)
    await talk.say(mentor, conversation)
    head = of(await sync(mentee), conversation["id"])
    at = cursor(head, epoch="another") if wrong == "epoch" else cursor(head, seq=2)
    here = of(await sync(mentee, [at]), conversation["id"])
    assert (here["reset"], here["events"], here["head"]) == (True, [], 1)


async def test_what_retention_forgot_is_a_reset_and_what_it_kept_is_not(world: World) -> None:
    mentee, mentor, conversation = await conversing(world)
    for number in range(4):
        await talk.say(mentor, conversation, str(number))
    await world.run(
        "UPDATE stream_event SET created_at = created_at - interval '20 days' "
        "WHERE stream_id = :id AND seq <= 2",
        id=conversation["id"],
    )
    async with world.database.transaction() as db:
        await outbox.clear_away(db, clock.now() - timedelta(days=14))
    rows = await world.run("SELECT seq FROM stream_event WHERE stream_id = :id", id=conversation["id"])
    assert sorted(row.seq for row in rows) == [3, 4]
    head = of(await sync(mentee), conversation["id"])
    below = of(await sync(mentee, [cursor(head, 1)]), conversation["id"])
    assert below["reset"]
    kept = of(await sync(mentee, [cursor(head, 2)]), conversation["id"])
    assert not kept["reset"]
    assert [row["seq"] for row in kept["events"]] == [3, 4]


async def test_streams_of_others_are_gone_whoever_names_them(world: World) -> None:
    mentee, mentor, conversation = await conversing(world)
    await talk.say(mentor, conversation)
    stranger = await world.person("Stranger")
    head = of(await sync(mentee), conversation["id"])
    named = [
        cursor(head, 0),
        {"stream": str(mentee.account_id), "epoch": "x", "seq": 0},
        {"stream": str(mentor.membership_id), "epoch": "x", "seq": 0},
        {"stream": str(UUID(int=7)), "epoch": "x", "seq": 0},
    ]
    answer = await sync(stranger, named)
    assert {row["stream"] for row in answer["streams"]} == {str(stranger.account_id)}
    assert set(answer["gone"]) == {row["stream"] for row in named}


async def test_a_block_hides_the_pair_and_the_voice_in_a_circle(world: World) -> None:
    _, (lead, mentee, third), circle = await talk.circle(world, "Lead", "Mentee", "Third")
    (conversation,) = (await lead.ok("GET", f"/v1/conversations?pairing_id={circle['id']}"))["items"]
    start = cursor(of(await sync(mentee), conversation["id"]))
    await talk.say(lead, conversation, "From the lead")
    await talk.say(third, conversation, "From the third")
    await mentee.ok("POST", "/v1/blocks", {"membership_id": str(lead.membership_id)})
    told = {
        person.name: [
            (row["kind"], row["data"].get("text"))
            for row in of(await sync(person, [start]), conversation["id"])["events"]
        ]
        for person in (mentee, lead, third)
    }
    theirs, own = ("message.posted", "From the lead"), ("message.posted", "From the third")
    assert told["Mentee"] == [("hidden", None), own]
    assert told["Third"] == told["Lead"] == [theirs, own]


async def test_hundreds_of_streams_cost_as_many_statements_as_one(world: World) -> None:
    north = await world.organisation()
    lead = await world.member(north, "Lead", roles=ALL_ROLES)
    other = await world.member(north, "Other")
    await world.circle(lead, [lead], [other])
    with counted(world) as one:
        await sync(lead)
    for _ in range(60):
        await world.circle(lead, [lead], [other])
    everything = await sync(lead)
    assert len(everything["streams"]) == 63
    with counted(world) as many:
        await sync(lead, [cursor(row, 0) for row in everything["streams"]])
    assert len(many) <= len(one) + 4, many


async def test_a_thousand_cursors_are_answered_and_one_more_is_refused(world: World) -> None:
    person = await world.person()
    named = [{"stream": str(UUID(int=number)), "epoch": "x", "seq": 1} for number in range(1, 1001)]
    assert len((await sync(person, named))["gone"]) == 1000
    more = await person.post("/v1/sync", {"cursors": [*named, {**named[0], "stream": str(UUID(int=5000))}]})
    assert more.status_code == 422
    assert more.json()["errors"][0]["pointer"] == "/cursors"


async def test_one_answer_has_a_budget_over_all_streams(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.service.MOST_AT_ONCE", 5)
    north = await world.organisation()
    lead = await world.member(north, "Lead", roles=ALL_ROLES)
    other = await world.member(north, "Other")
    for _ in range(2):
        await world.circle(lead, [lead], [other])
    conversations = (await lead.ok("GET", "/v1/conversations"))["items"]
    at = {row["id"]: cursor(of(await sync(other), row["id"])) for row in conversations}
    for conversation in conversations:
        for number in range(4):
            await talk.say(lead, conversation, str(number))
    seen: dict[str, list[int]] = {identity: [] for identity in at}
    for _ in range(4):
        answer = await sync(other, list(at.values()))
        assert sum(len(row["events"]) for row in answer["streams"]) <= 5
        for row in answer["streams"]:
            if row["stream"] in at:
                assert not row["reset"]
                seen[row["stream"]] += [told["seq"] for told in row["events"]]
                at[row["stream"]] = cursor(row, seen[row["stream"]][-1] if seen[row["stream"]] else 0)
    assert all(numbers == [1, 2, 3, 4] for numbers in seen.values())


async def test_renewed_epochs_reset_every_cursor(world: World) -> None:
    mentee, mentor, conversation = await conversing(world)
    await talk.say(mentor, conversation)
    before = await sync(mentee)
    settings_url = str(world.database.engine.url.render_as_string(hide_password=False))
    assert await streams.renew_epochs(settings_url) >= len(before["streams"])
    after = await sync(mentee, [cursor(row) for row in before["streams"]])
    assert {row["stream"] for row in after["streams"] if row["reset"]} == {
        row["stream"] for row in before["streams"]
    }


async def test_an_events_ticket_is_for_this_account_and_sign_in(world: World) -> None:
    await world.node("wss://live.example.org")
    person = await world.person()
    issued = await person.ok("POST", "/v1/events/ticket")
    assert issued["socket_url"] == "wss://live.example.org/events"
    door = world.door
    ticket = read_events_ticket(
        issued["ticket"], keys=door.keys.public, issuer=door.settings.issuer, now=time.time()
    )
    assert (ticket.account_id, ticket.session_id) == (person.account_id, person.session_id)
    assert (ticket.shown, ticket.shown_version) == (True, 0)
    await person.ok("PATCH", "/v1/me", {"show_presence": False})
    issued = await person.ok("POST", "/v1/events/ticket")
    ticket = read_events_ticket(
        issued["ticket"], keys=door.keys.public, issuer=door.settings.issuer, now=time.time()
    )
    assert (ticket.shown, ticket.shown_version) == (False, 1)
    ((payload,),) = await world.run("SELECT payload FROM node_command")
    assert (payload["kind"], payload["account_id"]) == ("show_presence", str(person.account_id))
    assert (payload["shown"], payload["version"]) == (False, 1), "sockets that are open learn it too"


async def test_of_two_choices_at_once_the_one_that_stays_is_the_newest(world: World) -> None:
    await world.node("wss://live.example.org")
    person = await world.person()
    choices = (False, True) * 10
    await asyncio.gather(*(person.ok("PATCH", "/v1/me", {"show_presence": choice}) for choice in choices))
    ((shown, version),) = await world.run(
        f"SELECT show_presence, show_presence_version FROM account WHERE id = '{person.account_id}'"
    )
    told = [payload for (payload,) in await world.run("SELECT payload FROM node_command")]
    assert sorted(payload["version"] for payload in told) == list(range(1, version + 1))
    assert [payload["shown"] for payload in told if payload["version"] == version] == [shown]


async def test_without_a_node_there_is_no_ticket(world: World) -> None:
    person = await world.person()
    answer = await person.post("/v1/events/ticket")
    assert (answer.status_code, answer.json()["code"]) == (503, "no_events_server")


async def test_a_stream_that_nothing_was_said_in_has_a_head(world: World) -> None:
    person = await world.person()
    (only,) = (await sync(person))["streams"]
    assert (only["kind"], only["head"], only["reset"]) == ("account", 0, True)
    async with world.database.transaction() as db:
        streams.announce(db, Address(StreamKind.ACCOUNT, person.account_id), "account.changed")
    (row,) = (await sync(person, [cursor(only)]))["streams"]
    assert [(told["seq"], told["kind"], told["data"]) for told in row["events"]] == [
        (1, "account.changed", {})
    ]
