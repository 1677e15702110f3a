"""Fixtures of the signalling tests: a node on a free port, the app's side of the bus, a real Valkey."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import redis

from signalling.contracts.bus import Bus
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.bus_valkey import ValkeyBus
from tests.signalling.circle import Circle, gather
from tests.signalling.valkey_server import ValkeyServer
from tests.signalling.world import World, running

CLAIM = 0.3
OpenBus = Callable[[], Bus]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running node that nobody is in."""
    async with running(tmp_path) as world:
        yield world


@pytest.fixture
async def circle(world: World) -> Circle:
    """Three people in a conversation, and a stranger."""
    return await gather(world)


@pytest.fixture
def call_id() -> UUID:
    """A call."""
    return uuid4()


@pytest.fixture
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A real, empty Valkey."""
    # A Unix socket's path has to be short.
    server = ValkeyServer(tmp_path_factory.mktemp("v"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A real Valkey that several tests use one after the other."""
    server = ValkeyServer(tmp_path_factory.mktemp("v"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["memory", "valkey"])
async def buses(request: pytest.FixtureRequest) -> AsyncIterator[OpenBus]:
    """Opens any number of ends of one bus."""
    opened: list[Bus] = []
    exchange = Exchange()
    url = ""
    if request.param == "valkey":
        server: ValkeyServer = request.getfixturevalue("shared_server")
        client = redis.Redis(unix_socket_path=str(server.socket))
        client.flushall()
        client.close()
        url = server.url

    def open_one() -> Bus:
        bus: Bus = ValkeyBus(url, claim_seconds=CLAIM) if url else MemoryBus(exchange, claim_seconds=CLAIM)
        opened.append(bus)
        return bus

    yield open_one
    for bus in opened:
        await bus.close()
