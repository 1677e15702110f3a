"""The plumbing that every room stands on."""

import asyncio
import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import time_machine
from fastapi import FastAPI
from limits import RateLimitItemPerMinute
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import Account
from app.core import clock, crypto, ids, limits
from app.core.db import Base, Database, Event, after_commit, emit, open_database
from app.core.errors import Problem, TooManyRequests
from app.core.locks import lock
from app.settings import Settings
from signalling.contracts.tickets import read_jwks
from tests.world import World

# Identities and keys


def test_ids_are_uuid7_and_sort_by_birth() -> None:
    made = []
    for second in range(5):
        with time_machine.travel(datetime(2026, 11, 22, 10, 0, second, tzinfo=UTC), tick=False):
            made.append(ids.new_id())
    assert made == sorted(made)
    assert len({ids.new_id() for _ in range(1000)}) == 1000
    for one in made:
        assert (one.version, one.variant) == (7, "specified in RFC 4122")
        assert one.int >> 80 == int(
            datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp() * 1000
        ) + 1000 * made.index(one)


def test_a_row_has_its_identity_and_times_before_it_is_stored() -> None:
    account = Account(email="a@example.org", name="A", zone="UTC", password_hash="x")
    assert isinstance(account.id, UUID)
    assert account.created_at.tzinfo is UTC


def test_keys_are_made_once_kept_private_and_rotated_by_adding_a_file(tmp_path: Path) -> None:
    place = tmp_path / "keys"
    first, again = crypto.load_keys(place), crypto.load_keys(place)
    assert (first.signing.kid, first.refresh) == (again.signing.kid, again.refresh)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    other = crypto.load_keys(tmp_path / "other")
    assert other.signing.kid != first.signing.kid
    (place / "signing-0002.pem").write_bytes((tmp_path / "other" / "signing-0001.pem").read_bytes())
    rotated = crypto.load_keys(place)
    assert rotated.signing.kid == other.signing.kid, "the newest signs"
    assert set(rotated.public) == {first.signing.kid, other.signing.kid}, "the older one still verifies"
    assert rotated.refresh == first.refresh


async def test_processes_that_start_together_agree_on_the_keys(tmp_path: Path) -> None:
    rings = await asyncio.gather(*(asyncio.to_thread(crypto.load_keys, tmp_path / "k") for _ in range(8)))
    assert len({(ring.signing.kid, ring.refresh, *ring.sealing.keys.items()) for ring in rings}) == 1


def test_what_is_sealed_opens_in_its_place_only_and_after_a_rotation(tmp_path: Path) -> None:
    first = crypto.load_keys(tmp_path).sealing
    sealed = first.seal("open sesame", "table.column 1")
    assert b"sesame" not in sealed
    assert sealed != first.seal("open sesame", "table.column 1"), "the same text looks otherwise each time"
    (tmp_path / "sealing-0002.key").write_bytes(b"\1" * 32)
    rotated = crypto.load_keys(tmp_path).sealing
    assert rotated.open(sealed, "table.column 1") == "open sesame"
    newer = rotated.seal("open sesame", "table.column 1")
    assert (sealed[:2], newer[:2]) == (b"\0\1", b"\0\2"), "the newest key seals"
    (tmp_path / "sealing-0001.key").unlink()
    left = crypto.load_keys(tmp_path).sealing
    assert left.open(newer, "table.column 1") == "open sesame"
    swapped = newer[:2] + sealed[2:]
    for unreadable, place in (
        (sealed, "table.column 1"),
        (newer, "table.column 2"),
        (newer, "table.other 1"),
        (newer[:-1] + bytes([newer[-1] ^ 1]), "table.column 1"),
        (swapped, "table.column 1"),
        (b"", "table.column 1"),
        (newer[:13], "table.column 1"),
    ):
        with pytest.raises(crypto.Unreadable):
            left.open(unreadable, place)
    (tmp_path / "sealing-0003.key").write_bytes(b"short")
    with pytest.raises(ValueError, match="sealing-0003"):
        crypto.load_keys(tmp_path)


