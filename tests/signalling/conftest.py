"""Fixtures of the signalling tests: a node on a free port, the app's side of the bus, a real Valkey."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.signalling.valkey_server import ValkeyServer
from tests.signalling.world import World, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running node that nobody is in."""
    async with running(tmp_path) as world:
        yield world


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
