"""Coming in to the events socket: tickets, resume, the sign-in session that ends, and going away."""

import asyncio
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from signalling import presence
from signalling.contracts.calls import RevokeSession
from signalling.contracts.tickets import SigningKey
from signalling.events import listeners
from tests.signalling.world import ORIGIN, Ear, World, get, running


async def refused(world: World, **entry: Any) -> tuple[str, int]:
    """The error code and the close code that a hello is answered with."""
    ear = await world.open_events()
    await ear.send("hello", version=1, **entry)
    error = await ear.next("error")
    assert error["about"] == "hello"
    assert "seq" not in error
    return error["code"], await ear.closed()


async def test_a_ticket_lets_in_once(world: World) -> None:
    ticket = world.app.events_ticket()
    ear = await (await world.open_events()).hello(ticket=ticket)
    welcome = dict(ear.welcome)
    assert len(welcome.pop("resume_token")) >= 43
    assert welcome == {
        "type": "welcome",
        "version": 1,
        "heartbeat_seconds": 25.0,
        "grace_seconds": 5.0,
        "live": True,
    }
    assert await refused(world, ticket=ticket) == ("ticket_refused", 4501)
    await ear.nothing()


async def test_tickets_of_other_doors_do_not_open_this_one(world: World, call_id: UUID) -> None:
    assert await refused(world, ticket=world.app.ticket(call_id)) == ("ticket_refused", 4501)
    call = await world.open(call_id)
    await call.send(
        "hello", version=1, ticket=world.app.events_ticket(), media={"audio": True, "video": True}
    )
    assert (await call.next("error"))["code"] == "ticket_refused"
    assert await call.closed() == 4501
    token = (await world.listen()).welcome["resume_token"]
    call = await world.open(call_id)
    resume = {"token": token, "last_seq": 0}
    await call.send("hello", version=1, resume=resume, media={"audio": True, "video": True})
    assert await call.closed() == 4410


async def test_tickets_that_are_worthless(world: World) -> None:
    now = time.time()
    other = SigningKey("key-1", Ed25519PrivateKey.generate())
    for ticket in (
        world.app.events_ticket(now=now - 61),
        world.app.events_ticket(now=now + 20),
        world.app.events_ticket(key=other),
        world.app.events_ticket()[:-3] + "abc",
        "",
        "t" * 16_000,
    ):
        assert await refused(world, ticket=ticket) == ("ticket_refused", 4501)


async def test_a_ticket_from_before_app_knew_this_node_is_refused_for_now(world: World) -> None:
    """Had its sign-in session ended, nobody would have told this node."""
    since = world.node.presence.known_since
    assert time.time() - 10 < since < time.time()
    ticket = world.app.events_ticket(now=int(since))
    assert await refused(world, ticket=ticket) == ("not_ready", 4411)
    # The same moment, a second later, is surely after.
    await (await world.open_events()).hello(ticket=world.app.events_ticket(now=int(since) + 1))


async def test_a_node_that_app_does_not_know_lets_nobody_in(tmp_path: Path, call_id: UUID) -> None:
    async with running(tmp_path) as world:
        assert (await get(world, "/readyz"))[0] == 200
        world.node.presence._known_until = float("-inf")
        world.app.commits = False
        assert await refused(world, ticket=world.app.events_ticket()) == ("not_ready", 4411)
        status, answer = await get(world, "/readyz")
        assert (status, answer["reason"]) == (503, "App has not heard of this server yet.")
        # Calls do not depend on it: their tickets name the node.
        await (await world.join(call_id)).pong()


async def test_whoever_was_unknown_for_a_while_begins_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """App's word that it has this node's, as long as it is not too old, carries on from the last."""
    first_since = world.node.presence.known_since
    await world.node.presence.say_alive(0)
    await world.app.wait_for(lambda: len(world.app.alive()) >= 2)
    await asyncio.sleep(0.05)
    assert world.node.presence.known_since == first_since
    world.app.commits = False
    monkeypatch.setattr(presence, "KNOWN_SECONDS", 0.2)
    world.node.presence._known_until = time.monotonic() + 0.05
    await asyncio.sleep(0.1)
    assert world.node.presence.known_since == float("inf")
    world.app.commits = True
    await world.node.presence.say_alive(0)
    async with asyncio.timeout(3):
        while not world.node.presence.known:
            await asyncio.sleep(0.005)
    assert world.node.presence.known_since > first_since


async def test_a_foreign_origin_is_refused(world: World) -> None:
    with pytest.raises(InvalidStatus) as error:
        await world.open_events(origin="https://evil.test")
    assert error.value.response.status_code == 403
    await (await world.open_events(origin=None)).socket.close()


@pytest.mark.parametrize("path", ["/events/", "/events?ticket=x", "//events", "/Events", "/event"])
async def test_other_paths_are_not_found(world: World, path: str) -> None:
    with pytest.raises(InvalidStatus) as error:
        await connect(f"ws://{world.address}{path}", origin=ORIGIN, compression=None)  # type: ignore[arg-type]
    assert error.value.response.status_code == 404
    assert (await get(world, "/events"))[0] == 426


