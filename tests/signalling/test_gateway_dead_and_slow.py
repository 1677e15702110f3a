"""Sockets that are dead, slow or silent, and faults of ours: who is cut, and that others go on."""

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from signalling.connection import OUTBOX_BYTES, Connection
from tests.signalling.test_gateway_bad_input import HELLO, UPGRADE
from tests.signalling.world import Client, World, running


async def raw_socket(world: World, call_id: UUID) -> socket.socket:
    """A socket that has said hello, on which nobody answers pings: all below WebSocket is ours."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", world.node.port))
    head = UPGRADE.format("dGhlIHNhbXBsZSBub25jZQ==")
    request = f"GET /calls/{call_id} HTTP/1.1\r\nHost: {world.address}\r\n{head}\r\n"
    await loop.sock_sendall(raw, request.encode())
    assert b" 101 " in await loop.sock_recv(raw, 1024)
    text = json.dumps({**HELLO, "ticket": world.app.ticket(call_id)}).encode()
    await loop.sock_sendall(raw, b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text)
    assert b"welcome" in await loop.sock_recv(raw, 4096)
    return raw


async def test_silence_is_noticed_after_three_heartbeats(tmp_path: Path, call_id: UUID) -> None:
    async with running(tmp_path, heartbeat_seconds=0.1, resume_grace_seconds=0.1) as world:
        first = await world.join(call_id)
        raw = await raw_socket(world, call_id)
        await first.next("participant_joined")
        assert (await first.next("participant_connection"))["state"] == "reconnecting"
        assert (await first.next("participant_left"))["reason"] == "connection_lost"
        loop = asyncio.get_running_loop()
        received = b""
        while chunk := await loop.sock_recv(raw, 4096):
            received += chunk
        assert (4409).to_bytes(2, "big") in received
        raw.close()


async def test_whoever_answers_pings_need_not_speak(tmp_path: Path, call_id: UUID) -> None:
    async with running(tmp_path, heartbeat_seconds=0.05) as world:
        first = await world.join(call_id)
        await asyncio.sleep(0.4)
        await first.pong()


async def test_whoever_stops_reading_is_cut_and_freed(tmp_path: Path, call_id: UUID) -> None:
    """What waits for a stalled reader is bounded, delays nobody, and its socket is gone soon."""
    async with running(tmp_path, heartbeat_seconds=30) as world:
        first = await world.join(call_id)
        raw = await raw_socket(world, call_id)
        await first.next("participant_joined")
        server = world.node._server
        assert server is not None
        stalled = next(c for c in server.connections if c.remote_address == raw.getsockname())
        assert isinstance(stalled, Connection)
        frame = json.dumps({"type": "x", "text": "x" * 60_000}).encode()
        started = time.monotonic()
        for _ in range(100):
            stalled.push(frame)
        assert time.monotonic() - started < 0.5
        assert stalled.transport.get_write_buffer_size() <= OUTBOX_BYTES + len(frame)
        await first.pong()
        assert (await first.next("participant_connection", 5))["state"] == "reconnecting"
        assert stalled.transport.is_closing()
        assert len(server.connections) == 1
        raw.close()


async def test_a_stalled_reader_with_little_waiting_is_freed_too(
    tmp_path: Path, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.connection.STALLED_SECONDS", 0.2)
    monkeypatch.setattr("signalling.connection.BEATS_MISSED", 1000)
    async with running(tmp_path, heartbeat_seconds=0.05) as world:
        first = await world.join(call_id)
        raw = await raw_socket(world, call_id)
        await first.next("participant_joined")
        server = world.node._server
        assert server is not None
        stalled = next(c for c in server.connections if c.remote_address == raw.getsockname())
        assert isinstance(stalled, Connection)
        while stalled.transport.get_write_buffer_size() < 100_000:
            stalled.push(b"x" * 10_000)
        assert (await first.next("participant_connection", 5))["state"] == "reconnecting"
        raw.close()


async def test_the_kernel_frees_dead_peers_too(world: World) -> None:
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        pytest.skip("the kernel has no TCP_USER_TIMEOUT")
    client = await world.open(uuid4())
    server = world.node._server
    assert server is not None
    (connection,) = server.connections
    inside = connection.transport.get_extra_info("socket")
    assert inside.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 8000
    await client.socket.close()


async def test_a_fault_of_ours_lets_the_client_come_back(
    world: World, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await world.pair(call_id)

    async def fail(*_: Any) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(world.node.hub, "receive", fail)
        await first.send("ping")
        assert await first.closed() == 4412
    assert (await second.next("participant_connection"))["state"] == "reconnecting"
    again: Client = await (await world.open(call_id)).resume_of(first)
    await again.pong()
