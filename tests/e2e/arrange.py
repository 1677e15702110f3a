"""Set-up by REST, for tests whose subject comes later on the path."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from playwright.async_api import Browser, Page

from app.demo import PASSWORD
from tests.e2e.browser import new_page
from tests.e2e.people import sign_in
from tests.e2e.served import Served

PAIRS = {
    "priya": ("priya@riverbank.example", "amara@northside.example"),
    "nadia": ("nadia@riverbank.example", "leila@northside.example"),
}


@dataclass(frozen=True, slots=True)
class Api:
    """A demo person's way to the API."""

    client: httpx2.AsyncClient

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(method, path, json=body)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None


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
    for old in (await mentee.ok("GET", "/v1/meetings"))["items"]:
        if "join" in old["may"]:
            await mentee.ok("POST", f"/v1/meetings/{old['id']}/cancel")
    pairings = (await mentee.ok("GET", "/v1/pairings?status=active"))["items"]
    pairing = next(row for row in pairings if row["kind"] == "one_to_one")
    body = {"starts_at": now, "duration_minutes": 30, "zone": "Europe/London"}
    proposed = await mentee.ok("POST", f"/v1/pairings/{pairing['id']}/meetings", body)
    await mentor.ok("POST", f"/v1/meetings/{proposed['id']}/accept")
    for person in (mentee, mentor):
        await person.client.aclose()
    meeting_id: str = proposed["id"]
    return meeting_id


async def at_the_door(served: Served, browser: Browser, email: str, meeting_id: str, **options: Any) -> Page:
    """Signed in, in front of the device check of a meeting's call."""
    page = await new_page(browser, served.url, **options)
    await sign_in(page, email, PASSWORD)
    await page.goto(f"/meetings/{meeting_id}/call")
    return page


async def enter(page: Page) -> None:
    """Through the device check into the call."""
    await page.get_by_role("button", name="Join", exact=True).click()
