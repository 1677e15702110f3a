"""Impossible times, links that are no good, doors that are not there: refused, and nothing changed."""

from datetime import timedelta
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from app.core import clock, crypto
from app.organisations.models import Invitation
from tests.app.house import House, mailed_link
from tests.app.kept import sweep
from tests.app.problems import CANARY, problem
from tests.app.visibility import state
from tests.world import Person, World, meeting

pytestmark = pytest.mark.database


@pytest.fixture
async def world(shared_world: World) -> World:
    """An empty world, in a database that the tests of this module share."""
    await sweep(shared_world)
    return shared_world


MOMENTS: Final[tuple[Any, ...]] = (
    "2020-01-01T10:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-12:00", "2199-01-01T00:00:00Z", "2026-12-24T18:00:00", "2026-12-24", "18:00", "now",
    "2026-02-30T10:00:00Z", "2026-12-24T25:00:00Z", "2026-12-24T18:00:61Z", "2026-12-24T18:00:00+99:00", "",
    0, 1795543200, 1e12, None, True, [], {},
)  # fmt: skip
ZONES: Final[tuple[Any, ...]] = (
    "Mars/Olympus", "localtime", "", "Europe", "europe/london", "UTC+1", "../../etc/passwd",
    "Europe/London\x00", "x" * 5000, 5, None, [],
)  # fmt: skip
DURATIONS: Final[tuple[Any, ...]] = (0, -5, 4, 481, 10**9, 2**63, "45", 45.5, True, None, [])


async def test_meetings_at_impossible_times(world: World) -> None:
    house = await House.build(world)
    path = f"/v1/pairings/{house.active.id}/meetings"
    good = meeting(clock.now() + timedelta(days=30))
    before = await state(world)
    for field, values in (("starts_at", MOMENTS), ("zone", ZONES), ("duration_minutes", DURATIONS)):
        for value in values:
            answer = await house.mentee.post(path, {**good, field: value})
            assert problem(answer, 422)["errors"][0]["pointer"] == f"/{field}", value
    past = await house.mentee.post(path, meeting(clock.now() - timedelta(minutes=5)))
    assert problem(past, 422)["code"] == "in_the_past"
    far = await house.mentee.post(path, meeting(clock.now() + timedelta(days=800)))
    assert problem(far, 422)["code"] == "too_far_ahead"
    assert await state(world) == before
    assert (await house.mentee.post(path, good)).status_code == 201


async def test_nobody_is_asked_for_a_time_that_is_taken(world: World) -> None:
    house = await House.build(world)
    path = f"/v1/pairings/{house.active.id}/meetings"
    at = clock.now() + timedelta(days=3)
    offered = [await house.mentor.ok("POST", path, meeting(at + timedelta(minutes=step))) for step in (0, 20)]
    await house.mentee.ok("POST", f"/v1/meetings/{offered[0]['id']}/accept")
    before = await state(world)
    second = await house.mentee.post(f"/v1/meetings/{offered[1]['id']}/accept")
    assert problem(second, 409)["code"] == "time_taken"
    for shift in (-44, 0, 44):
        overlapping = await house.mentee.post(path, meeting(at + timedelta(minutes=shift)))
        assert problem(overlapping, 409)["code"] == "time_taken"
    assert await state(world) == before
    touching = await house.mentee.post(path, meeting(at + timedelta(minutes=45)))
    assert touching.status_code == 201


async def test_links_from_mails_that_are_no_good(world: World) -> None:
    house = await House.build(world)
    password = "a long sentence"
    past = clock.now() - timedelta(seconds=1)
    expired = await mailed_link(world, house.mentee, password, expires_at=past)
    used = await mailed_link(world, house.mentee, password, used_at=past)
    good = await mailed_link(world, house.mentee, password)
    before = await state(world)
    bodies = set()
    for token in (expired, used, crypto.new_secret(), house.invitation_secret):
        body = {"token": token, "password": password}
        answer = await world.client.post("/v1/accounts/verify", json=body)
        assert problem(answer, 422)["code"] == "link_not_usable"
        bodies.add(answer.content)
    assert len(bodies) == 1
    wrong = await world.client.post("/v1/accounts/verify", json={"token": good, "password": "guessed"})
    problem(wrong, 401)
    assert await state(world) == before
    for status in (204, 422):
        body = {"token": good, "password": password}
        answer = await world.client.post("/v1/accounts/verify", json=body)
        assert answer.status_code == status


@pytest.mark.parametrize("spoilt", ["revoked_at", "accepted_at", "expires_at"])
async def test_invitations_that_are_no_good(world: World, spoilt: str) -> None:
    house = await House.build(world)
    async with world.database.transaction() as db:
        mine = update(Invitation).where(Invitation.id == house.invitation.id)
        await db.execute(mine.values({spoilt: clock.now() - timedelta(seconds=1)}))
    before = await state(world)
    body = {"token": house.invitation_secret}
    answer = await house.invited.post("/v1/invitations/accept", body)
    assert problem(answer, 409)["code"] == "invitation_not_pending"
    foreign = await house.colleague.post("/v1/invitations/accept", body)
    unknown = await house.colleague.post("/v1/invitations/accept", {"token": crypto.new_secret()})
    assert foreign.content == unknown.content
    problem(foreign, 404)
    assert await state(world) == before


async def test_what_is_not_there_and_methods_that_are_not(world: World) -> None:
    person: Person = await world.person()
    for path in (
        "/v1/nothing",
        "/v1/",
        "/v1/me/x",
        "/v1/%2e%2e/etc",
        "/.well-known/nothing",
        "/v1/reports/x/y",
    ):
        problem(await person.get(path), 404)
    for method, path in (("PUT", "/v1/me"), ("DELETE", "/v1/pairings"), ("PATCH", "/healthz")):
        answer = await person.call(method, path)
        assert problem(answer, 405)["code"] == "http_error"
        assert answer.headers["allow"]


async def test_a_fault_of_ours_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError(f"{CANARY} /srv/secret.py")

    person = await world.person()
    monkeypatch.setattr("app.accounts.queries.by_id", broken)
    answer = await person.get("/v1/me")
    assert problem(answer, 500)["code"] == "internal_error"


async def test_a_database_that_is_away_is_said_in_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def away(*_: object) -> None:
        raise OperationalError(
            f"SELECT {CANARY}", {}, psycopg.OperationalError("server closed the connection")
        )

    person = await world.person()
    monkeypatch.setattr("app.accounts.queries.by_id", away)
    answer = await person.get("/v1/me")
    assert problem(answer, 503)["code"] == "database_unavailable"
    assert answer.headers["retry-after"] == "1"
    assert CANARY not in capsys.readouterr().err
