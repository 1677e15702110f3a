"""The demo world: it is made through the same doors as people use, and its sign-ins sign in."""

from datetime import datetime

import pytest

from app import demo
from app.core import clock, migrate
from tests.world import World

pytestmark = pytest.mark.database


async def test_the_demo_world_stands_and_opens(world: World, database_url: str) -> None:
    assert migrate.is_empty(database_url)
    await demo.seed(database_url)
    assert not migrate.is_empty(database_url)
    for person in demo.DEMO_SIGN_INS:
        body = {"email": person.email, "password": person.password, "refresh": "body"}
        session = (await world.client.post("/v1/sessions", json=body)).json()
        assert session["account"]["name"] == person.name
        headers = {"Authorization": f"Bearer {session['access_token']}"}

        async def get(path: str, headers: dict[str, str] = headers) -> list[dict[str, object]]:
            answer = await world.client.get(path, headers=headers)
            assert answer.status_code == 200
            return list(answer.json()["items"])

        found = await get("/v1/people?limit=100")
        here, there = demo.NORTHSIDE, demo.RIVERBANK
        if "riverbank" in person.email:
            here, there = there, here
        assert len(found) == len(here) - 1 + sum(other.capacity > 0 for other in there)
        assert len({row["zone"] for row in found}) >= 6, "people of many time zones"
        pairings = await get("/v1/pairings")
        meetings = await get("/v1/meetings")
        if "mentee" in person.what:
            assert {row["kind"] for row in pairings} == {"one_to_one", "circle"}
            assert {row["status"] for row in meetings} == {"booked", "proposed"}
            assert all(datetime.fromisoformat(str(row["starts_at"])) > clock.now() for row in meetings)
        if "coordinator" in person.what:
            assert [row["kind"] for row in pairings] == ["circle"]
    statuses = await world.run("SELECT status, count(*) FROM pairing GROUP BY status")
    assert dict(tuple(row) for row in statuses) == {"active": 4, "proposed": 2}


async def test_demo_sign_ins_are_shown_in_development_only(world: World) -> None:
    assert (await world.client.get("/v1/config")).json()["demo"] == []
    assert (await world.client.get("/v1/mailbox")).status_code == 404
    world.door.settings.mode = "development"
    shown = (await world.client.get("/v1/config")).json()["demo"]
    assert [row["email"] for row in shown] == [person.email for person in demo.DEMO_SIGN_INS]
    assert (await world.client.get("/v1/mailbox")).json() == {"items": [], "next_cursor": None}
