"""Commands: kept until a node says that they are done, whoever was away meanwhile, and none stops another."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from typing_extensions import override

from app import worker
from app.accounts import expiry
from app.core import clock, nodes
from app.core.nodes import Node, NodeCommand
from app.scheduling import calls
from app.settings import Settings
from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.calls import (
    Command,
    CommandDone,
    EndCall,
    ParticipantJoined,
    RevokeSession,
)
from tests.app.at_work import alive, obeyed, running, until, waiting
from tests.app.cost import Statements
from tests.logs import capture
from tests.world import NODE, World

pytestmark = pytest.mark.database


async def test_a_command_is_repeated_until_a_node_says_it_is_done(world: World, bus: Bus) -> None:
    settings: Settings = world.app.state.settings
    await world.node()
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command, age=2))
    heard: list[Command] = []

    async def twice() -> bool:
        return len(heard) >= 2

    async def done() -> bool:
        return bool(await world.run("SELECT 1 FROM node_command WHERE done_at IS NOT NULL"))

    async with running(
        worker.keep_house(world.database, bus, settings),
        worker.take_in_facts(world.database, bus),
        obeyed(bus, heard),
    ):
        await until(twice)
        assert set(heard) == {command}, "the same command, with the same id"
        await bus.publish_fact(CommandDone(node=NODE, command_id=command.id, at=clock.now()))
        await until(done)
        count = len(heard)
        await asyncio.sleep(1.2)
        assert len(heard) <= count + 1, "one may have been under way"


async def repeat(world: World, bus: Bus) -> None:
    await nodes.repeat_commands(world.database, bus, set())


async def test_what_a_silent_node_must_do_waits_for_it_however_long(world: World, bus: Bus) -> None:
    """The bus or the worker was away for an hour, and the node holds its sockets and calls all the while."""
    settings: Settings = world.app.state.settings
    person = await world.person()
    await world.node()
    await world.run("UPDATE node SET seen_at = now() - interval '1 hour'")
    await world.app.state.bus.close()  # what is sent at once is lost
    await person.ok("DELETE", "/v1/sessions/current")
    rows = await world.run("SELECT id FROM node_command WHERE done_at IS NULL")
    heard: list[Command] = []

    async def told() -> bool:
        return bool(heard)

    async with running(
        worker.keep_house(world.database, bus, settings),
        worker.take_in_facts(world.database, bus),
        obeyed(bus, heard),
    ):
        await asyncio.sleep(1)
        assert heard == [], "nobody is there to hear it"
        await bus.publish_fact(alive())
        await until(told)
    assert {command.id for command in heard} == {row.id for row in rows}
    (revoked,) = set(heard)
    assert isinstance(revoked, RevokeSession)
    assert revoked.session_id == person.session_id


async def test_a_sign_in_whose_time_is_over_closes_what_it_opened(
    world: World, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "MOST_AT_ONCE", 2)
    over = [await world.person() for _ in range(3)]
    still, left = await world.person(), await world.person()
    await left.ok("DELETE", "/v1/sessions/current")
    await world.node()
    ids = [person.session_id for person in (*over, left)]
    await world.run("UPDATE sign_in_session SET expires_at = now() WHERE id = ANY(:ids)", ids=ids)
    heard: list[Command] = []

    async def all_told() -> bool:
        return len({command.id for command in heard}) == 3

    async with running(worker.keep_house(world.database, bus, world.app.state.settings), obeyed(bus, heard)):
        await until(all_told)
        await asyncio.sleep(0.6)
    revoked = {command for command in heard if isinstance(command, RevokeSession)}
    assert {command.session_id for command in revoked} == {person.session_id for person in over}
    assert len(await world.run("SELECT 1 FROM node_command")) == 3, "each once"
    reasons = await world.run("SELECT DISTINCT end_reason FROM sign_in_session WHERE id = ANY(:ids)", ids=ids)
    assert {row.end_reason for row in reasons} == {"expired", "signed_out"}
    await still.ok("GET", "/v1/me")


async def test_what_is_new_is_not_repeated_yet(world: World) -> None:
    await world.node()
    for age in (60, 0):
        await world.save(waiting(EndCall(call_id=uuid4()), age=age))
    exchange = Exchange()
    await repeat(world, MemoryBus(exchange))
    assert {name: len(queue) for name, queue in exchange.commands.items()} == {NODE: 1}


async def test_only_nodes_that_said_that_they_stop_are_told_nothing(world: World) -> None:
    now, person = clock.now(), await world.person()
    for name, silent, draining in (
        ("well", 1, False), ("silent", 6 * 60, False), ("stopping", 2, True), ("stopped", 7, True),
    ):  # fmt: skip
        seen = now - timedelta(minutes=silent)
        await world.save(Node(name=name, url="ws://x", draining=draining, calls=0, seen_at=seen))
    await person.ok("DELETE", "/v1/sessions/current")
    told = await world.run("SELECT node FROM node_command ORDER BY node")
    assert [row.node for row in told] == ["silent", "stopping", "well"]


async def test_what_dead_nodes_have_not_done_keeps_nothing_from_those_that_live(
    world: World, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "MOST_AT_ONCE", 5)
    await world.node()
    died = clock.now() - timedelta(minutes=1)
    await world.save(Node(name="dead", url="ws://x", draining=False, calls=0, seen_at=died))
    await world.save(*(waiting(EndCall(call_id=uuid4()), "dead", age=60) for _ in range(6)))
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command, age=1))
    heard: list[Command] = []
    useless: list[Command] = []

    async def told() -> bool:
        return bool(heard)

    async with running(
        worker.keep_house(world.database, bus, world.app.state.settings),
        obeyed(bus, heard),
        obeyed(bus, useless, "dead"),
    ):
        await until(told)
    assert heard[0] == command
    assert useless == [], "nobody reads it there"
    assert len(await world.run("SELECT 1 FROM node_command WHERE done_at IS NULL")) == 7


async def test_what_a_node_cannot_read_keeps_nothing_else_from_it(
    world: World, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "MOST_AT_ONCE", 5)
    await world.node()
    never = [EndCall(call_id=uuid4()) for _ in range(6)]
    await world.save(*(waiting(command, age=3600) for command in never))
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command, age=1))
    heard: list[Command] = []

    async def told() -> bool:
        return command in heard

    async with running(worker.keep_house(world.database, bus, world.app.state.settings), obeyed(bus, heard)):
        await until(told)
        await asyncio.sleep(1)
    assert [heard.count(one) for one in never] == [1] * 6, "what stays without an answer is repeated rarely"


async def test_a_command_of_another_release_stops_nothing(
    world: World, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    meeting = await world.meet(mentee, mentor, pairing["id"])
    await world.node()
    ticket = await mentee.ok("POST", f"/v1/meetings/{meeting['id']}/ticket")
    long_ago = clock.now() - timedelta(hours=1)
    joined = ParticipantJoined(
        node=NODE, call_id=ticket["call_id"], epoch=1, participant_id=uuid4(), at=long_ago,
        membership_id=mentee.membership_id or UUID(int=0),
    )  # fmt: skip
    async with world.database.transaction() as db:
        await calls.apply(db, joined)
    command = EndCall(call_id=uuid4())
    await world.save(
        waiting(EndCall(call_id=uuid4()), age=9, payload={"kind": "dance"}), waiting(command, age=5)
    )
    await world.run("UPDATE stream_event SET relayed_at = NULL, created_at = now() - interval '1 minute'")
    logged = capture(monkeypatch, nodes)
    heard: list[Command] = []

    async def all_else() -> bool:
        left = await world.run("SELECT 1 FROM attendance WHERE left_at IS NOT NULL")
        waits = await world.run("SELECT 1 FROM stream_event WHERE relayed_at IS NULL")
        return bool(heard and left and not waits)

    async with running(worker.keep_house(world.database, bus, world.app.state.settings), obeyed(bus, heard)):
        await until(all_else)
        await world.run("UPDATE node_command SET repeat_at = now()")
        await asyncio.sleep(0.6)
    assert set(heard) == {command}
    assert [(line["event"], line["kind"]) for line in logged] == [("command_unreadable", "dance")]


async def test_a_bus_that_is_away_loses_no_command(world: World) -> None:
    await world.node()
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command, age=5))
    exchange = Exchange()
    away = MemoryBus(exchange)
    await away.close()
    await repeat(world, away)
    assert exchange.commands == {}
    await repeat(world, MemoryBus(exchange))
    assert list(exchange.commands[NODE]) == [command]


async def test_an_answer_is_2xx_also_when_the_bus_is_away_and_the_command_follows(world: World) -> None:
    person = await world.person()
    await world.node()
    await world.app.state.bus.close()
    await person.ok("DELETE", "/v1/sessions/current")
    (row,) = await world.rows(select(NodeCommand))
    assert (row.node, row.done_at) == (NODE, None)
    assert (await world.client.get("/readyz")).json()["code"] == "bus_unavailable"


class Stuck(MemoryBus):
    """A bus that takes a command and does not say so, or has no room for it."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__(Exchange())
        self.asked = 0
        self._fails = fails

    @override
    async def publish_command(self, node: str, command: Command) -> None:
        self.asked += 1
        if self._fails:
            raise BusUnavailable("no room")
        await asyncio.sleep(60)


