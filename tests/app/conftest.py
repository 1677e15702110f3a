"""A node's end of the bus, and shared databases for the suites that play hundreds of scenes.

Those are swept for each test instead of copied.
"""

import uuid
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from app.core.engines import libpq_url
from app.main import create_app
from app.settings import Settings
from signalling.contracts.bus import Bus
from signalling.contracts.bus_open import open_bus
from tests.world import World


@pytest.fixture(scope="module")
def shared_settings(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings as every test has them, with one database for a whole module."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server = make_url(server_url)
    administer = libpq_url(server.set(database="postgres").render_as_string(hide_password=False))
    with psycopg.connect(administer, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    yield Settings(
        database_url=server.set(database=name).render_as_string(hide_password=False),
        valkey_url=f"memory://{uuid.uuid4().hex}",
        state_dir=tmp_path_factory.mktemp("shared") / "state",
        recordings=tmp_path_factory.mktemp("recordings"),
        open_registration=True,
        database_pool=5,
        log_level="error",
    )
    with psycopg.connect(administer, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
async def shared_world(shared_settings: Settings) -> AsyncIterator[World]:
    """One running application for a whole module."""
    application = create_app(shared_settings)
    async with application.router.lifespan_context(application), World(application) as made:
        yield made


@pytest.fixture
async def bus(app: FastAPI) -> AsyncIterator[Bus]:
    """A node's end of the application's bus."""
    opened = open_bus(app.state.settings.valkey_url)
    yield opened
    await opened.close()
