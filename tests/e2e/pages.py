"""Every page of the web client, and how to come to it as someone of the demo world."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from playwright.async_api import Browser, ConsoleMessage, Page, expect

from app.demo import PASSWORD
from tests.e2e.arrange import as_person, conversation
from tests.e2e.browser import new_page
from tests.e2e.people import sign_in
from tests.e2e.served import Served

OUTSIDE = {
    "sign-in": "/sign-in",
    "sign-up": "/sign-up",
    "verify": "/verify",
    "confirm": "/verify#token=0123456789012345678901234567890123456789012",
    "mailbox": "/mailbox",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One page, and who looks at it."""

    name: str
    path: str
    email: str | None = None


async def places(served: Served) -> list[Place]:
    """All pages, with the ids of the demo world."""
    priya, ruth = "priya@riverbank.example", "ruth@riverbank.example"
    api = await as_person(served, priya)
    pairings = (await api.ok("GET", "/v1/pairings"))["items"]
    pairing = next(row["id"] for row in pairings if row["kind"] == "one_to_one")
    circle = next(row["id"] for row in pairings if row["kind"] == "circle")
    meetings = (await api.ok("GET", "/v1/meetings"))["items"]
    meeting = next(row["id"] for row in meetings if row["status"] in ("proposed", "booked"))
    booked = next(row["id"] for row in meetings if "reschedule" in row["may"])
    person = (await api.ok("GET", "/v1/people?q=Helen"))["items"][0]["id"]
    talk = await conversation(api, pairing_id=pairing)
    await api.client.aclose()
    inside = {
        "home": "/",
        "people": "/people",
        "person": f"/people/{person}",
        "pairings": "/pairings",
        "pairing": f"/pairings/{pairing}",
        "circle": f"/pairings/{circle}",
        "book": f"/pairings/{pairing}/book",
        "series": f"/pairings/{pairing}/series",
        "calendar": "/calendar",
        "calendar-week": "/calendar?view=week",
        "calendar-month": "/calendar?view=month",
        "availability": "/availability",
        "settings": "/settings",
        "messages": "/messages",
        "conversation": f"/messages/{talk}",
        "meeting": f"/meetings/{meeting}",
        "move": f"/meetings/{booked}/move",
        "call": f"/meetings/{meeting}/call",
        "profile": "/profile",
        "blocks": "/blocks",
    }
    tabs = {
        f"organisation-{tab}": f"/organisation#{tab}" for tab in ("members", "partners", "circles", "reports")
    }
    return [
        *(Place(name, path) for name, path in OUTSIDE.items()),
        *(Place(name, path, priya) for name, path in inside.items()),
        *(Place(name, path, ruth) for name, path in tabs.items()),
    ]


async def visit(
    served: Served, browser: Browser, found: list[Place], said: list[str] | None = None, **options: object
) -> AsyncIterator[tuple[Place, Page]]:
    """Show each place in turn, signing in once a person.

    `said` is given what scripts failed with, and what the content security policy refused.
    """
    for email in dict.fromkeys(place.email for place in found):
        page = await new_page(browser, served.url, **options)
        if said is not None:
            _listen(page, said)
        if email is not None:
            await sign_in(page, email, PASSWORD)
        for place in found:
            if place.email == email:
                await page.goto("about:blank")
                await page.goto(place.path)
                await shown(page)
                yield place, page
        await page.context.close()


async def shown(page: Page) -> None:
    """Wait until a page that was just opened has all that it shows."""
    await expect(page.get_by_role("heading", level=1).first).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)


def _listen(page: Page, said: list[str]) -> None:
    def hear(message: ConsoleMessage) -> None:
        # Without a cookie the first refresh is refused: that is how a client learns that nobody is signed in.
        if message.type == "error" and "401" not in message.text:
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
