"""Sockets that break the rules: each gets its close code, and everybody else goes on undisturbed."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from signalling import gateway
from tests.signalling.world import CANDIDATE, ORIGIN, SDP, World, get, running

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
    ("ticket is a number", json.dumps({**HELLO, "ticket": 1})),
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


NO_TOKENS = ["", "t", "t" * 43, "t " * 20, "\0" * 20, "a.b.c", "é€\u2028", "t" * 60_000]


@pytest.mark.parametrize("token", NO_TOKENS, ids=range(len(NO_TOKENS)))
async def test_whatever_is_no_ticket_is_refused_as_a_ticket(world: World, call_id: UUID, token: str) -> None:
    client = await world.open(call_id)
    await client.socket.send(json.dumps({**HELLO, "ticket": token}))
    assert (await client.next("error"))["code"] == "ticket_refused"
    assert await client.closed() == 4501


@pytest.mark.parametrize("token", NO_TOKENS, ids=range(len(NO_TOKENS)))
async def test_an_unknown_resume_token(world: World, call_id: UUID, token: str) -> None:
    client = await world.open(call_id)
    await client.socket.send(json.dumps({**HELLO, "resume": {"token": token, "last_seq": 0}}))
    assert (await client.next("error"))["code"] == "resume_refused"
    assert await client.closed() == 4410


# In a call


BAD_MESSAGES: list[tuple[str, dict[str, Any], str]] = [
    ("unknown type", {"type": "shout"}, "invalid_message"),
    ("unknown field", {"type": "ping", "x": 1}, "invalid_message"),
    ("missing field", {"type": "media", "audio": True}, "invalid_message"),
    ("wrong type", {"type": "media", "audio": "yes", "video": True}, "invalid_message"),
    ("null", {"type": "media", "audio": None, "video": True}, "invalid_message"),
    ("mute nobody", {"type": "mute", "source": "camera"}, "invalid_message"),
    ("mute a room", {"type": "mute", "participant_id": str(uuid4()), "source": "room"}, "invalid_message"),
    (
        "mute without the right",
        {"type": "mute", "participant_id": str(uuid4()), "source": "camera"},
        "not_permitted",
    ),
    ("second hello", {**HELLO, "ticket": "t" * 20}, "unexpected_message"),
    ("NUL in SDP", {"type": "offer", "pc": "direct", "generation": 1, "sdp": "v=0\0"}, "invalid_message"),
    ("long SDP", {"type": "offer", "pc": "direct", "generation": 1, "sdp": "v" * 114_689}, "invalid_message"),
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
        "a candidate of no section",
        {
            "type": "candidate",
            "pc": "direct",
            "generation": 1,
            "candidate": {**CANDIDATE, "sdpMid": None, "sdpMLineIndex": None},
        },
        "invalid_candidate",
    ),
    (
        "long candidate",
        {"type": "candidate", "pc": "direct", "generation": 1, "candidate": {"candidate": "x" * 1025}},
        "invalid_message",
    ),
    (
        "65th line",
        {
            "type": "candidate",
            "pc": "direct",
            "generation": 1,
            "candidate": {**CANDIDATE, "sdpMLineIndex": 64},
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


@pytest.mark.parametrize("size", [129 * 1024, 10 * 1024 * 1024])
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


async def test_a_refused_offer_begins_nothing(world: World, call_id: UUID) -> None:
    """Otherwise one client's nonsense would silence the healthy connection of both."""
    first, second = await world.pair(call_id)
    await first.offer(second.id, generation=1)
    await second.next("offer")
    for sdp in ("hello", "still not SDP"):
        await first.offer(second.id, generation=2, sdp=sdp)
        assert (await first.next("error"))["code"] == "invalid_description"
    await first.offer(second.id, generation=1, sdp="nonsense within the generation")
    assert (await first.next("error"))["code"] == "invalid_description"
    await second.send("candidate", to=first.id, pc="direct", generation=1, candidate=CANDIDATE)
    assert (await first.next("candidate"))["generation"] == 1
    await first.offer(second.id, generation=2)
    assert (await second.next("offer"))["generation"] == 2