def test_published_keys_are_public_keys_only(tmp_path: Path) -> None:
    keys = crypto.load_keys(tmp_path / "keys")
    path = tmp_path / "there" / "jwks.json"
    crypto.publish_jwks(keys, path)
    document = json.loads(path.read_text())
    assert all("d" not in key for key in document["keys"])
    assert set(read_jwks(document)) == {keys.signing.kid}
    assert [child.name for child in path.parent.iterdir()] == ["jwks.json"], "no draft stays behind"


# Errors


def test_every_problem_has_a_place_of_its_own_in_the_tree() -> None:
    leaves = [kind for kind in Problem.__subclasses__() if not kind.__name__.startswith("_")]
    assert len({kind.status for kind in leaves}) == len(leaves)
    assert len({kind.code for kind in leaves}) == len(leaves)
    for kind in leaves:
        document = kind().document()
        assert set(document) == {"type", "title", "status", "code", "detail", "errors"}
        assert document["detail"].endswith(".")


@pytest.mark.database
async def test_a_fault_of_ours_is_told_without_its_words_and_changes_nothing(world: World) -> None:
    person = await world.person()
    await world.run("ALTER TABLE audit_entry RENAME TO gone")
    answer = await person.post("/v1/organisations", {"name": "Acme"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == Problem().document()
    assert await world.run("SELECT 1 FROM organisation") == []


@pytest.mark.database
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/nowhere"), ("DELETE", "/v1/me"), ("GET", "/nowhere")]
)
async def test_the_frameworks_own_refusals_are_problem_documents_too(
    world: World, method: str, path: str
) -> None:
    answer = await world.client.request(method, path)
    assert answer.status_code in (404, 405)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.database
async def test_health_and_readiness(app: FastAPI, world: World) -> None:
    assert (await world.client.get("/healthz")).json() == {"status": "ok"}
    assert (await world.client.get("/readyz")).json() == {"status": "ok"}
    keys = await world.client.get("/.well-known/jwks.json")
    assert set(read_jwks(keys.json())) == set(world.door.keys.public)
    settings: Settings = app.state.settings
    app.state.database = open_database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    try:
        answer = await world.client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert (await world.client.get("/healthz")).status_code == 200
    finally:
        await app.state.database.close()
        app.state.database = world.database
    assert settings.database_url


# The transaction


class Happened(Event):
    what: str


def spying(database: Database, seen: list[str]) -> Database:
    """The same engine with reactions that note what they hear; one of them emits again."""

    async def note(db: AsyncSession, event: Happened) -> None:
        seen.append(event.what)
        if event.what == "first":
            emit(db, Happened(what="second"))

    return Database(database.engine, {Happened: [note]})


@pytest.mark.database
async def test_reactions_run_in_the_transaction_and_the_rest_after_the_commit(database: Database) -> None:
    seen: list[str] = []
    spied = spying(database, seen)

    async def tell() -> None:
        async with database.transaction() as other:
            count = await other.scalar(text("SELECT count(*) FROM organisation"))
        seen.append(f"after commit: {count}")

    async with spied.transaction() as db:
        await db.execute(text("INSERT INTO organisation VALUES (gen_random_uuid(), 'A', 'a', now())"))
        after_commit(db, tell)
        emit(db, Happened(what="first"))
        seen.append("end of work")
    assert seen == ["end of work", "first", "second", "after commit: 1"]


@pytest.mark.database
async def test_what_waits_for_the_commit_may_fail_without_being_told(database: Database) -> None:
    seen: list[str] = []

    async def broken() -> None:
        raise RuntimeError("the bus is away")

    async def fine() -> None:
        seen.append("fine")

    async with database.transaction() as db:
        after_commit(db, broken)
        after_commit(db, fine)
    assert seen == ["fine"]


@pytest.mark.database
async def test_a_rollback_takes_events_and_what_waited_with_it(database: Database) -> None:
    seen: list[str] = []
    spied = spying(database, seen)

    async def tell() -> None:
        seen.append("told")

    async def fail() -> None:
        async with spied.transaction() as db:
            after_commit(db, tell)
            emit(db, Happened(what="first"))
            raise RuntimeError("no, after all")

    with pytest.raises(RuntimeError):
        await fail()
    assert seen == []


@pytest.mark.database
async def test_a_failed_commit_is_never_answered_with_2xx(world: World) -> None:
    """A deferred constraint fails at the commit itself, when the answer has been made already."""
    await world.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$"
    )
    await world.run(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON organisation DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    person = await world.person()
    answer = await person.post("/v1/organisations", {"name": "Acme"})
    assert answer.status_code == 500
    assert await world.run("SELECT 1 FROM organisation") == []


@pytest.mark.database
async def test_locks_are_taken_in_one_order_so_that_races_only_wait(database: Database) -> None:
    left, right = uuid4(), uuid4()
    inside: list[int] = []

    async def hold(*ids: UUID) -> None:
        async with database.transaction() as db:
            await lock(db, "test", *ids)
            inside.append(1)
            assert sum(inside) == 1, "only one is inside"
            await asyncio.sleep(0.005)
            inside.append(-1)

    async with asyncio.timeout(10):
        await asyncio.gather(*(hold(left, right) if n % 2 else hold(right, left) for n in range(8)))


@pytest.mark.database
async def test_locks_of_another_realm_or_id_do_not_wait(database: Database) -> None:
    one = uuid4()
    async with asyncio.timeout(5), database.transaction() as first, database.transaction() as second:
        await lock(first, "test", one)
        await lock(second, "other", one)
        await lock(second, "test", uuid4())


@pytest.mark.database
async def test_instants_come_back_in_utc_whatever_the_server_thinks(database: Database) -> None:
    async with database.transaction() as db:
        assert await db.scalar(text("SHOW timezone")) == "UTC"
        assert await db.scalar(text("SHOW lock_timeout")) == "10s"
        assert await db.scalar(text("SHOW statement_timeout")) == "30s"


# Limits


async def test_a_limit_counts_each_separately_and_forgets() -> None:
    counted = limits.Limits(None)
    twice = RateLimitItemPerMinute(2, 10)
    start = clock.now()
    with time_machine.travel(start, tick=True):
        for _ in range(2):
            await counted.spend(twice, "sign_in", "a")
        with pytest.raises(TooManyRequests):
            await counted.spend(twice, "sign_in", "a")
        await counted.spend(twice, "sign_in", "b")
        await counted.spend(twice, "sign_up", "a")
    with time_machine.travel(start.timestamp() + 601, tick=True):
        await counted.spend(twice, "sign_in", "a")


@pytest.mark.parametrize(
    "address", ["redis://127.0.0.1:1/0", "valkey://127.0.0.1:1/0", "unix:///nowhere/valkey.sock"]
)
async def test_limits_hold_in_each_process_while_valkey_is_away(address: str) -> None:
    alone = limits.Limits(address)
    once = RateLimitItemPerMinute(1, 10)
    await alone.spend(once, "sign_in", "a")
    with pytest.raises(TooManyRequests):
        await alone.spend(once, "sign_in", "a")
    await alone.forgive(once, "sign_in", "a")
    await alone.spend(once, "sign_in", "a")


# Settings


def test_what_is_not_set_follows_from_what_is() -> None:
    plain = Settings()
    assert (plain.mode, plain.open_registration, plain.secure) == ("production", False, False)
    assert (plain.public_url, plain.issuer) == ("http://localhost:8000", "http://localhost:8000")
    development = Settings(mode="development")
    assert development.open_registration is True
    assert development.origins == {"http://localhost:8000", "http://127.0.0.1:8000"}
    secure = Settings(tls_cert=Path("c.pem"), public_url="https://mentorspan.example/")
    assert (secure.public_url, secure.signalling_public_url) == (
        "https://mentorspan.example",
        "wss://localhost:8001",
    )
    assert secure.secure
    assert secure.origins == {"https://mentorspan.example"}


def test_every_table_is_known_to_migrations() -> None:
    from_models = {mapper.class_.__tablename__ for mapper in Base.registry.mappers}
    assert from_models == set(Base.metadata.tables)
