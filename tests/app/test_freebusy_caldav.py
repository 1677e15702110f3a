"""CalDAV: a real server (Radicale) as a program of its own, and answers that no good server gives."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from app.core import clock
from app.freebusy import caldav
from app.freebusy.busy_times import Interval
from app.freebusy.caldav import Dav
from app.freebusy.fetching import Credentials, Fetcher
from app.freebusy.refreshing import Refresher
from app.freebusy.troubles import Trouble
from tests.app.elsewhere import Elsewhere, answer, elsewhere, onward
from tests.app.test_freebusy import busy, later, read_one, shown
from tests.app.test_freebusy_times import calendar
from tests.world import Person, World

PATH = "/v1/imported-calendars"
WINDOW = Interval(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 11, 1, tzinfo=UTC))
SECRET = Credentials("priya", "open sesame")
EVENTS_ONLY = (
    '<c:supported-calendar-component-set><c:comp name="VEVENT"/></c:supported-calendar-component-set>'
)
TASKS_ONLY = EVENTS_ONLY.replace("VEVENT", "VTODO")


@dataclass(slots=True)
class Radicale:
    """A running server, and the hand that fills it."""

    url: str
    client: httpx2.AsyncClient

    async def make(self, name: str, more: str = EVENTS_ONLY) -> str:
        """A calendar of Priya's; returns its address."""
        body = (
            '<mkcalendar xmlns="urn:ietf:params:xml:ns:caldav" xmlns:c="urn:ietf:params:xml:ns:caldav" '
            f'xmlns:d="DAV:"><d:set><d:prop><d:displayname>{name}</d:displayname>{more}</d:prop></d:set>'
            "</mkcalendar>"
        )
        await self._ok("MKCALENDAR", f"/priya/{name}/", body)
        return f"{self.url}/priya/{name}/"

    async def put(self, name: str, uid: str, *components: str) -> None:
        """An event with its exceptions."""
        text = calendar(*(f"UID:{uid}\n{one}" for one in components))
        await self._ok("PUT", f"/priya/{name}/{uid}.ics", text, {"Content-Type": "text/calendar"})

    async def remove(self, name: str, uid: str) -> None:
        await self._ok("DELETE", f"/priya/{name}/{uid}.ics", "")

    async def _ok(self, method: str, path: str, body: str, headers: dict[str, str] | None = None) -> None:
        done = await self.client.request(method, self.url + path, content=body.encode(), headers=headers)
        assert done.is_success, (method, path, done.status_code, done.text)


@pytest.fixture(scope="module")
async def radicale(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Radicale]:
    place: Path = tmp_path_factory.mktemp("radicale")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "users").write_text(f"{SECRET.username}:{SECRET.password}\n")
    (place / "config").write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {place}/users\n"
        f"htpasswd_encryption = plain\ndelay = 0\n[storage]\nfilesystem_folder = {place}/collections\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "radicale", "--config", str(place / "config"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    auth = (SECRET.username, SECRET.password)
    try:
        async with httpx2.AsyncClient(auth=auth, trust_env=False) as client:
            made = Radicale(f"http://127.0.0.1:{port}", client)
            async with asyncio.timeout(60):
                while not await _answers(made):
                    assert process.returncode is None
                    await asyncio.sleep(0.1)
            yield made
    finally:
        process.terminate()
        await process.wait()


async def _answers(server: Radicale) -> bool:
    try:
        return (await server.client.request("PROPFIND", f"{server.url}/priya/")).status_code == 207
    except httpx2.HTTPError:
        return False


def dav(credentials: Credentials | None = SECRET) -> Dav:
    return Dav(Fetcher(["127.0.0.1"]), credentials)


async def trouble(url: str, credentials: Credentials | None = SECRET) -> Trouble:
    with pytest.raises(Trouble) as caught:
        await dav(credentials).calendars(httpx2.URL(url))
    return caught.value


async def names(url: str) -> list[str]:
    found = await dav().calendars(httpx2.URL(url))
    return sorted(one.url.path.strip("/").rpartition("/")[2] for one in found)


@pytest.fixture
async def person(world: World) -> Person:
    world.door.settings.calendar_hosts_allowed = ("127.0.0.1",)
    return await world.person("Priya Raman")


@pytest.fixture
def refresher(world: World) -> Refresher:
    return Refresher(world.database, world.door.keys.sealing, Fetcher(["127.0.0.1"]))


