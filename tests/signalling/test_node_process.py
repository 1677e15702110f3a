"""`python -m signalling` as a process, on a real Valkey: it starts, serves and drains, or says why not."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from websockets.asyncio.client import connect

from signalling.contracts.bus_open import open_bus
from signalling.settings import Settings
from tests.signalling.valkey_server import ValkeyServer
from tests.signalling.world import ISSUER, NODE, App, Client


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def process(directory: Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A signalling process with this environment and nothing of ours."""
    own = {"PATH": os.environ["PATH"], "MENTORSPAN_STATE_DIR": str(directory), **environment}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "signalling", env=own, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def test_a_node_serves_reports_and_drains(tmp_path: Path, valkey: ValkeyServer) -> None:
    bus = open_bus(valkey.url)
    app = App(bus, tmp_path)
    taking_in = asyncio.create_task(app.take_in())
    port = free_port()
    environment = {
        "VALKEY_URL": valkey.url,
        "MENTORSPAN_NODE": NODE,
        "MENTORSPAN_PUBLIC_URL": ISSUER,
        "MENTORSPAN_SIGNALLING_PORT": str(port),
    }
    async with process(tmp_path, **environment) as node:
        await app.wait_for(app.alive, 10)
        assert app.alive()[0].url == f"ws://localhost:{port}"
        call_id = uuid4()
        async with connect(f"ws://127.0.0.1:{port}/calls/{call_id}", compression=None) as first_socket:
            first = await Client(first_socket).hello(ticket=app.ticket(call_id))
            await app.wait_for(app.joined)
            node.send_signal(signal.SIGTERM)
            assert (await first.next("ended"))["reason"] == "server_stopped"
            assert await first.closed() == 4400
        async with asyncio.timeout(10):
            assert await node.wait() == 0
        await app.wait_for(app.left)
        assert app.left()[0].reason == "server_stopped"
        assert app.alive()[-1].draining
    await bus.close()
    taking_in.cancel()
    await asyncio.gather(taking_in, return_exceptions=True)


async def test_without_a_bus_it_says_so(tmp_path: Path) -> None:
    async with process(tmp_path) as node:
        _, errors = await node.communicate()
        assert node.returncode == 1
        assert b"VALKEY_URL is not set" in errors


async def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with process(tmp_path, VALKEY_URL="memory://", MENTORSPAN_SIGNALLING_PORT=port) as node:
            _, errors = await node.communicate()
            assert node.returncode == 1
            assert f"Cannot listen on 127.0.0.1:{port}".encode() in errors
            assert b"Traceback" not in errors


def test_settings() -> None:
    settings = Settings(public_url="https://a.test/", allowed_origins=("https://b.test/",), node="my node:1")
    assert settings.origins == {"https://a.test", "https://b.test"}
    assert settings.issuer == "https://a.test"
    assert settings.node == "my-node-1"
    own = Settings(mode="development", app_port=8123, signalling_port=8124)
    assert own.origins == {"http://localhost:8123", "http://127.0.0.1:8123"}
    assert own.signalling_public_url == "ws://localhost:8124"
    assert own.node.endswith("-8124")
