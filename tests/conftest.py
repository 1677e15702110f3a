"""What the tests stand on: real engines, a fresh database for each test, and people to act in it."""

import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from app.core import limits, migrate
from app.core.db import Database
from app.core.engines import PrivatePostgres, libpq_url, normalise_database_url
from app.main import create_app
from app.settings import Settings
from app.tables import TABLES
from tests.world import World

HERE = Path(__file__).resolve().parent
TEMPLATE = "mentorspan_template"
ROOMS = {"browser": ("e2e", "independent"), "alone": ("streams", "e2e", "independent")}
"""Where tests with these marks are looked for, so that they need not be looked for everywhere."""
LONGEST = (
    *("test_verify_action", "test_crash", "test_serve", "test_visibility", "test_fuzz", "test_two_wrtc"),
    *("test_events_missed", "test_chat_races", "test_engines", "test_cli", "test_hostile"),
)
# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("house")
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first, so that at the end no worker waits long for the other."""
    for item in items:
        for mark, rooms in ROOMS.items():
            if item.get_closest_marker(mark) and item.path.relative_to(HERE).parts[0] not in rooms:
                raise pytest.UsageError(f"{item.nodeid} is marked {mark}, and nobody looks for it there.")
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


class Databases:
    """Databases made from the template. To empty one that a test gave back is much faster than a new one."""

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url = server_url
        self._template = template
        self._shape = self._shape_of(template)
        self._free: list[str] = []

    def url(self, name: str) -> str:
        """The address of a database."""
        return _named(self._server_url, name)

    def lend(self) -> str:
        """The name of a migrated, empty database."""
        if self._free:
            return self._free.pop()
        name = f"test_{uuid.uuid4().hex[:12]}"
        _administer(self._server_url, f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return name

    def take_back(self, name: str) -> None:
        """Empty a database, or drop it: what a test did to its tables must not meet the next."""
        if self._shape_of(name) == self._shape:
            with psycopg.connect(libpq_url(self.url(name)), autocommit=True) as connection:
                connection.execute(_END_OTHERS)
                connection.execute(_EMPTY.encode())
            self._free.append(name)
        else:
            self.drop(name)

    def drop(self, name: str) -> None:
        """It is not needed any more."""
        _administer(self._server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def drop_all(self) -> None:
        """The end."""
        for name in self._free:
            self.drop(name)

    def _shape_of(self, name: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(libpq_url(self.url(name)), autocommit=True) as connection:
            return connection.execute(_SHAPE).fetchall()


_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = "; ".join(
    f'DELETE FROM "{table}"'
    for table in [
        *(table.name for table in reversed(TABLES[0].metadata.sorted_tables)),
        *(f"procrastinate_{rest}" for rest in ("periodic_defers", "events", "jobs", "workers")),
    ]
)
_SHAPE = """
SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
UNION ALL SELECT indexname, indexdef, true FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT tgname, pg_get_triggerdef(oid), tgenabled = 'O' FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT attname, attrelid::regclass::text || atttypid::regtype::text, attnotnull
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
ORDER BY 1, 2
"""


@pytest.fixture(scope="session")
def databases(server_url: str, template: str) -> Iterator[Databases]:
    """Lends databases."""
    made = Databases(server_url, template)
    yield made
    made.drop_all()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated, empty database, for this test alone."""
    name = databases.lend()
    yield databases.url(name)
    databases.take_back(name)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Production settings with open registration, and a bus in memory of this test's own."""
    limits.open_limits.cache_clear()
    return Settings(
        database_url=database_url,
        valkey_url=f"memory://{uuid.uuid4().hex}",
        state_dir=tmp_path / "state",
        recordings=tmp_path / "recordings",
        open_registration=True,
        database_pool=5,
        log_level="error",
    )


@pytest.fixture(scope="session")
def application() -> FastAPI:
    """Made once: with the first request routes are built, which takes as long as a test."""
    return create_app(Settings())


@pytest.fixture
async def app(application: FastAPI, settings: Settings) -> AsyncIterator[FastAPI]:
    """The running application."""
    application.state.settings = settings
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