@pytest.mark.parametrize("fails", [True, False])
async def test_nobody_waits_for_a_bus_that_is_stuck_more_than_once(
    world: World, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    monkeypatch.setattr(nodes, "SENDING_SECONDS", 0.2)
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    for day in range(1, 4):
        await world.meet(mentee, mentor, pairing["id"], clock.now() + timedelta(days=day))
    await world.node()
    await world.save(Node(name="second", url="ws://second", draining=False, calls=0, seen_at=clock.now()))
    stuck = world.database.context["bus"] = Stuck(fails=fails)
    with Statements(world) as statements:
        async with asyncio.timeout(5):
            await mentee.ok("POST", f"/v1/pairings/{pairing['id']}/end")
    assert stuck.asked == 1
    assert len(await world.run("SELECT 1 FROM node_command")) == 8, "four conversations, two nodes"
    assert len([one for one in statements.seen if "FROM node" in one]) == 1


async def test_saying_done_twice_or_of_nothing_is_fine(world: World, bus: Bus) -> None:
    command = EndCall(call_id=uuid4())
    await world.save(waiting(command))
    for command_id in (command.id, uuid4(), command.id):
        async with world.database.transaction() as db:
            await calls.apply(db, CommandDone(node=NODE, command_id=command_id, at=clock.now()))
    (row,) = await world.rows(select(NodeCommand))
    assert row.done_at is not None