async def test_events_sockets_count_among_all(tmp_path: Path, call_id: UUID) -> None:
    async with running(tmp_path, max_sockets=1) as world:
        await world.listen()
        for opening in (world.open(call_id), world.open_events()):
            with pytest.raises(InvalidStatus) as error:
                await opening
            assert error.value.response.status_code == 503


# Coming back


async def test_a_lost_socket_comes_back_once(world: World) -> None:
    first = await world.listen()
    first.vanish()
    entry = {"resume": {"token": first.welcome["resume_token"]}}
    again = await (await world.open_events()).hello(**entry)
    assert again.welcome["resume_token"] != first.welcome["resume_token"]
    assert await refused(world, **entry) == ("resume_refused", 4410)
    stream = uuid4()
    world.app.door.let_hear(stream, first.account_id)
    await world.app.say(world.app.next_event(stream))
    assert await again.seqs(1) == [1]


async def test_the_client_may_notice_the_loss_first(world: World) -> None:
    first = await world.listen()
    again = await world.open_events()
    await again.hello(resume={"token": first.welcome["resume_token"]})
    assert await first.closed() == 4504
    await again.nothing()
    assert len(world.node.events.listeners) == 1


async def test_a_resume_lapses(tmp_path: Path) -> None:
    async with running(tmp_path, resume_grace_seconds=0.1) as world:
        first = await world.listen()
        first.vanish()
        await asyncio.sleep(0.3)
        entry = {"resume": {"token": first.welcome["resume_token"]}}
        assert await refused(world, **entry) == ("resume_refused", 4410)
        async with asyncio.timeout(2):
            while world.node.events.listeners._lost:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("code", [1000, 1001])
async def test_whoever_says_goodbye_does_not_come_back(world: World, code: int) -> None:
    first = await world.listen()
    await first.socket.close(code)
    entry = {"resume": {"token": first.welcome["resume_token"]}}
    assert await refused(world, **entry) == ("resume_refused", 4410)


async def test_a_node_that_is_not_ready_keeps_the_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await world.listen()
    first.vanish()
    entry = {"resume": {"token": first.welcome["resume_token"]}}
    with monkeypatch.context() as patch:
        patch.setattr(world.node.presence, "draining", True)
        assert await refused(world, **entry) == ("not_ready", 4411)
        assert await refused(world, ticket=world.app.events_ticket()) == ("not_ready", 4411)
    await (await world.open_events()).hello(**entry)


async def test_the_oldest_of_too_many_sockets_goes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "MOST_OF_ACCOUNT", 3)
    stranger = await world.listen()
    account = uuid4()
    ears = [await world.listen(account) for _ in range(3)]
    newest = await world.listen(account)
    assert await ears[0].closed() == 4504
    for ear in (*ears[1:], newest, stranger):
        await ear.nothing()
    entry = {"resume": {"token": ears[0].welcome["resume_token"]}}
    assert await refused(world, **entry) == ("resume_refused", 4410)


# The sign-in session


async def revoke(world: World, session_id: UUID) -> None:
    """End a session, and wait until the node has answered."""
    command = RevokeSession(session_id=session_id)
    await world.app.command(command)
    await world.app.wait_for(lambda: command.id in world.app.done())


async def test_when_the_session_ends_its_sockets_tokens_and_tickets_end(world: World) -> None:
    session, account = uuid4(), uuid4()
    other = await world.listen(account)
    ears = [await world.listen(account, session_id=session) for _ in range(2)]
    lost = await world.listen(account, session_id=session)
    lost.vanish()
    ticket = world.app.events_ticket(account, session_id=session)
    await revoke(world, session)
    for ear in ears:
        assert await ear.closed() == 4503
    for ear in (*ears, lost):
        entry = {"resume": {"token": ear.welcome["resume_token"]}}
        assert await refused(world, **entry) == ("resume_refused", 4410)
    assert await refused(world, ticket=ticket) == ("removed", 4503)
    await other.nothing()


async def test_between_the_end_of_the_session_and_of_the_socket_nothing_is_told(world: World) -> None:
    """The client does not answer the closing handshake; it hears nothing all the same."""
    session, stream = uuid4(), uuid4()
    ear: Ear = await world.listen(session_id=session)
    world.app.door.let_hear(stream, ear.account_id)
    await world.app.say(world.app.next_event(stream))
    await ear.seqs(1)
    await revoke(world, session)
    await world.app.say(world.app.next_event(stream))
    async with asyncio.timeout(5):
        with pytest.raises(Exception, match="4503"):
            await ear.socket.recv()


# Going away


async def test_a_draining_node_sends_everybody_elsewhere(world: World, call_id: UUID) -> None:
    ears = [await world.listen() for _ in range(3)]
    call = await world.join(call_id)
    await world.node.drain()
    for ear in ears:
        assert await ear.closed() == 4400
    assert await call.closed() == 4400
    assert world.app.alive()[-1].draining
