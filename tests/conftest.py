"""What the tests stand on: real engines, a fresh database for each test, and people to act in it."""

import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from app.core import limits, migrate
from app.core.db import Database
from app.core.engines import PrivatePostgres, libpq_url, normalise_database_url
from app.main import create_app
from app.settings import Settings
from tests.world import World

TEMPLATE = "mentorspan_template"
# httpx2 looks for it at each request to an application, and looking in vain takes as long as a statement.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server: the one that MENTORSPAN_TEST_DATABASE_URL names, else a private one."""
    given = os.environ.get("MENTORSPAN_TEST_DATABASE_URL")
    if given:
        yield normalise_database_url(given)
        return
    postgres = PrivatePostgres(tmp_path_factory.mktemp("engines"), durable=False)
    try:
        yield postgres.start()
    finally:
        postgres.stop()


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _administer(url: str, *statements: str) -> None:
    with psycopg.connect(libpq_url(_named(url, "postgres")), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """A migrated database that every test's own is copied from."""
    name = f"{TEMPLATE}_{uuid.uuid4().hex[:8]}"
    _administer(server_url, f"CREATE DATABASE {name}")
    migrate.upgrade(_named(server_url, name))
    yield name
    _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    _administer(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _named(server_url, name)
    _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Production settings with open registration, and a bus in memory of this test's own."""
    limits.open_limits.cache_clear()
    return Settings(
        database_url=database_url,
        valkey_url=f"memory://{uuid.uuid4().hex}",
        state_dir=tmp_path / "state",
        open_registration=True,
        database_pool=5,
        log_level="error",
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running application."""
    application = create_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
def database(app: FastAPI) -> Database:
    """The application's database."""
    database: Database = app.state.database
    return database


@pytest.fixture
async def world(app: FastAPI) -> AsyncIterator[World]:
    """Makes people, organisations and mentorships, and speaks for them over HTTP."""
    async with World(app) as made:
        yield made
