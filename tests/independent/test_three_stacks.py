"""Browsers and independent clients of two more stacks in one call: everybody decodes everybody.

Three browsers and five others with MENTORSPAN_FULL=1, which takes four cores; otherwise one and three.
"""

import asyncio
import os
from contextlib import AsyncExitStack

import pytest

from tests.e2e.browser import new_page, open_browser
from tests.e2e.people import decodes_all, in_call, sign_in
from tests.independent.circle import PASSWORD, gather_circle, new_person, only_loopback, see_and_hear
from tests.independent.conftest import People
from tests.independent.rest import Rest
from tests.independent.services import Services

pytestmark = [pytest.mark.browser, pytest.mark.timeout(160, func_only=True)]

FULL = os.environ.get("MENTORSPAN_FULL") == "1"
BROWSERS = {"lena@example.org": "Lena Novak", "omar@example.org": "Omar Said", "ida@example.org": "Ida Berg"}
NEWCOMERS = {"noor8@example.org": "Noor Haddad", "tomas8@example.org": "Tomas Novak"}
IN_BROWSERS = list(BROWSERS)[: 3 if FULL else 1]
CLIENTS = ["Amara", "Priya", "Noor", "Ruth", "Tomas"][: 5 if FULL else 3]


async def test_people_of_three_stacks(services: Services, people: People, ruth: Rest) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(only_loopback())
        everybody = {"Amara": people.amara, "Priya": people.priya, "Ruth": ruth}
        for email, name in {**NEWCOMERS, **BROWSERS}.items():
            person = await stack.enter_async_context(Rest(services.url))
            await new_person(person, ruth, email, name)
            everybody[name.split()[0]] = person
        circle = await gather_circle(everybody, ruth)
        pages = []
        for email in IN_BROWSERS:
            browser = await stack.enter_async_context(open_browser())
            page = await new_page(browser, services.url, viewport={"width": 640, "height": 480})
            await sign_in(page, email, PASSWORD)
            await page.goto(f"/meetings/{circle.meeting_id}/call")
            await page.get_by_role("button", name="Join", exact=True).click()
            pages.append(page)
        entered = await stack.enter_async_context(circle.call(*CLIENTS))
        clients = dict(zip(CLIENTS, entered, strict=True))
        for page in pages:
            await in_call(page)
        await asyncio.gather(
            *(decodes_all(page, len(IN_BROWSERS + CLIENTS) - 1, seconds=60) for page in pages)
        )
        for client in clients.values():
            await see_and_hear(client, clients, seconds=40)
            await client.until(
                lambda me: all(
                    (found := me.figures(who, "camera")) is not None and found.moved > 3 for who in me.roster
                ),
                "the browsers' pictures, too",
                20,
            )
            assert client.errors == []
