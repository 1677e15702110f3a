"""Events sockets that are dead, slow or silent: who is cut, what does not reach them; and others go on."""

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from signalling.connection import OUTBOX_BYTES
from signalling.contracts.calls import RevokeSession, RosterChanged
from signalling.events import hub
from signalling.events.listeners import Listener
from tests.signalling.test_gateway_bad_input import UPGRADE
from tests.signalling.world import World, running


class Stalled:
    """A socket that has said hello and reads nothing more, nor answers pings."""

    def __init__(self, raw: socket.socket, account_id: UUID) -> None:
        self.raw = raw
        self.account_id = account_id

    async def read(self) -> bytes:
        """Everything that still arrives, to the end."""
        received = b""
        loop = asyncio.get_running_loop()
        try:
            while chunk := await loop.sock_recv(self.raw, 65536):
                received += chunk
        except ConnectionError:
            pass
        self.raw.close()
        return received


async def stalled(world: World, **ticket: Any) -> Stalled:
    """Open a socket on which all below WebSocket is ours."""
    account_id = uuid4()
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", world.node.port))
    head = UPGRADE.format("dGhlIHNhbXBsZSBub25jZQ==")
    await loop.sock_sendall(raw, f"GET /events HTTP/1.1\r\nHost: {world.address}\r\n{head}\r\n".encode())
    assert b" 101 " in await loop.sock_recv(raw, 1024)
    hello = {"type": "hello", "version": 1, "ticket": world.app.events_ticket(account_id, **ticket)}
    text = json.dumps(hello).encode()
    await loop.sock_sendall(raw, b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text)
    assert b"welcome" in await loop.sock_recv(raw, 4096)
    return Stalled(raw, account_id)


def here(world: World, account_id: UUID) -> Listener:
    """The node's side of somebody's only socket."""
    (listener,) = world.node.events.listeners.of(account_id)
    return listener


async def gone(world: World, account_id: UUID, seconds: float = 5.0) -> None:
    """Wait until nobody listens for the account any more."""
    async with asyncio.timeout(seconds):
        while world.node.events.listeners.of(account_id):
            await asyncio.sleep(0.005)


async def test_a_slow_reader_is_cut_while_the_others_go_on(world: World) -> None:
    slow, quick = await stalled(world), await world.listen()
    stream = uuid4()
    world.app.door.let_hear(stream, slow.account_id, quick.account_id)
    link = here(world, slow.account_id).link
    most = 0
    for seq in range(1, 61):
        await world.app.say(world.app.next_event(stream, data={"text": "x" * 30_000}))
        assert await quick.seqs(1) == [seq]
        most = max(most, link.waiting)
    await gone(world, slow.account_id)
    assert OUTBOX_BYTES / 2 < most <= OUTBOX_BYTES + 40_000
    await quick.nothing()
    slow.raw.close()


async def test_one_large_burst_does_not_cut_who_reads(world: World) -> None:
    """The control: it is not the amount, it is the reader."""
    quick, stream = await world.listen(), uuid4()
    world.app.door.let_hear(stream, quick.account_id)
    await world.app.say(world.app.next_event(stream))
    await quick.seqs(1)
    await world.app.say(*[world.app.next_event(stream, data={"text": "x" * 300}) for _ in range(5000)])
    assert await quick.seqs(5000, 20) == list(range(2, 5002))


async def test_a_stalled_reader_with_little_waiting_is_freed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.connection.STALLED_SECONDS", 0.5)
    monkeypatch.setattr(hub, "LOOK_AT_SOCKETS_SECONDS", 0.1)
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.1)
    async with running(tmp_path, events_heartbeat_seconds=60) as world:
        slow, quick, idle = await stalled(world), await world.listen(), await stalled(world)
        stream = uuid4()
        world.app.door.let_hear(stream, slow.account_id, quick.account_id)
        link = here(world, slow.account_id).link
        seq = 0
        while not link.waiting:
            seq += 1
            await world.app.say(world.app.next_event(stream, data={"text": "x" * 30_000}))
            assert await quick.seqs(1) == [seq]
        await gone(world, slow.account_id)
        # The control: who has nothing to read is not slow.
        await asyncio.sleep(0.7)
        here(world, idle.account_id)
        await quick.nothing()
        slow.raw.close()
        idle.raw.close()


