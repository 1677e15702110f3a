"""Tickets into a call: when there is one, where it leads, what it says, and how the media may travel."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI

from app.core import clock
from app.core.nodes import Node
from app.pairings.schemas import CircleCreate
from app.scheduling import calls
from app.settings import Settings
from signalling.contracts.calls import CallForwarded
from signalling.contracts.tickets import CallTicket, read_call_ticket
from signalling.protocol.room import CAPACITY
from tests.world import ALL_ROLES, NODE, Person, World, slot

pytestmark = pytest.mark.database


async def booked(world: World, minutes_from_now: float, minutes: int = 45) -> tuple[Person, Person, str]:
    """Two people of two organisations and their meeting, begun (or to begin) then."""
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    at = clock.now() + timedelta(minutes=minutes_from_now)
    made = slot(mentee, pairing["id"], at, minutes, "booked")
    await world.save(made)
    return mentee, mentor, f"/v1/meetings/{made.id}/ticket"


def read(world: World, answer: Any) -> CallTicket:
    """What a signalling node reads from the ticket."""
    return read_call_ticket(
        answer["ticket"],
        keys=world.door.keys.public,
        issuer=world.door.settings.issuer,
        now=clock.now().timestamp(),
    )


@pytest.mark.parametrize(
    ("starts_in", "code"),
    [
        (15.2, "too_early"),
        (14.8, None),
        (0, None),
        (-44, None),
        (-45 - 59.8, None),
        (-45 - 60.2, "meeting_over"),
    ],
)
async def test_the_call_opens_before_the_meeting_and_closes_after_it(
    world: World, starts_in: float, code: str | None
) -> None:
    mentee, _, path = await booked(world, starts_in)
    await world.node()
    answer = await mentee.post(path)
    seen = await mentee.ok("GET", path.removesuffix("/ticket"))
    assert ("join" in seen["may"]) is (code is None)
    assert (answer.status_code, answer.json().get("code")) == (409 if code else 201, code)


@pytest.mark.parametrize("verb", ["cancel", "decline", None])
async def test_only_a_booked_meeting_has_a_call(world: World, verb: str | None) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    made = slot(mentee, pairing["id"], clock.now())
    await world.save(made)
    await world.node()
    if verb:
        await mentor.ok("POST", f"/v1/meetings/{made.id}/{verb}")
    answer = await mentee.post(f"/v1/meetings/{made.id}/ticket")
    status = {"cancel": "cancelled", "decline": "declined", None: "proposed"}[verb]
    assert (answer.status_code, answer.json()["code"]) == (409, f"meeting_{status}")


async def test_the_ticket_says_who_enters_which_call_where(world: World) -> None:
    mentee, mentor, path = await booked(world, 0)
    await world.node("wss://calls.example.org")
    answer = await mentee.ok("POST", path)
    ticket = read(world, answer)
    assert ticket == CallTicket(
        jti=ticket.jti,
        account_id=mentee.account_id,
        session_id=mentee.session_id,
        membership_id=mentee.membership_id or UUID(int=0),
        call_id=UUID(answer["call_id"]),
        epoch=1,
        node=NODE,
        name="Priya Raman",
        organisation="Riverbank",
        role="mentee",
        topology="forwarded",
        issued_at=ticket.issued_at,
    )
    assert answer["socket_url"] == f"wss://calls.example.org/calls/{answer['call_id']}"
    assert (answer["topology"], answer["ice_policy"], answer["ice_servers"]) == ("forwarded", "all", [])
    second, third = await mentee.ok("POST", path), await mentor.ok("POST", path)
    assert len({read(world, row).jti for row in (answer, second, third)}) == 3
    assert {row["call_id"] for row in (answer, second, third)} == {answer["call_id"]}
    assert read(world, third).role == "mentor"


async def test_strangers_and_the_unbooked_get_no_ticket(world: World) -> None:
    _, _, path = await booked(world, 0)
    await world.node()
    stranger = await world.member(await world.organisation("Elsewhere"), "Stranger", roles=ALL_ROLES)
    assert (await stranger.post(path)).status_code == 404


@dataclass
class Circle:
    """A lead of one organisation with Ann and Bob, and Cat of a partner; they can join their meeting."""

    coordinator: Person
    lead: Person
    ann: Person
    bob: Person
    cat: Person
    id: str
    meeting: str

    @property
    def path(self) -> str:
        return f"{self.meeting}/ticket"


@pytest.fixture
async def circle(world: World) -> Circle:
    place, other = await world.organisation("Northside"), await world.organisation("Riverbank")
    await world.partners(place, other)
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    lead, ann, bob = [await world.member(place, name) for name in ("Lead", "Ann", "Bob")]
    cat = await world.member(other, "Cat")
    made = await world.circle(coordinator, [lead], [ann, bob, cat])
    meeting = slot(lead, made["id"], clock.now(), status="booked")
    await world.save(meeting)
    await world.node()
    return Circle(coordinator, lead, ann, bob, cat, made["id"], f"/v1/meetings/{meeting.id}")


async def test_the_call_of_a_circle_is_forwarded(world: World, circle: Circle) -> None:
    people = {"lead": [circle.lead], "mentee": [circle.ann, circle.bob, circle.cat]}
    calls = set()
    for role, members in people.items():
        for person in members:
            assert "join" in (await person.ok("GET", circle.meeting))["may"]
            answer = await person.ok("POST", circle.path)
            ticket = read(world, answer)
            assert (answer["topology"], ticket.topology) == ("forwarded", "forwarded")
            assert (ticket.membership_id, ticket.role) == (person.membership_id, role)
            assert ("moderate" in ticket.permissions) is (role == "lead"), "who leads may mute"
            assert answer["permissions"] == list(ticket.permissions)
            calls.add(answer["call_id"])
    assert len(calls) == 1, "they meet in one call"
    assert (await circle.coordinator.post(circle.path)).status_code == 404, "who only coordinates is not in"


async def test_the_call_of_a_circle_stays_forwarded_when_two_are_left(world: World, circle: Circle) -> None:
    for person in (circle.bob, circle.cat):
        await person.ok("POST", f"/v1/pairings/{circle.id}/leave")
        assert (await person.post(circle.path)).status_code == 404
    for person in (circle.lead, circle.ann):
        answer = await person.ok("POST", circle.path)
        assert (answer["topology"], read(world, answer).topology) == ("forwarded", "forwarded")


def test_the_largest_circle_fits_into_a_forwarded_call() -> None:
    fields = CircleCreate.model_json_schema()["properties"]
    assert fields["lead_ids"]["maxItems"] + fields["mentee_ids"]["maxItems"] <= CAPACITY["forwarded"]


@pytest.mark.parametrize("blocker", ["ann", "bob"])
async def test_who_is_kept_apart_from_someone_in_a_circle_stays_out_of_its_call(
    world: World, circle: Circle, blocker: str
) -> None:
    """Both are told the same, so that neither learns from it who blocked whom."""
    who, whom = (circle.ann, circle.bob) if blocker == "ann" else (circle.bob, circle.ann)
    await who.ok("POST", circle.path)
    await who.ok("POST", "/v1/blocks", {"membership_id": str(whom.membership_id)})
    refused = [await person.post(circle.path) for person in (who, whom)]
    assert {answer.status_code for answer in refused} == {409}
    first, second = [answer.json() for answer in refused]
    assert first == second
    assert (first["code"], first["detail"]) == ("nobody_to_call", "You cannot join this meeting's call.")
    for person in (circle.lead, circle.cat):
        assert read(world, await person.ok("POST", circle.path)).membership_id == person.membership_id
    await whom.ok("POST", f"/v1/pairings/{circle.id}/leave")
    await who.ok("POST", circle.path)


async def test_without_a_live_node_there_is_no_call(world: World) -> None:
    mentee, _, path = await booked(world, 0)
    answer = await mentee.post(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "no_call_server")
    now = clock.now()
    await world.save(
        Node(name="silent", url="ws://silent", draining=False, calls=0, seen_at=now - timedelta(seconds=21)),
        Node(name="draining", url="ws://draining", draining=True, calls=0, seen_at=now),
    )
    assert (await mentee.post(path)).status_code == 503
    assert await world.run("SELECT 1 FROM call") == []


async def test_calls_go_to_the_least_busy_node_and_stay_there(world: World) -> None:
    mentee, mentor, path = await booked(world, 0)
    now = clock.now()
    for name, held in (("busy", 9), ("idle", 1), ("middling", 5)):
        await world.save(Node(name=name, url=f"ws://{name}", draining=False, calls=held, seen_at=now))
    first = read(world, await mentee.ok("POST", path))
    assert (first.node, first.epoch) == ("idle", 1)
    await world.run("UPDATE node SET calls = 99 WHERE name = 'idle'")
    second = read(world, await mentor.ok("POST", path))
    assert (second.node, second.epoch) == ("idle", 1), "two people of one call meet on one node"


async def test_a_call_moves_when_its_node_dies_and_its_epoch_rises(world: World) -> None:
    mentee, mentor, path = await booked(world, 0)
    await world.node()
    first = await mentee.ok("POST", path)
    await world.run("UPDATE node SET seen_at = now() - interval '1 minute'")
    assert (await mentee.post(path)).status_code == 503
    await world.save(Node(name="second", url="ws://second:9", draining=False, calls=0, seen_at=clock.now()))
    moved = [await person.ok("POST", path) for person in (mentor, mentee)]
    for answer in moved:
        assert (read(world, answer).node, read(world, answer).epoch) == ("second", 2)
        assert answer["call_id"] == first["call_id"]
        assert answer["socket_url"] == f"ws://second:9/calls/{first['call_id']}"


async def test_a_call_that_moved_is_ended_where_it_was_too(world: World) -> None:
    """Its first node was silent, not dead: somebody may still be in the call there."""
    mentee, mentor, path = await booked(world, 0)
    await world.node()
    await mentee.ok("POST", path)
    await world.run("UPDATE node SET seen_at = now() - interval '1 hour'")
    await world.save(Node(name="second", url="ws://second", draining=False, calls=0, seen_at=clock.now()))
    call_id = (await mentor.ok("POST", path))["call_id"]
    await mentor.ok("POST", f"{path.removesuffix('/ticket')}/cancel")
    assert await commands(world, "end_call") == {(NODE, call_id), ("second", call_id)}


async def test_whoever_leaves_is_put_out_of_a_call_that_moved(world: World) -> None:
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    lead, ann = await world.member(place, "Lead"), await world.member(place, "Ann")
    circle = await world.circle(coordinator, [lead], [ann])
    made = slot(lead, circle["id"], clock.now(), status="booked")
    await world.save(made)
    await world.node()
    await ann.ok("POST", f"/v1/meetings/{made.id}/ticket")
    await world.run("UPDATE node SET seen_at = now() - interval '1 minute'")
    await world.save(Node(name="second", url="ws://second", draining=False, calls=0, seen_at=clock.now()))
    call_id = (await lead.ok("POST", f"/v1/meetings/{made.id}/ticket"))["call_id"]
    await ann.ok("POST", f"/v1/pairings/{circle['id']}/leave")
    assert await commands(world, "remove_from_call") == {(NODE, call_id), ("second", call_id)}


async def commands(world: World, kind: str) -> set[tuple[str, str]]:
    """Which nodes must do this with which call."""
    rows = await world.run("SELECT node, payload FROM node_command")
    return {(row.node, row.payload["call_id"]) for row in rows if row.payload["kind"] == kind}


def with_turn(app: FastAPI) -> Settings:
    settings: Settings = app.state.settings
    settings.stun_urls = ("stun:stun.example.org:3478",)
    settings.turn_urls = ("turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:5349")
    settings.turn_secret = "shared with coturn"
    return settings


async def test_turn_credentials_expire_and_are_what_coturn_computes(app: FastAPI, world: World) -> None:
    settings = with_turn(app)
    mentee, _, path = await booked(world, 0)
    await world.node()
    before = int(clock.now().timestamp())
    stun, turn = (await mentee.ok("POST", path))["ice_servers"]
    assert stun == {"urls": ["stun:stun.example.org:3478"]}
    assert turn["urls"] == list(settings.turn_urls)
    expires, _, account = turn["username"].partition(":")
    closes = (await mentee.ok("GET", path.removesuffix("/ticket")))["join_closes_at"]
    assert int(expires) - datetime.fromisoformat(closes).timestamp() == pytest.approx(3600, abs=1)
    assert int(expires) > before + 3600
    assert account == str(mentee.account_id)
    mac = hmac.new(b"shared with coturn", turn["username"].encode(), hashlib.sha1).digest()
    assert base64.b64decode(turn["credential"]) == mac


async def test_two_of_different_organisations_meet_at_a_relay_where_the_operator_prefers_that(
    app: FastAPI, world: World
) -> None:
    """Then nobody but the two can see and hear, and they still do not learn each other's address."""
    settings: Settings = app.state.settings
    settings.calls_across_organisations = "relayed"
    mentee, _, path = await booked(world, 0)
    await world.node()
    answer = await mentee.ok("POST", path)
    assert (answer["topology"], answer["ice_policy"]) == ("forwarded", "all"), "there is no relay"
    with_turn(app)
    answer = await mentee.ok("POST", path)
    assert answer["topology"] == "forwarded", "the call has begun"
    mentee, _, path = await booked(world, 0)
    answer = await mentee.ok("POST", path)
    ticket = read(world, answer)
    assert (answer["topology"], ticket.topology) == ("direct", "direct")
    assert (answer["ice_policy"], ticket.ice_policy) == ("relay", "relay")


