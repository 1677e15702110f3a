"""Calendars kept elsewhere, from adding one to the times it takes: over HTTP, by the worker, as rows."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import select

from app import worker
from app.accounts.models import Account
from app.core import clock
from app.freebusy import queries, refreshing, service
from app.freebusy.busy_times import Found
from app.freebusy.fetching import Fetcher
from app.freebusy.models import BusyTime, ImportedCalendar
from app.freebusy.queries import Busy
from app.freebusy.refreshing import Refresher
from app.freebusy.troubles import FIRST_WAIT
from tests.app.at_work import running, until
from tests.app.elsewhere import Elsewhere, Heard, answer, elsewhere
from tests.app.test_freebusy_times import calendar
from tests.logs import capture
from tests.world import Person, World

pytestmark = pytest.mark.database
PATH = "/v1/imported-calendars"
DAILY = "DTSTART:20260101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"


@pytest.fixture
async def server() -> AsyncIterator[Elsewhere]:
    async with elsewhere() as made:
        yield made


@pytest.fixture
async def person(world: World) -> Person:
    world.door.settings.calendar_hosts_allowed = ("127.0.0.1",)
    return await world.person("Priya Raman")


@pytest.fixture
def refresher(world: World) -> Refresher:
    return Refresher(world.database, world.door.keys.sealing, Fetcher(["127.0.0.1"]))


async def add(person: Person, url: str, **fields: Any) -> Any:
    return await person.ok("POST", PATH, {"name": "Work", "kind": "ics", "url": url, **fields})


async def read_one(refresher: Refresher) -> bool:
    """Read what is due, if anything is."""
    taken = await refresher.take()
    if taken is not None:
        await refresher.read(taken)
    return taken is not None


async def shown(person: Person) -> Any:
    (only,) = (await person.ok("GET", PATH))["items"]
    return only


async def busy(world: World, *people: Person, days: int = 7) -> list[Busy]:
    now = clock.now()
    async with world.database.transaction() as db:
        ids = [person.account_id for person in people]
        return await queries.busy(db, ids, now, now + timedelta(days=days))


async def later(world: World, **ago: Any) -> None:
    """Let the calendars be due, and some of what is known of them be older."""
    sets = "".join(f", {column} = {column} - interval '{age}'" for column, age in ago.items())
    await world.run(f"UPDATE imported_calendar SET next_try_at = now(){sets}")


async def test_a_calendar_is_added_read_and_removed(
    world: World, person: Person, server: Elsewhere, refresher: Refresher
) -> None:
    server.replies["/private/3f0c.ics"] = answer(calendar(DAILY).encode(), ETag='"one"')
    made = await add(person, server.url("/private/3f0c.ics"))
    assert (made["host"], made["fetched_at"], made["busy_times"]) == ("127.0.0.1", None, 0)
    assert await busy(world, person) == []
    assert await read_one(refresher)
    assert not await read_one(refresher), "it is not due again"
    row = await shown(person)
    assert row["busy_times"] in (400, 401, 402)
    assert (row["problem"], row["problem_code"], row["skipped"]) == (None, None, 0)
    wait = datetime.fromisoformat(row["next_try_at"]) - datetime.fromisoformat(row["fetched_at"])
    assert timedelta(minutes=50) < wait < timedelta(minutes=70)
    week = await busy(world, person)
    assert len(week) in (7, 8)
    assert {(one.account_id, one.end - one.start) for one in week} == {
        (person.account_id, timedelta(hours=1))
    }
    assert {one.start.hour for one in week} == {10}
    await person.ok("DELETE", f"{PATH}/{made['id']}")
    assert (await person.ok("GET", PATH))["items"] == []
    assert await busy(world, person) == []
    assert await world.rows(select(BusyTime)) == []


async def test_nothing_secret_is_shown_stored_in_clear_or_logged(
    world: World,
    person: Person,
    server: Elsewhere,
    refresher: Refresher,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    logged = capture(monkeypatch, refreshing)
    server.replies["/sesame/3f0c.ics"] = answer(calendar(DAILY).encode(), ETag='"sesame-tag"')
    url = server.url("/sesame/3f0c.ics")
    made = await add(person, url, username="priya-sesame", password="open sesame")
    again = await person.post(PATH, {"name": "x", "kind": "ics", "url": f"ftp://sesame@{url}"})
    assert again.status_code == 422
    await read_one(refresher)
    real = service.opened

    def failing(*given: Any) -> Any:
        raise RuntimeError(real(*given))

    monkeypatch.setattr(service, "opened", failing)
    await later(world)
    await read_one(refresher)
    row = await shown(person)
    assert row["problem_code"] == "fault"
    assert [line["event"] for line in logged] == ["calendar_not_read"]
    stored = await world.run("SELECT to_jsonb(c)::text AS row FROM imported_calendar c")
    audited = await world.run("SELECT to_jsonb(a)::text AS row FROM audit_entry a")
    events = await world.run("SELECT to_jsonb(e)::text AS row FROM stream_event e")
    dumped = [one.row for one in (*stored, *audited, *events)]
    told = [json.dumps(one, default=str) for one in (made, row, again.json(), logged, dumped)]
    for text in (*told, *capfd.readouterr()):
        assert "sesame" not in text
        assert b"sesame".hex() not in text
    assert server.heard[0].headers["authorization"].startswith("Basic "), "the control: it was used"


async def test_a_sealed_address_is_good_for_its_own_row_only(
    world: World, person: Person, server: Elsewhere, refresher: Refresher
) -> None:
    first = await add(person, server.url("/a.ics"))
    other = await world.person("Somebody Else")
    second = await add(other, server.url("/b.ics"))
    await world.run(
        "UPDATE imported_calendar SET access = (SELECT access FROM imported_calendar WHERE id = :first)",
        first=UUID(first["id"]),
    )
    assert await read_one(refresher)
    assert await read_one(refresher)
    assert {heard.path for heard in server.heard} == {"/a.ics"}
    rows = {row.id: row.problem_code for row in await world.rows(select(ImportedCalendar))}
    assert rows == {UUID(first["id"]): "not_found", UUID(second["id"]): "sealed"}


async def test_what_has_not_changed_costs_nothing_until_the_window_has_moved_on(
    world: World, person: Person, server: Elsewhere, refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    expanded = []
    real = refreshing.expand

    async def counting(*given: Any) -> Any:
        expanded.append(given)
        return await real(*given)

    monkeypatch.setattr(refreshing, "expand", counting)
    whole = answer(calendar(DAILY).encode(), ETag='"one"', Last_Modified="Sat, 28 Nov 2026 10:00:00 GMT")

    async def reply(heard: Heard, writer: asyncio.StreamWriter) -> None:
        known = heard.headers.get("if-none-match") == '"one"'
        writer.write(answer(b"", status="304 Not Modified") if known else whole)

    server.replies["/a.ics"] = reply
    await add(person, server.url("/a.ics"))
    await read_one(refresher)
    before = await busy(world, person)
    await later(world, fetched_at="2 hours")
    await read_one(refresher)
    assert server.heard[1].headers["if-modified-since"] == "Sat, 28 Nov 2026 10:00:00 GMT"
    assert len(expanded) == 1, "304"
    assert await busy(world, person) == before
    assert clock.now() - datetime.fromisoformat((await shown(person))["fetched_at"]) < timedelta(minutes=1)
    await later(world, expanded_at="25 hours")
    await read_one(refresher)
    assert "if-none-match" not in server.heard[2].headers, "we keep no text, so we ask for all of it"
    assert len(expanded) == 2
    server.replies["/a.ics"] = whole
    await later(world)
    await read_one(refresher)
    assert len(expanded) == 2, "a server without 304, the same bytes"
    await world.run("UPDATE account SET zone = 'Asia/Kathmandu'")
    await later(world)
    await read_one(refresher)
    assert len(expanded) == 3, "another zone"


async def test_what_changed_is_replaced_at_once_and_what_fails_is_kept(
    world: World, person: Person, server: Elsewhere, refresher: Refresher
) -> None:
    tomorrow = clock.now().replace(microsecond=0) + timedelta(days=1)
    events = [
        f"DTSTART:{tomorrow + timedelta(hours=hour):%Y%m%dT%H%M%SZ}\nDURATION:PT30M" for hour in (0, 2, 4)
    ]
    server.replies["/a.ics"] = answer(calendar(events[0], events[1]).encode())
    await add(person, server.url("/a.ics"))
    await read_one(refresher)
    assert [(one.start - tomorrow).seconds // 3600 for one in await busy(world, person)] == [0, 2]
    server.replies["/a.ics"] = answer(calendar(events[1], events[2], "SUMMARY:broken").encode())
    await later(world)
    await read_one(refresher)
    assert [(one.start - tomorrow).seconds // 3600 for one in await busy(world, person)] == [2, 4]
    assert (await shown(person))["skipped"] == 1
    server.replies["/a.ics"] = answer(b"<html>Sign in</html>", kind="text/html")
    waits = []
    for _ in range(3):
        await later(world)
        await read_one(refresher)
        row = await shown(person)
        waits.append(datetime.fromisoformat(row["next_try_at"]) - clock.now())
        assert row["problem_code"] == "web_page"
        assert row["problem"].startswith("That address answers with a web page, not a calendar.")
        assert len(await busy(world, person)) == 2, "what was known still counts"
    assert all(
        0.8 * expected < wait < 1.2 * expected
        for wait, expected in zip(waits, (FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT), strict=True)
    )
    server.replies["/a.ics"] = answer(calendar().encode())
    await later(world)
    await read_one(refresher)
    assert await busy(world, person) == []
    assert (await shown(person))["problem"] is None
    assert [row.failures for row in await world.rows(select(ImportedCalendar))] == [0]


async def test_too_many_times_are_said(
    world: World, person: Person, server: Elsewhere, refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    found = Found([], 1, 0, datetime(2027, 1, 2, tzinfo=UTC))

    async def cut(*_: Any) -> Any:
        return found

    monkeypatch.setattr(refreshing, "expand", cut)
    server.replies["/a.ics"] = answer(calendar(DAILY).encode())
    await add(person, server.url("/a.ics"))
    await read_one(refresher)
    row = await shown(person)
    assert row["problem_code"] == "too_many"
    assert "2027-01-02" in row["problem"]


async def test_one_calendar_is_never_read_twice_at_once(
    world: World, person: Person, server: Elsewhere, refresher: Refresher
) -> None:
    server.replies["/a.ics"] = answer(calendar(DAILY).encode())
    made = await add(person, server.url("/a.ics"))
    taken = await asyncio.gather(*(refresher.take() for _ in range(4)))
    (mine,) = [one for one in taken if one is not None]
    await person.ok("POST", f"{PATH}/{made['id']}/refresh")
    assert await refresher.take() is None, "asked for while it is read"
    with time_machine.travel(clock.now() + refreshing.LEASE + timedelta(seconds=1)):
        other = await refresher.take()
        assert other is not None, "the worker that had it is dead"
        await refresher.read(mine)
        assert await world.rows(select(BusyTime)) == [], "and when it was not, what it found comes too late"
        await refresher.read(other)
    assert len(await busy(world, person)) > 0


async def test_a_calendar_that_is_removed_while_it_is_read_stays_away(
    world: World, person: Person, server: Elsewhere, refresher: Refresher
) -> None:
    server.replies["/a.ics"] = answer(calendar(DAILY).encode())
    made = await add(person, server.url("/a.ics"))
    taken = await refresher.take()
    assert taken is not None
    await person.ok("DELETE", f"{PATH}/{made['id']}")
    await refresher.read(taken)
    assert await world.rows(select(BusyTime)) == []


async def test_a_refresh_makes_it_due(
    world: World, person: Person, server: Elsewhere, refresher: Refresher
) -> None:
    server.replies["/a.ics"] = answer(calendar(DAILY).encode())
    made = await add(person, server.url("/a.ics"))
    await read_one(refresher)
    assert not await read_one(refresher)
    answered = await person.post(f"{PATH}/{made['id']}/refresh")
    assert answered.status_code == 202
    assert await read_one(refresher)
    assert len(server.heard) == 2


async def test_twenty_calendars_and_no_more(world: World, person: Person, server: Elsewhere) -> None:
    for number in range(service.MOST_CALENDARS):
        await add(person, server.url(f"/{number}.ics"))
    refused = await person.post(PATH, {"name": "Work", "kind": "ics", "url": server.url("/x.ics")})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_calendars")
    await add(await world.person("Somebody Else"), server.url("/x.ics"))
    page = await person.ok("GET", f"{PATH}?limit=15")
    rest = await person.ok("GET", f"{PATH}?limit=15&cursor={page['next_cursor']}")
    assert (len(page["items"]), len(rest["items"])) == (15, 5)


async def test_nobody_has_us_knock_at_doors_all_day(person: Person, server: Elsewhere) -> None:
    made = await add(person, server.url("/a.ics"))
    statuses = [(await person.post(f"{PATH}/{made['id']}/refresh")).status_code for _ in range(60)]
    assert statuses == [202] * 59 + [429]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://10.0.0.1/a.ics"}, "/url"),
        ({"url": "file:///etc/passwd"}, "/url"),
        ({"url": "https://example.org/a.ics", "password": "x"}, "/username"),
        ({"url": "http://example.org/a.ics", "username": "x", "password": "y"}, "/url"),
        ({"url": "https://example.org/a.ics", "kind": "exchange"}, "/kind"),
        ({"url": "https://example.org/a.ics", "name": ""}, "/name"),
        ({"url": "https://example.org/a.ics", "zone": "UTC"}, "/zone"),
    ],
)
async def test_what_cannot_be_a_calendar_is_refused(
    person: Person, body: dict[str, Any], pointer: str
) -> None:
    refused = await person.post(PATH, {"name": "Work", "kind": "ics", **body})
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]


async def test_adding_twice_with_one_key_adds_once(person: Person, server: Elsewhere) -> None:
    headers = {"Idempotency-Key": "one-calendar"}
    body = {"name": "Work", "kind": "ics", "url": server.url("/a.ics")}
    first, again = [await person.ok("POST", PATH, body, headers=headers) for _ in range(2)]
    assert first["id"] == again["id"]


async def test_times_of_several_people_come_in_one_query(
    world: World, person: Person, server: Elsewhere, refresher: Refresher
) -> None:
    other, third = await world.person("Other"), await world.person("Third")
    server.replies["/a.ics"] = answer(calendar(DAILY).encode())
    server.replies["/b.ics"] = answer(calendar(DAILY.replace("T10", "T12")).encode())
    for who, path in ((person, "/a.ics"), (person, "/b.ics"), (other, "/b.ics"), (third, "/b.ics")):
        await add(who, server.url(path))
        await read_one(refresher)
    found = await busy(world, person, other, days=3)
    assert len(found) in (9, 10)
    assert found == sorted(found)
    assert {one.account_id for one in found} == {person.account_id, other.account_id}
    assert await busy(world) == []
    edge = found[0]
    async with world.database.transaction() as db:
        ids = [edge.account_id]
        assert await queries.busy(db, ids, edge.end, edge.end + timedelta(minutes=1)) == []
        assert len(await queries.busy(db, ids, edge.end - timedelta(seconds=1), edge.end)) == 1


async def test_the_worker_reads_what_is_added_and_goes_on_beside_what_takes_long(
    world: World, person: Person, server: Elsewhere
) -> None:
    server.replies["/slow.ics"] = server.slow
    server.replies["/a.ics"] = answer(calendar(DAILY).encode())
    await add(person, server.url("/slow.ics"))
    await add(person, server.url("/a.ics"))

    async def read() -> bool:
        rows = (await person.ok("GET", PATH))["items"]
        return bool(rows[0]["busy_times"])

    settings = world.door.settings.model_copy(
        update={"valkey_url": "memory://here", "calendar_hosts_allowed": ("127.0.0.1",)}
    )
    async with running(worker.work(settings)):
        await until(read, 30)


async def test_an_account_that_goes_takes_its_calendars_along(
    world: World, person: Person, server: Elsewhere, refresher: Refresher
) -> None:
    server.replies["/a.ics"] = answer(calendar(DAILY).encode())
    await add(person, server.url("/a.ics"))
    await read_one(refresher)
    await world.run("DELETE FROM account WHERE id = :id", id=person.account_id)
    assert await world.rows(select(ImportedCalendar)) == []
    assert await world.rows(select(BusyTime)) == []
    assert await world.rows(select(Account)) == []
