"""Events sockets that break the rules: each gets its answer, and everybody else goes on undisturbed."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from signalling import gateway
from tests.signalling.world import Ear, World

HELLO = {"type": "hello", "version": 1}


async def test_never_saying_hello(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "HELLO_SECONDS", 0.1)
    assert await (await world.open_events()).closed() == 4508


FIRST_FRAMES: list[tuple[str, Any]] = [
    ("empty", ""),
    ("not JSON", "hello"),
    ("deep", "[" * 10_000),
    ("not an object", "[]"),
    ("no type", "{}"),
    ("unknown type", '{"type":"subscribe"}'),
    ("type is a list", '{"type":["hello"]}'),
    ("another message", '{"type":"ping"}'),
    ("neither ticket nor resume", json.dumps(HELLO)),
    ("both", json.dumps({**HELLO, "ticket": "t" * 20, "resume": {"token": "t" * 20}})),
    ("version is text", json.dumps({**HELLO, "ticket": "t" * 20, "version": "1"})),
    ("version of the future", json.dumps({**HELLO, "ticket": "t" * 20, "version": 2})),
    ("unknown field", json.dumps({**HELLO, "ticket": "t" * 20, "admin": True})),
    ("a call's hello", json.dumps({**HELLO, "ticket": "t" * 20, "media": {"audio": True, "video": True}})),
    ("unknown state", json.dumps({**HELLO, "ticket": "t" * 20, "state": "offline"})),
    ("ticket is a number", json.dumps({**HELLO, "ticket": 1})),
    ("resume of a call", json.dumps({**HELLO, "resume": {"token": "t" * 20, "last_seq": 0}})),
    ("binary", json.dumps({**HELLO, "ticket": "t" * 20}).encode()),
]


@pytest.mark.parametrize(
    "frame", [frame for _, frame in FIRST_FRAMES], ids=[name for name, _ in FIRST_FRAMES]
)
async def test_nonsense_instead_of_a_hello(world: World, frame: str | bytes) -> None:
    ear = await world.open_events()
    await ear.socket.send(frame)
    await ear.next("error")
    assert await ear.closed() == 4506


@pytest.mark.parametrize("token", ["", "t", "t" * 43, "\0" * 20, "é€\u2028", "t" * 15_000])
async def test_an_unknown_resume_token(world: World, token: str) -> None:
    ear = await world.open_events()
    await ear.socket.send(json.dumps({**HELLO, "resume": {"token": token}}))
    assert (await ear.next("error"))["code"] == "resume_refused"
    assert await ear.closed() == 4410


BAD_MESSAGES: list[tuple[str, dict[str, Any], str]] = [
    ("unknown type", {"type": "subscribe"}, "invalid_message"),
    ("unknown field", {"type": "ping", "x": 1}, "invalid_message"),
    ("second hello", {**HELLO, "ticket": "t" * 20}, "unexpected_message"),
    ("typing without a stream", {"type": "typing", "typing": True}, "invalid_message"),
    ("typing in no UUID", {"type": "typing", "stream": "x", "typing": True}, "invalid_message"),
    ("typing is a number", {"type": "typing", "stream": str(uuid4()), "typing": 1}, "invalid_message"),
    (
        "typing as somebody",
        {"type": "typing", "stream": str(uuid4()), "typing": True, "membership_id": str(uuid4())},
        "invalid_message",
    ),
    ("unknown state", {"type": "presence", "state": "offline"}, "invalid_message"),
    ("no state", {"type": "presence", "state": None}, "invalid_message"),
    ("too many streams", {"type": "watch", "streams": [str(uuid4()) for _ in range(101)]}, "invalid_message"),
    ("streams are numbers", {"type": "watch", "streams": [1]}, "invalid_message"),
    ("no streams", {"type": "watch"}, "invalid_message"),
    ("an event of one's own", {"type": "event", "stream": str(uuid4()), "seq": 1}, "invalid_message"),
]


@pytest.mark.parametrize(
    ("message", "code"), [bad[1:] for bad in BAD_MESSAGES], ids=[bad[0] for bad in BAD_MESSAGES]
)
async def test_bad_messages_are_answered_and_go_no_further(
    world: World, message: dict[str, Any], code: str
) -> None:
    ear, other = await world.listen(), await world.listen()
    await ear.socket.send(json.dumps(message))
    error = await ear.next("error")
    assert error["code"] == code
    known = message["type"] in ("ping", "hello", "typing", "presence", "watch")
    assert error["about"] == (message["type"] if known else None)
    await ear.nothing()
    await other.nothing()


async def test_ten_bad_messages_are_enough(world: World) -> None:
    ear, other = await world.listen(), await world.listen()
    for _ in range(9):
        await ear.socket.send("{")
        await ear.next("error")
    await ear.nothing()
    await ear.socket.send("{")
    assert await ear.closed() == 4506
    await other.nothing()


async def broken(world: World, ear: Ear) -> int:
    """How a socket that broke the rules ends: it may not resume."""
    code = await ear.closed()
    async with asyncio.timeout(5):
        while len(world.node.events.listeners):
            await asyncio.sleep(0.005)
    again = await world.open_events()
    await again.send("hello", version=1, resume={"token": ear.welcome["resume_token"]})
    assert await again.closed() == 4410
    return code


async def test_a_binary_frame(world: World) -> None:
    ear = await world.listen()
    await ear.socket.send(b'{"type":"ping"}')
    assert await broken(world, ear) == 4506


async def test_invalid_utf8(world: World) -> None:
    ear = await world.listen()
    await ear.socket.send(b"\xff\xfe", text=True)
    assert await broken(world, ear) == 1007


@pytest.mark.parametrize("size", [17 * 1024, 5 * 1024 * 1024])
async def test_a_frame_that_is_too_large(world: World, size: int) -> None:
    ear = await world.listen()
    sending = asyncio.create_task(ear.socket.send("x" * size))
    assert await broken(world, ear) == 4507
    await asyncio.gather(sending, return_exceptions=True)


async def test_a_call_may_send_larger_frames(world: World, call_id: UUID) -> None:
    """The control: the limit is of the events socket alone."""
    client = await world.join(call_id)
    await client.socket.send(json.dumps({"type": "nonsense", "x": "x" * 20_000}))
    assert (await client.next("error"))["code"] == "invalid_message"


async def test_flooding(world: World) -> None:
    ear, other = await world.listen(), await world.listen()
    for _ in range(400):
        ear.socket.protocol.send_text(b'{"type":"ping"}')
    ear.socket.send_data()
    assert await ear.closed() == 4509
    await other.nothing()


async def test_a_watch_costs_more_than_a_ping(world: World) -> None:
    ear = await world.listen()
    message = json.dumps({"type": "watch", "streams": [str(uuid4()) for _ in range(100)]}).encode()
    for _ in range(25):
        ear.socket.protocol.send_text(message)
    ear.socket.send_data()
    assert await ear.closed() == 4509