@dataclass
class Colleagues:
    """Two people of one organisation who can join their meeting."""

    ann: Person
    bob: Person
    path: str


@pytest.fixture
async def colleagues(world: World) -> Colleagues:
    place = await world.organisation()
    ann, bob = await world.member(place, "Ann"), await world.member(place, "Bob")
    pairing = await world.pair(ann, bob, kind="peers")
    made = slot(ann, pairing["id"], clock.now(), status="booked")
    await world.save(made)
    await world.node()
    return Colleagues(ann, bob, f"/v1/meetings/{made.id}/ticket")


async def test_inside_one_organisation_any_path_will_do(
    app: FastAPI, world: World, colleagues: Colleagues
) -> None:
    with_turn(app)
    answer = await colleagues.bob.ok("POST", colleagues.path)
    ticket = read(world, answer)
    assert (answer["topology"], ticket.topology) == ("direct", "direct")
    assert (answer["ice_policy"], ticket.ice_policy) == ("all", "all")


async def test_a_call_that_was_promoted_stays_forwarded(world: World, colleagues: Colleagues) -> None:
    answer = await colleagues.ann.ok("POST", colleagues.path)
    assert answer["topology"] == "direct"
    fact = CallForwarded(node=NODE, call_id=UUID(answer["call_id"]), epoch=1, at=clock.now())
    for said in (fact, fact, fact.model_copy(update={"call_id": uuid4()})):
        async with world.database.transaction() as db:
            await calls.apply(db, said)
    answer = await colleagues.bob.ok("POST", colleagues.path)
    assert (answer["topology"], read(world, answer).topology) == ("forwarded", "forwarded")


async def test_nobody_learns_an_address_in_a_forwarded_call_so_any_path_will_do(
    app: FastAPI, world: World, circle: Circle
) -> None:
    """Also across organisations: everybody connects to the server alone."""
    with_turn(app)
    for person in (circle.ann, circle.cat):
        answer = await person.ok("POST", circle.path)
        assert (answer["ice_policy"], read(world, answer).ice_policy) == ("all", "all")
        assert len(answer["ice_servers"]) == 2, "a relay may still be the only path"


async def test_cancelling_a_meeting_ends_its_call(world: World) -> None:
    mentee, mentor, path = await booked(world, 0)
    await world.node()
    call_id = (await mentee.ok("POST", path))["call_id"]
    await mentor.ok("POST", f"{path.removesuffix('/ticket')}/cancel")
    (row,) = await world.run("SELECT node, payload FROM node_command")
    assert (row.node, row.payload["kind"], row.payload["call_id"]) == (NODE, "end_call", call_id)
    assert (await mentee.post(path)).status_code == 409
