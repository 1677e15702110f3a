"""Set-up by REST, for tests whose subject comes later on the path."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
from playwright.async_api import Browser, Page

from app.demo import PASSWORD
from tests.e2e.browser import new_page, open_browser
from tests.e2e.people import sign_in
from tests.e2e.served import Served

PAIRS = {
    "priya": ("priya@riverbank.example", "amara@northside.example"),
    "nadia": ("nadia@riverbank.example", "leila@northside.example"),
}
CIRCLE = ("aroha@riverbank.example", "priya@riverbank.example", "ben@riverbank.example")
"""The lead of the demo circle, and two of its mentees."""
THIRD_MENTEE = "nadia@riverbank.example"


@dataclass(frozen=True, slots=True)
class Api:
    """A demo person's way to the API."""

    client: httpx2.AsyncClient

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(method, path, json=body)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None


async def make_room(person: Api) -> None:
    """Cancel what this person has booked for the next hour, as the demo world has by the time of day."""
    now = datetime.now(UTC)
    for old in (await person.ok("GET", "/v1/meetings"))["items"]:
        begins, ends = (datetime.fromisoformat(old[name]) for name in ("starts_at", "ends_at"))
        if "cancel" in old["may"] and begins < now + timedelta(hours=1) and ends > now:
            await person.ok("POST", f"/v1/meetings/{old['id']}/cancel")


Acting = Callable[[str], Awaitable[Api]]


async def as_person(served: Served, email: str) -> Api:
    """Sign in as someone of the demo world."""
    client = httpx2.AsyncClient(base_url=served.url, timeout=20)
    body = {"email": email, "password": PASSWORD, "refresh": "body"}
    session = (await client.post("/v1/sessions", json=body)).json()
    client.headers["Authorization"] = f"Bearer {session['access_token']}"
    return Api(client)


async def meeting_now(served: Served, pair: str) -> str:
    """A booked meeting of a demo pair that can be joined now; an earlier one makes room."""
    mentee, mentor = [await as_person(served, email) for email in PAIRS[pair]]
    now = datetime.now(UTC).isoformat()
    for person in (mentee, mentor):
        await make_room(person)
    pairings = (await mentee.ok("GET", "/v1/pairings?status=active"))["items"]
    pairing = next(row for row in pairings if row["kind"] == "one_to_one")
    body = {"starts_at": now, "duration_minutes": 30, "zone": "Europe/London"}
    proposed = await mentee.ok("POST", f"/v1/pairings/{pairing['id']}/meetings", body)
    await mentor.ok("POST", f"/v1/meetings/{proposed['id']}/accept")
    for person in (mentee, mentor):
        await person.client.aclose()
    meeting_id: str = proposed["id"]
    return meeting_id


async def conversation(person: Api, **of: str) -> str:
    """The id of the conversation of a pairing (`pairing_id`) or of a meeting (`meeting_id`)."""
    query = "&".join(f"{name}={value}" for name, value in of.items())
    found: str = (await person.ok("GET", f"/v1/conversations?{query}"))["items"][0]["id"]
    return found


async def pairing_of(person: Api) -> str:
    """The id of a demo person's one-to-one pairing."""
    rows = (await person.ok("GET", "/v1/pairings?status=active"))["items"]
    found: str = next(row["id"] for row in rows if row["kind"] == "one_to_one")
    return found


async def post(person: Api, conversation_id: str, *texts: str) -> None:
    """Say something, one after the other."""
    for text in texts:
        body = {"client_id": str(uuid4()), "text": text}
        await person.ok("POST", f"/v1/conversations/{conversation_id}/messages", body)


async def at_the_door(served: Served, browser: Browser, email: str, meeting_id: str, **options: Any) -> Page:
    """Signed in, in front of the device check of a meeting's call."""
    page = await new_page(browser, served.url, **options)
    await sign_in(page, email, PASSWORD)
    await page.goto(f"/meetings/{meeting_id}/call")
    return page


async def enter(page: Page) -> None:
    """Through the device check into the call."""
    await page.get_by_role("button", name="Join", exact=True).click()


@asynccontextmanager
async def both_at(served: Served, emails: tuple[str, str], path: str) -> AsyncIterator[tuple[Page, Page]]:
    """Two people in two browsers, each on this page."""
    async with open_browser() as first, open_browser() as second:
        pages = (await new_page(first, served.url), await new_page(second, served.url))
        for page, email in zip(pages, emails, strict=True):
            await sign_in(page, email, PASSWORD)
            await page.goto(path)
        yield pages


async def pairing_page(served: Served, email: str) -> str:
    person = await as_person(served, email)
    pairing_id = await pairing_of(person)
    await person.client.aclose()
    return f"/pairings/{pairing_id}"


async def messages_page(served: Served, email: str) -> str:
    person = await as_person(served, email)
    found = await conversation(person, pairing_id=await pairing_of(person))
    await person.client.aclose()
    return f"/messages/{found}"


def stored(served: Served, like: str) -> list[str]:
    """What the database holds, in the order of the conversation."""
    rows = served.rows("SELECT text FROM message WHERE text LIKE %s ORDER BY conversation_id, seq", like)
    return [text for (text,) in rows]


async def circle_meeting_now(served: Served) -> str:
    """A booked meeting of the demo circle that can be joined now; what its people are in makes room."""
    people = [await as_person(served, email) for email in (*CIRCLE, THIRD_MENTEE)]
    try:
        for person in people:
            await make_room(person)
        pairings = (await people[0].ok("GET", "/v1/pairings?status=active"))["items"]
        circle = next(row for row in pairings if row["kind"] == "circle")
        body = {"starts_at": datetime.now(UTC).isoformat(), "duration_minutes": 30, "zone": "Europe/London"}
        meeting = await people[0].ok("POST", f"/v1/pairings/{circle['id']}/meetings", body)
    finally:
        for person in people:
            await person.client.aclose()
    found: str = meeting["id"]
    return found
