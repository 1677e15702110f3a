"""Sockets that misbehave: each gets its close code, and everybody else goes on undisturbed."""

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from signalling import gateway
from signalling.connection import OUTBOX_BYTES, Connection
from tests.signalling.world import CANDIDATE, ORIGIN, SDP, Client, World, get, running

HELLO = {"type": "hello", "version": 1, "media": {"audio": True, "video": True}}
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n"
)


# Before the hello


async def test_a_foreign_origin_is_refused_before_the_upgrade(world: World, call_id: UUID) -> None:
    for origin in ("https://evil.test", "null", ORIGIN + ".evil.test", ORIGIN + ":8443"):
        with pytest.raises(InvalidStatus) as refused:
            await world.open(call_id, origin=origin)
        assert refused.value.response.status_code == 403
    await (await world.open(call_id, origin=None)).socket.close()


async def test_two_origins_are_refused(world: World, call_id: UUID) -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    origins = f"Origin: {ORIGIN}\r\nOrigin: https://evil.test\r\n"
    status, _ = await get(world, f"/calls/{call_id}", UPGRADE.format(key) + origins)
    assert status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/calls",
        "/calls/",
        "/calls/x",
        "/calls/{id}/",
        "/calls/{id}?ticket=x",
        "/calls/{ID}",
        "//calls/{id}",
    ],
)
async def test_other_paths_are_not_found(world: World, call_id: UUID, path: str) -> None:
    path = path.replace("{id}", str(call_id)).replace("{ID}", str(call_id).upper())
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{world.address}{path}", origin=ORIGIN, compression=None)  # type: ignore[arg-type]
    assert refused.value.response.status_code == 404


async def test_plain_http_on_a_call_is_told_to_upgrade(world: World, call_id: UUID) -> None:
    assert (await get(world, f"/calls/{call_id}"))[0] == 426


async def test_too_many_sockets(tmp_path: Path, call_id: UUID) -> None:
    async with running(tmp_path, max_sockets=1) as world:
        await world.join(call_id)
        with pytest.raises(InvalidStatus) as refused:
            await world.open(call_id)
        assert refused.value.response.status_code == 503


async def test_never_saying_hello(world: World, call_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "HELLO_SECONDS", 0.1)
    assert await (await world.open(call_id)).closed() == 4508


FIRST_FRAMES: list[tuple[str, Any]] = [
    ("empty", ""),
    ("not JSON", "hello"),
    ("deep", "[" * 20_000),
    ("deep and closed", "[" * 20_000 + "]" * 20_000),
    ("deep objects", '{"a":' * 10_000),
    ("not an object", "[]"),
    ("a number", "1"),
    ("null", "null"),
    ("no type", "{}"),
    ("unknown type", '{"type":"join"}'),
    ("type is a number", '{"type":1}'),
    ("type is a list", '{"type":["hello"]}'),
    ("another message", '{"type":"ping"}'),
    ("neither ticket nor resume", json.dumps(HELLO)),
    ("both", json.dumps({**HELLO, "ticket": "t" * 20, "resume": {"token": "t" * 20, "last_seq": 0}})),
    ("version is text", json.dumps({**HELLO, "ticket": "t" * 20, "version": "1"})),
    ("version is true", json.dumps({**HELLO, "ticket": "t" * 20, "version": True})),
    ("version of the future", json.dumps({**HELLO, "ticket": "t" * 20, "version": 2})),
    ("unknown field", json.dumps({**HELLO, "ticket": "t" * 20, "admin": True})),
    (
        "unknown inner field",
        json.dumps({**HELLO, "ticket": "t" * 20, "media": {"audio": True, "video": True, "x": 1}}),
    ),
    ("media is numbers", json.dumps({**HELLO, "ticket": "t" * 20, "media": {"audio": 1, "video": 0}})),
    ("NUL in the ticket", json.dumps({**HELLO, "ticket": "t" * 20 + "\0"})),
    ("ticket with spaces", json.dumps({**HELLO, "ticket": "t " * 20})),
    ("ticket is huge", json.dumps({**HELLO, "ticket": "t" * 60_000})),
    ("negative last_seq", json.dumps({**HELLO, "resume": {"token": "t" * 20, "last_seq": -1}})),
    ("absurd last_seq", json.dumps({**HELLO, "resume": {"token": "t" * 20, "last_seq": 10**400}})),
    ("lone surrogate", '{"type":"hello\\ud800"}'),
    ("NaN", '{"type":NaN}'),
    ("binary", b'{"type":"ping"}'),
]


@pytest.mark.parametrize(
    "frame", [frame for _, frame in FIRST_FRAMES], ids=[name for name, _ in FIRST_FRAMES]
)
async def test_nonsense_instead_of_a_hello(world: World, call_id: UUID, frame: str | bytes) -> None:
    client = await world.open(call_id)
    await client.socket.send(frame)
    assert (await client.next("error"))["seq"] == 0
    assert await client.closed() == 4506


async def test_an_unknown_resume_token(world: World, call_id: UUID) -> None:
    client = await world.open(call_id)
    await client.socket.send(json.dumps({**HELLO, "resume": {"token": "t" * 43, "last_seq": 0}}))
    assert await client.closed() == 4410


# In a call