async def test_silence_is_noticed_after_three_heartbeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "LOOK_AT_SOCKETS_SECONDS", 0.05)
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.05)
    async with running(tmp_path, events_heartbeat_seconds=0.2) as world:
        silent, answering = await stalled(world), await world.listen()
        started = time.monotonic()
        received = await silent.read()
        assert 0.4 < time.monotonic() - started < 4
        assert (4409).to_bytes(2, "big") in received
        assert b"\x89\x00" in received
        await answering.nothing()


async def test_whoever_was_not_asked_is_not_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that stood still for longer than that lets nobody go for it."""
    monkeypatch.setattr(hub, "LOOK_AT_SOCKETS_SECONDS", 0.05)
    async with running(tmp_path, events_heartbeat_seconds=0.2) as world:
        listening = await world.listen()
        await asyncio.sleep(0.3)
        time.sleep(1.0)
        for _ in range(5):
            await asyncio.sleep(0.1)
            here(world, listening.account_id)


async def test_what_waits_for_whoever_was_removed_does_not_reach_them(world: World) -> None:
    """What the kernel has is out of our hands; what waits in ours is not."""
    slow, other = await stalled(world), await world.listen()
    stream = uuid4()
    world.app.door.let_hear(stream, slow.account_id, other.account_id)
    link = here(world, slow.account_id).link
    seq = 0
    while not link.waiting:
        seq += 1
        await world.app.say(world.app.next_event(stream, data={"text": "x" * 30_000}))
        assert await other.seqs(1) == [seq]
    await world.app.say(world.app.next_event(stream, data={"text": "only for who is still there"}))
    await other.seqs(1)
    world.app.door.let_hear(stream, other.account_id)
    await world.app.command(RosterChanged(stream=stream, version=2))
    await gone(world, slow.account_id)
    assert b"only for who is still there" not in await slow.read()


async def test_what_waits_for_whoever_stays_does(world: World) -> None:
    """The control of the test above: the roster changes, but not for them."""
    slow, other = await stalled(world), await world.listen()
    stream = uuid4()
    world.app.door.let_hear(stream, slow.account_id, other.account_id)
    link = here(world, slow.account_id).link
    while not link.waiting:
        await world.app.say(world.app.next_event(stream, data={"text": "x" * 30_000}))
        await other.seqs(1)
    await world.app.say(world.app.next_event(stream, data={"text": "only for who is still there"}))
    await other.seqs(1)
    world.app.door.let_hear(stream, slow.account_id)
    await world.app.command(RosterChanged(stream=stream, version=2))
    await asyncio.sleep(0.2)
    reading = asyncio.create_task(slow.read())
    await asyncio.sleep(0.3)
    link.transport.abort()
    assert b"only for who is still there" in await reading


async def test_what_waits_for_whoever_signed_out_does_not_reach_them(world: World) -> None:
    session = uuid4()
    slow, other = await stalled(world, session_id=session), await world.listen()
    stream = uuid4()
    world.app.door.let_hear(stream, slow.account_id, other.account_id)
    link = here(world, slow.account_id).link
    while not link.waiting:
        await world.app.say(world.app.next_event(stream, data={"text": "x" * 30_000}))
        await other.seqs(1)
    await world.app.say(world.app.next_event(stream, data={"text": "only for who is still there"}))
    await other.seqs(1)
    await world.app.command(RevokeSession(session_id=session))
    await gone(world, slow.account_id)
    assert b"only for who is still there" not in await slow.read()


async def test_many_stalled_readers_delay_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = [await stalled(world) for _ in range(30)]
    quick, stream = await world.listen(), uuid4()
    world.app.door.let_hear(stream, quick.account_id, *[reader.account_id for reader in readers])
    slowest = 0.0
    for seq in range(1, 51):
        started = time.monotonic()
        await world.app.say(world.app.next_event(stream, data={"text": "x" * 30_000}))
        assert await quick.seqs(1) == [seq]
        slowest = max(slowest, time.monotonic() - started)
    for reader in readers:
        await gone(world, reader.account_id)
        reader.raw.close()
    assert slowest < 1.0
