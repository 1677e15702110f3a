"""Blocks: two people are out of each other's sight everywhere, at once and both ways."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.blocks.models import Block
from app.core import clock
from app.core.nodes import NodeCommand
from app.organisations.models import Organisation
from app.scheduling import calls
from app.scheduling.models import Booking, Meeting
from signalling.contracts.bus_open import open_bus
from signalling.contracts.calls import Command, EndCall, ParticipantJoined
from tests.world import ALL_ROLES, NODE, Person, World, meeting

pytestmark = pytest.mark.database


@dataclass
class Pair:
    """A mentee and a mentor with a booked meeting that can be joined, and its call."""

    mentee: Person
    mentor: Person
    pairing: Any
    booked: Any
    ticket: Any


@pytest.fixture
async def pair(world: World) -> Pair:
    mentee, mentor = await world.two()
    await world.node()
    pairing = await world.pair(mentee, mentor)
    booked = await world.meet(mentee, mentor, pairing["id"])
    ticket = await mentee.ok("POST", f"/v1/meetings/{booked['id']}/ticket")
    return Pair(mentee, mentor, pairing, booked, ticket)


async def block(who: Person, whom: Person) -> Any:
    return await who.ok("POST", "/v1/blocks", {"membership_id": str(whom.membership_id)})


async def names_found(person: Person) -> set[str]:
    return {row["name"] for row in (await person.ok("GET", "/v1/people"))["items"]}


@pytest.mark.parametrize("blocker", ["mentee", "mentor"])
async def test_a_block_takes_two_people_out_of_each_others_sight(pair: Pair, blocker: str) -> None:
    before = [await names_found(person) for person in (pair.mentee, pair.mentor)]
    assert before == [{"Amara Okafor"}, {"Priya Raman"}], "the control: they could find each other"
    who, whom = (pair.mentee, pair.mentor) if blocker == "mentee" else (pair.mentor, pair.mentee)
    made = await block(who, whom)
    assert made["person"]["id"] == str(whom.membership_id)
    for person, other in ((who, whom), (whom, who)):
        assert await names_found(person) == set()
        unknown = await person.get(f"/v1/people/{uuid4()}")
        for path in (
            f"/v1/people/{other.membership_id}",
            f"/v1/pairings/{pair.pairing['id']}",
            f"/v1/pairings/{pair.pairing['id']}/meetings",
            f"/v1/meetings/{pair.booked['id']}",
            f"/v1/meetings/{pair.booked['id']}/attendance",
        ):
            hidden = await person.get(path)
            assert (hidden.status_code, hidden.content) == (404, unknown.content), path
        for path in ("/v1/pairings", "/v1/meetings"):
            assert (await person.ok("GET", path))["items"] == [], path
        ask = {"membership_id": str(person.membership_id), "counterpart_id": str(other.membership_id)}
        assert (await person.post("/v1/pairings", ask)).status_code == 404
        assert (await person.post(f"/v1/meetings/{pair.booked['id']}/ticket")).status_code == 404
        propose = f"/v1/pairings/{pair.pairing['id']}/meetings"
        assert (await person.post(propose, meeting())).status_code == 404


async def test_being_blocked_is_not_told(world: World, pair: Pair) -> None:
    await block(pair.mentee, pair.mentor)
    assert len((await pair.mentee.ok("GET", "/v1/blocks"))["items"]) == 1
    assert (await pair.mentor.ok("GET", "/v1/blocks"))["items"] == []
    assert not any("block" in mail["text"] + mail["subject"] for mail in await world.mails(pair.mentor.email))


async def test_what_two_people_had_together_ends(world: World, pair: Pair) -> None:
    later = clock.now() + timedelta(days=3)
    proposed = await pair.mentor.ok("POST", f"/v1/pairings/{pair.pairing['id']}/meetings", meeting(later))
    open_ask = await world.ask(pair.mentee, pair.mentor, kind="peers")
    await block(pair.mentor, pair.mentee)
    statuses = dict(tuple(row) for row in await world.run("SELECT id, status FROM pairing"))
    assert statuses == {UUID(pair.pairing["id"]): "ended", UUID(open_ask["id"]): "withdrawn"}
    meetings = {row.id: row.status for row in await world.rows(select(Meeting))}
    assert meetings == dict.fromkeys((UUID(pair.booked["id"]), UUID(proposed["id"])), "cancelled")
    assert await world.rows(select(Booking)) == [], "their time is their own again"


async def test_the_call_under_way_is_ended_within_a_second(app: FastAPI, world: World, pair: Pair) -> None:
    bus = open_bus(app.state.settings.valkey_url)
    heard: list[Command] = []

    async def listen() -> None:
        async for command in bus.commands(NODE):
            heard.append(command)

    listening = asyncio.create_task(listen())
    await block(pair.mentee, pair.mentor)
    async with asyncio.timeout(1):
        while not heard:
            await asyncio.sleep(0.01)
    listening.cancel()
    await bus.close()
    assert isinstance(heard[0], EndCall)
    assert str(heard[0].call_id) == pair.ticket["call_id"]
    rows = [row for row in await world.rows(select(NodeCommand)) if row.payload["kind"] == "end_call"]
    assert heard[0].id in {row.id for row in rows}, "kept until the node says that it is done"
    assert {row.node for row in rows} == {NODE}
    assert {row.payload["call_id"] for row in rows} == {pair.ticket["call_id"]}
    assert {row.done_at for row in rows} == {None}


async def test_taking_a_block_back_brings_nothing_back_but_sight(pair: Pair) -> None:
    made = await block(pair.mentee, pair.mentor)
    assert (await pair.mentor.call("DELETE", f"/v1/blocks/{made['id']}")).status_code == 404
    await pair.mentee.ok("DELETE", f"/v1/blocks/{made['id']}")
    assert (await pair.mentee.call("DELETE", f"/v1/blocks/{made['id']}")).status_code == 404
    assert await names_found(pair.mentee) == {"Amara Okafor"}
    assert (await pair.mentor.ok("GET", f"/v1/pairings/{pair.pairing['id']}"))["status"] == "ended"
    assert (await pair.mentor.ok("GET", f"/v1/meetings/{pair.booked['id']}"))["status"] == "cancelled"
    ticket = await pair.mentee.post(f"/v1/meetings/{pair.booked['id']}/ticket")
    assert ticket.status_code == 409


async def test_racing_steps_back_take_one_block_back(pair: Pair) -> None:
    made = await block(pair.mentee, pair.mentor)
    answers = await asyncio.gather(
        *(pair.mentee.call("DELETE", f"/v1/blocks/{made['id']}") for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]


async def test_two_blocks_need_two_steps_back(pair: Pair) -> None:
    mine, _ = await block(pair.mentee, pair.mentor), await block(pair.mentor, pair.mentee)
    await pair.mentee.ok("DELETE", f"/v1/blocks/{mine['id']}")
    assert await names_found(pair.mentee) == await names_found(pair.mentor) == set()


async def test_blocking_twice_changes_nothing_also_at_once_and_both_ways(world: World, pair: Pair) -> None:
    people = [(pair.mentee, pair.mentor), (pair.mentor, pair.mentee)] * 4
    answers = await asyncio.gather(
        *(who.post("/v1/blocks", {"membership_id": str(whom.membership_id)}) for who, whom in people)
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 2
    assert len(await world.rows(select(Block))) == 2


async def test_a_block_is_between_people_whichever_of_their_memberships_act(world: World) -> None:
    first, second = await world.organisation("First"), await world.organisation("Second")
    annoying = await world.member(first, "Annoying")
    in_first = annoying.membership_id
    await world.member(second, person=annoying)
    victim = await world.member(first, "Victim")
    await world.member(second, person=victim)
    assert len((await victim.ok("GET", "/v1/people"))["items"]) == 2
    await victim.ok("POST", "/v1/blocks", {"membership_id": str(in_first)})
    assert await names_found(victim) == await names_found(annoying) == set()
    again = await block(victim, annoying)
    assert again["person"]["id"] == str(in_first), "the same block, named as it was made"


async def test_whom_nobody_could_know_cannot_be_blocked(world: World, pair: Pair) -> None:
    stranger = await world.member(await world.organisation("Elsewhere"), "Stranger")
    unknown = await pair.mentee.post("/v1/blocks", {"membership_id": str(uuid4())})
    for membership_id in (stranger.membership_id, pair.mentee.membership_id):
        answer = await pair.mentee.post("/v1/blocks", {"membership_id": str(membership_id)})
        assert (answer.status_code, answer.content) == (404, unknown.content)


async def test_someone_who_left_sight_can_still_be_blocked(world: World, pair: Pair) -> None:
    await world.run("UPDATE partnership SET status = 'ended'")
    await world.run("UPDATE pairing SET status = 'ended'")
    assert (await pair.mentee.get(f"/v1/people/{pair.mentor.membership_id}")).status_code == 404
    await block(pair.mentee, pair.mentor)
    assert (await pair.mentor.ok("GET", "/v1/pairings"))["items"] == []


@pytest.mark.parametrize("blocker", ["blocks", "is blocked"])
async def test_whoever_is_blocked_can_be_reported_and_reports(world: World, pair: Pair, blocker: str) -> None:
    who, whom = (pair.mentee, pair.mentor) if blocker == "blocks" else (pair.mentor, pair.mentee)
    await block(who, whom)
    reporter, subject = pair.mentee, pair.mentor
    for about in (
        {"membership_id": str(subject.membership_id)},
        {"meeting_id": pair.booked["id"]},
        {"membership_id": str(subject.membership_id), "meeting_id": pair.booked["id"]},
    ):
        await reporter.ok("POST", "/v1/reports", {**about, "text": "It went wrong."})
    assert len((await reporter.ok("GET", "/v1/reports"))["items"]) == 3


async def joined(world: World, call_id: str, person: Person) -> None:
    fact = ParticipantJoined(
        node=NODE, call_id=UUID(call_id), epoch=1, participant_id=uuid4(),
        membership_id=person.membership_id or uuid4(), at=clock.now(),
    )  # fmt: skip
    async with world.database.transaction() as db:
        await calls.apply(db, fact)


async def circle_of_four(world: World) -> tuple[Organisation, list[Person], Any]:
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    people = [await world.member(place, name) for name in ("Lead", "Ann", "Bob", "Cat")]
    made = await world.circle(coordinator, people[:1], people[1:])
    return place, [coordinator, *people], made


async def test_in_a_circle_they_stay_but_do_not_see_each_other(world: World) -> None:
    _, (coordinator, lead, ann, bob, cat), circle = await circle_of_four(world)
    booked = await lead.ok("POST", f"/v1/pairings/{circle['id']}/meetings", meeting())
    await world.node()
    call_id = str(uuid4())
    await world.run(
        "INSERT INTO call (id, meeting_id, node, epoch, topology) "
        "VALUES (:id, :meeting, :node, 1, 'forwarded')",
        id=call_id, meeting=booked["id"], node=NODE,
    )  # fmt: skip
    for person in (ann, bob, cat):
        await joined(world, call_id, person)
    await block(ann, bob)
    everyone = {"Lead", "Ann", "Bob", "Cat"}
    for person, hidden in ((ann, "Bob"), (bob, "Ann"), (cat, ""), (lead, ""), (coordinator, "")):
        seen = await person.ok("GET", f"/v1/pairings/{circle['id']}")
        assert {part["person"]["name"] for part in seen["participants"]} == everyone - {hidden}
        if person is not coordinator:
            met = await person.ok("GET", f"/v1/meetings/{booked['id']}")
            assert {row["name"] for row in met["people"]} == everyone - {hidden}
            stays = await person.ok("GET", f"/v1/meetings/{booked['id']}/attendance")
            assert {row["name"] for row in stays["items"]} == everyone - {hidden, "Lead"}
    assert [row["status"] for row in (await ann.ok("GET", "/v1/pairings"))["items"]] == ["active"]


async def test_mail_does_not_name_someone_to_the_person_who_blocked_them(world: World) -> None:
    _, (_, lead, ann, bob, cat), circle = await circle_of_four(world)
    await block(ann, bob)
    await bob.ok("POST", f"/v1/pairings/{circle['id']}/meetings", meeting())
    assert "Bob proposes" in (await world.mails(cat.email))[-1]["subject"]
    assert "Bob proposes" in (await world.mails(lead.email))[-1]["subject"]
    to_ann = await world.mails(ann.email)
    assert not any("Bob" in mail["subject"] + mail["text"] for mail in to_ann)


async def test_a_block_that_races_with_acceptances_leaves_nothing_open(world: World) -> None:
    for _ in range(4):
        mentee, mentor = await world.two()
        asked = await world.ask(mentee, mentor)
        pairing = await world.pair(mentee, mentor, kind="peers")
        proposed = await mentee.ok("POST", f"/v1/pairings/{pairing['id']}/meetings", meeting())
        answers = await asyncio.gather(
            mentor.post(f"/v1/pairings/{asked['id']}/accept"),
            mentor.post(f"/v1/meetings/{proposed['id']}/accept"),
            mentee.post("/v1/blocks", {"membership_id": str(mentor.membership_id)}),
            mentor.post(f"/v1/pairings/{pairing['id']}/meetings", meeting(clock.now() + timedelta(days=1))),
        )
        assert {answer.status_code for answer in answers} <= {200, 201, 404, 409}
        assert answers[2].status_code == 201
    assert await world.run("SELECT id FROM pairing WHERE status IN ('proposed', 'active')") == []
    assert await world.run("SELECT id FROM meeting WHERE status IN ('proposed', 'booked')") == []
    assert await world.rows(select(Booking)) == []