async def test_calendars_are_found_from_wherever_the_person_begins(radicale: Radicale) -> None:
    work = await radicale.make("found-work")
    await radicale.make("found-home")
    await radicale.make("found-tasks", TASKS_ONLY)
    assert await names(work) == ["found-work"]
    expected = {"found-home", "found-work"}
    for place in ("/priya/", "/", "/.well-known/caldav"):
        found = {name for name in await names(radicale.url + place) if name.startswith("found-")}
        assert found == expected, place
    tasks = f"{radicale.url}/priya/found-tasks/"
    assert (await trouble(tasks)).code == "no_calendars"
    assert (await trouble(f"{radicale.url}/priya/", None)).code == "sign_in_wanted"
    assert (await trouble(f"{radicale.url}/priya/", Credentials("priya", "no"))).code == "sign_in_refused"


@pytest.mark.database
@pytest.mark.parametrize("issue", ["8166", "18060"])
async def test_cal_com_8166_18060_every_occurrence_on_a_caldav_server_blocks(
    world: World, person: Person, refresher: Refresher, radicale: Radicale, issue: str
) -> None:
    name = f"weekly-{issue}"
    url = await radicale.make(name)
    begun = {"8166": "20260105", "18060": "20190107"}[issue]
    rule = f"DTSTART;TZID=Europe/London:{begun}T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY"
    await radicale.put(name, "weekly", rule)
    await add(person, url)
    assert await read_one(refresher)
    row = await shown(person)
    assert (row["problem"], row["skipped"]) == (None, 0)
    assert row["busy_times"] in (57, 58)
    assert len(await busy(world, person, days=28)) == 4


@pytest.mark.database
async def test_cal_com_8398_a_caldav_event_keeps_its_wall_time_across_a_clock_change(
    world: World, person: Person, refresher: Refresher, radicale: Radicale
) -> None:
    url = await radicale.make("clocks")
    rule = "DTSTART;TZID=America/New_York:20260105T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY"
    await radicale.put("clocks", "weekly", rule)
    await add(person, url)
    await read_one(refresher)
    found = await busy(world, person, days=380)
    assert {one.start.hour for one in found} == {13, 14}
    assert {one.start.astimezone(ZoneInfo("America/New_York")).hour for one in found} == {9}