BAD_MESSAGES: list[tuple[str, dict[str, Any], str]] = [
    ("unknown type", {"type": "shout"}, "invalid_message"),
    ("unknown field", {"type": "ping", "x": 1}, "invalid_message"),
    ("missing field", {"type": "media", "audio": True}, "invalid_message"),
    ("wrong type", {"type": "media", "audio": "yes", "video": True}, "invalid_message"),
    ("null", {"type": "media", "audio": None, "video": True}, "invalid_message"),
    ("second hello", {**HELLO, "ticket": "t" * 20}, "unexpected_message"),
    ("NUL in SDP", {"type": "offer", "pc": "direct", "generation": 1, "sdp": "v=0\0"}, "invalid_message"),
    ("long SDP", {"type": "offer", "pc": "direct", "generation": 1, "sdp": "v" * 32769}, "invalid_message"),
    ("generation 0", {"type": "offer", "pc": "direct", "generation": 0, "sdp": SDP}, "invalid_message"),
    (
        "huge generation",
        {"type": "offer", "pc": "direct", "generation": 10**9, "sdp": SDP},
        "invalid_message",
    ),
    ("float generation", {"type": "offer", "pc": "direct", "generation": 1.0, "sdp": SDP}, "invalid_message"),
    ("unknown pc", {"type": "offer", "pc": "other", "generation": 1, "sdp": SDP}, "invalid_message"),
    ("not SDP", {"type": "offer", "pc": "direct", "generation": 1, "sdp": "hello"}, "invalid_description"),
    (
        "too many sections",
        {"type": "offer", "pc": "direct", "generation": 1, "sdp": SDP + "m=audio 9 X 0\r\n" * 8},
        "invalid_description",
    ),
    (
        "not a candidate",
        {"type": "candidate", "pc": "direct", "generation": 1, "candidate": {"candidate": "x"}},
        "invalid_candidate",
    ),
    (
        "long candidate",
        {"type": "candidate", "pc": "direct", "generation": 1, "candidate": {"candidate": "x" * 1025}},
        "invalid_message",
    ),
    (
        "ninth line",
        {
            "type": "candidate",
            "pc": "direct",
            "generation": 1,
            "candidate": {**CANDIDATE, "sdpMLineIndex": 8},
        },
        "invalid_message",
    ),
    (
        "a stranger",
        {"type": "offer", "to": str(uuid4()), "pc": "direct", "generation": 1, "sdp": SDP},
        "unknown_participant",
    ),
    (
        "to is text",
        {"type": "offer", "to": "x", "pc": "direct", "generation": 1, "sdp": SDP},
        "invalid_message",
    ),
    ("wrong pc", {"type": "offer", "pc": "publish", "generation": 1, "sdp": SDP}, "wrong_connection"),
    ("too far ahead", {"type": "offer", "pc": "direct", "generation": 3, "sdp": SDP}, "unknown_generation"),
]


@pytest.fixture(scope="module")
async def busy(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A node whose call takes all the bad messages, one after the other."""
    async with running(tmp_path_factory.mktemp("busy")) as world:
        yield world


@pytest.mark.parametrize(
    ("message", "code"), [bad[1:] for bad in BAD_MESSAGES], ids=[bad[0] for bad in BAD_MESSAGES]
)
async def test_bad_messages_are_answered_and_go_no_further(
    busy: World, message: dict[str, Any], code: str
) -> None:
    first, second = await busy.pair(uuid4())
    if "pc" in message:
        await first.offer(second.id)
        await second.next("offer")
        message = {"to": second.id, **message}
    await first.socket.send(json.dumps(message))
    error = await first.next("error")
    assert error["code"] == code
    assert error["about"] == (message["type"] if message["type"] != "shout" else None)
    await first.pong()
    await second.pong()


async def test_ten_bad_messages_are_enough(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    for _ in range(10):
        await first.socket.send("{")
    assert await first.closed() == 4506
    assert (await second.next("participant_left"))["reason"] == "connection_lost"


async def test_a_binary_frame(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    await first.socket.send(b"{}")
    assert await first.closed() == 4506
    await second.next("participant_left")


@pytest.mark.parametrize("size", [65 * 1024, 10 * 1024 * 1024])
async def test_a_frame_that_is_too_large(world: World, call_id: UUID, size: int) -> None:
    first, second = await world.pair(call_id)
    sending = asyncio.create_task(first.socket.send("x" * size))
    assert await first.closed() == 4507
    await asyncio.gather(sending, return_exceptions=True)
    await second.next("participant_left")


async def test_invalid_utf8(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    await first.socket.send(b"\xff\xfe", text=True)
    assert await first.closed() == 1007
    await second.next("participant_left")


async def test_flooding(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    for _ in range(400):
        first.socket.protocol.send_text(b'{"type":"ping"}')
    first.socket.send_data()
    assert await first.closed() == 4509
    await second.next("participant_left")


async def test_a_flood_of_large_messages_is_noticed_sooner(world: World, call_id: UUID) -> None:
    first, _ = await world.pair(call_id)
    for _ in range(20):
        first.socket.protocol.send_text(b'"' + b"x" * 60_000 + b'"')
    first.socket.send_data()
    assert await first.closed() in (4509, 4506)


# Dead and slow


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
