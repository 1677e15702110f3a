"""The question to app over real HTTP: signed, kept open, at several addresses; and this node's key."""

import asyncio
import os
import socket
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signalling.contracts.standing import StandingAsk
from signalling.contracts.tickets import node_public_key
from signalling.events import doorbell
from signalling.events.doorbell import Doorbell, NoAnswer
from signalling.node_key import load_node_key
from signalling.settings import Settings
from tests.signalling.internal_door import InternalDoor

KEY = Ed25519PrivateKey.generate()
ASK = StandingAsk(streams=(uuid4(),))


@pytest.fixture
async def door() -> AsyncIterator[InternalDoor]:
    """App's internal door, which knows the node `node-1`."""
    known = {"node-1": node_public_key(KEY)}
    door = InternalDoor(lambda node: known.get(node, ""))
    await door.open()
    yield door
    await door.close()


def nobody() -> str:
    """An address where nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


async def test_one_connection_serves_many_questions(door: InternalDoor) -> None:
    bell = Doorbell([door.url], "node-1", KEY)
    account, stream, session = uuid4(), uuid4(), uuid4()
    door.let_hear(stream, account)
    door.ended.add(session)
    for _ in range(3):
        answer = await bell.ask(StandingAsk(streams=(stream,), sessions=(session, uuid4())))
        assert list(answer.rosters[0].members) == [account]
        assert answer.ended_sessions == (session,)
    assert door.connections == 1
    await bell.close()
    with pytest.raises(NoAnswer):
        await bell.ask(ASK)


async def test_a_connection_that_app_closed_is_opened_again(door: InternalDoor) -> None:
    bell = Doorbell([door.url], "node-1", KEY)
    await bell.ask(ASK)
    for task in list(door._tasks):
        task.cancel()
    await asyncio.sleep(0.05)
    await bell.ask(ASK)
    assert door.connections == 2
    await bell.close()


async def test_app_is_asked_where_it_answers(door: InternalDoor) -> None:
    bell = Doorbell([nobody(), door.url], "node-1", KEY)
    for _ in range(2):
        await bell.ask(ASK)
    assert len(door.asks) == 2
    assert bell._doors[0].url == door.url
    await bell.close()


@pytest.mark.parametrize(("node", "key"), [("node-2", KEY), ("node-1", Ed25519PrivateKey.generate())])
async def test_a_node_that_app_does_not_know_gets_no_answer(
    door: InternalDoor, node: str, key: Ed25519PrivateKey
) -> None:
    bell = Doorbell([door.url], node, key)
    with pytest.raises(NoAnswer, match="401"):
        await bell.ask(ASK)
    assert (door.refused, door.asks) == (1, [])
    await bell.close()


async def test_a_token_is_not_good_for_long(door: InternalDoor) -> None:
    bell = Doorbell([door.url], "node-1", KEY, clock=lambda: time.time() - 61)
    with pytest.raises(NoAnswer, match="401"):
        await bell.ask(ASK)
    await bell.close()


async def test_an_app_that_is_silent_is_not_waited_for(
    door: InternalDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "ANSWER_SECONDS", 0.2)
    bell = Doorbell([door.url], "node-1", KEY)
    door.answers.clear()
    started = time.monotonic()
    with pytest.raises(NoAnswer, match="timed out"):
        await bell.ask(ASK)
    assert time.monotonic() - started < 1.5
    door.answers.set()
    await bell.ask(ASK)
    await bell.close()


async def test_closing_does_not_wait_for_an_answer(door: InternalDoor) -> None:
    bell = Doorbell([door.url], "node-1", KEY)
    door.answers.clear()
    asking = asyncio.create_task(bell.ask(ASK))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await bell.close()
    assert time.monotonic() - started < 1
    with pytest.raises(NoAnswer):
        await asking


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_none(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bell = Doorbell([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"], "node-1", KEY)
    with pytest.raises(NoAnswer):
        await bell.ask(ASK)
    await bell.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("url", ["ftp://app", "app:8002", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an http"):
        Doorbell([url], "node-1", KEY)


def test_where_app_is_asked() -> None:
    assert Settings(app_port=8123).internal_urls == ("http://127.0.0.1:8125",)
    assert Settings(internal_port=9000).internal_urls == ("http://127.0.0.1:9000",)
    several = Settings.model_validate({"internal_urls": "http://a:1, http://b:2/x"})
    assert several.internal_urls == ("http://a:1", "http://b:2/x")


# The node's key


def test_a_node_keeps_its_key(tmp_path: Path) -> None:
    first = load_node_key(tmp_path, "node-1")
    assert node_public_key(load_node_key(tmp_path, "node-1")) == node_public_key(first)
    assert node_public_key(load_node_key(tmp_path, "node-2")) != node_public_key(first)
    path = tmp_path / "nodes" / "node-1.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(os.listdir(path.parent)) == ["node-1.pem", "node-2.pem"]


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "node-1.pem").write_text("nonsense")
    with pytest.raises(ValueError, match="Unable to load PEM"):
        load_node_key(tmp_path, "node-1")