@pytest.mark.database
async def test_a_caldav_calendar_is_read_again_only_when_it_changed(
    world: World,
    person: Person,
    refresher: Refresher,
    radicale: Radicale,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    real = Fetcher.ask

    async def noting(self: Fetcher, method: str, *given: Any, **options: Any) -> Any:
        asked.append(method)
        return await real(self, method, *given, **options)

    monkeypatch.setattr(Fetcher, "ask", noting)
    url = await radicale.make("changing")
    tomorrow = clock.now().replace(hour=10, minute=0, second=0) + timedelta(days=1)
    series = f"DTSTART:{tomorrow:%Y%m%dT%H%M%SZ}\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3"
    second, later_that_day = tomorrow + timedelta(days=1), tomorrow + timedelta(days=1, hours=5)
    moved = f"RECURRENCE-ID:{second:%Y%m%dT%H%M%SZ}\nDTSTART:{later_that_day:%Y%m%dT%H%M%SZ}\nDURATION:PT30M"
    await radicale.put("changing", "s", series, moved)
    await add(person, url)
    await read_one(refresher)
    hours = [one.start.hour for one in await busy(world, person)]
    assert (hours, asked) == ([10, 15, 10], ["PROPFIND", "REPORT"])
    await later(world)
    await read_one(refresher)
    assert asked[2:] == ["PROPFIND"], "nothing has changed"
    await radicale.put("changing", "s", series)
    await later(world)
    await read_one(refresher)
    assert asked[3:] == ["PROPFIND", "REPORT"]
    assert [one.start.hour for one in await busy(world, person)] == [10, 10, 10]
    await radicale.remove("changing", "s")
    await later(world)
    await read_one(refresher)
    assert await busy(world, person) == []
    await later(world, expanded_at="25 hours")
    del asked[:]
    await read_one(refresher)
    assert asked == ["PROPFIND", "REPORT"], "unchanged, but worked out a day ago"


async def add(person: Person, url: str) -> Any:
    body = {"name": "Work", "kind": "caldav", "url": url, "username": "priya", "password": "open sesame"}
    return await person.ok("POST", PATH, body)


# Servers that are not good


@pytest.fixture
async def server() -> AsyncIterator[Elsewhere]:
    async with elsewhere() as made:
        yield made


def multistatus(href: str, props: str, status: str = "200 OK") -> bytes:
    body = (
        '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">'
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{props}</d:prop>"
        f"<d:status>HTTP/1.1 {status}</d:status></d:propstat></d:response></d:multistatus>"
    )
    return answer(body.encode(), status="207 Multi-Status", kind="application/xml")


CALENDAR = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>"
HOME = "<c:calendar-home-set><d:href>{href}</d:href></c:calendar-home-set>"


async def test_a_calendar_on_another_server_is_named_and_no_password_is_sent_there(server: Elsewhere) -> None:
    async with elsewhere() as other:
        server.replies["/"] = multistatus("/", HOME.format(href=other.url("/home/")))
        found = await trouble(server.url("/"))
        assert (found.code, other.heard) == ("elsewhere", [])
        server.replies["/"] = onward(other.url("/home/"), "308 Permanent Redirect")
        other.replies["/home/"] = multistatus("/home/", CALENDAR)
        (calendars,) = await dav().calendars(httpx2.URL(server.url("/")))
        assert str(calendars.url) == other.url("/home/")
        assert "authorization" not in other.heard[0].headers
        assert (other.heard[0].method, other.heard[0].headers["depth"]) == ("PROPFIND", "0")


async def test_a_calendar_that_leaves_its_owner_free_counts_only_when_it_is_named(server: Elsewhere) -> None:
    free = "<c:schedule-calendar-transp><c:transparent/></c:schedule-calendar-transp>"
    server.replies["/home/"] = multistatus("/home/free/", CALENDAR + free)
    server.replies["/home/free/"] = multistatus("/home/free/", CALENDAR + free)
    server.replies["/"] = multistatus("/", HOME.format(href="/home/"))
    assert (await trouble(server.url("/"))).code == "no_calendars"
    assert len(await dav().calendars(httpx2.URL(server.url("/home/free/")))) == 1
    server.replies["/home/"] = multistatus("/home/free/", CALENDAR)
    assert len(await dav().calendars(httpx2.URL(server.url("/")))) == 1, "the control"


async def test_a_server_that_speaks_no_caldav_is_asked_once_more_where_it_should(server: Elsewhere) -> None:
    server.replies["/.well-known/caldav"] = onward("/dav/")
    server.replies["/dav/"] = multistatus("/dav/", CALENDAR)
    (found,) = await dav().calendars(httpx2.URL(server.url("/web-page?x=1")))
    assert str(found.url) == server.url("/dav/")
    assert caldav.tags([found]) is None, "it has no tag, so it is read each time"
    server.replies.clear()
    assert (await trouble(server.url("/web-page"))).code == "no_calendars"


BILLION = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize("body", ["", "<html>", "no xml", BILLION, OUTSIDE, "<a><b></a></b>", "\x00"])
async def test_answers_that_cannot_be_read(server: Elsewhere, body: str) -> None:
    server.replies["/"] = answer(body.encode(), status="207 Multi-Status", kind="application/xml")
    assert (await trouble(server.url("/"))).code == "unreadable"


async def test_what_a_server_does_not_find_does_not_count(server: Elsewhere) -> None:
    server.replies["/"] = multistatus("/", CALENDAR, "404 Not Found")
    assert (await trouble(server.url("/"))).code == "no_calendars"
    server.replies["/"] = multistatus("http://[::1", CALENDAR)
    assert (await trouble(server.url("/"))).code == "unreadable"


async def test_events_that_are_none_are_refused(server: Elsewhere) -> None:
    server.replies["/"] = multistatus("/", CALENDAR)
    (found,) = await dav().calendars(httpx2.URL(server.url("/")))
    server.replies["/"] = multistatus("/a.ics", "<c:calendar-data>&lt;html&gt;</c:calendar-data>")
    with pytest.raises(Trouble, match="web page"):
        await dav().events(found, WINDOW)
    server.replies["/"] = answer(b"<html>", kind="text/html")
    with pytest.raises(Trouble, match="do not understand"):
        await dav().events(found, WINDOW)
