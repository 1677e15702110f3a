"""Browsers and independent clients of two more stacks in one call: everybody decodes everybody.

Three browsers and five others with MENTORSPAN_FULL=1, which takes four cores; otherwise one and three.
"""

import asyncio
import os
from contextlib import AsyncExitStack

import pytest

from tests.e2e.browser import new_page, open_browser
from tests.e2e.people import decodes_all, in_call, sign_in
from tests.independent.circle import PASSWORD, new_circle, only_loopback, see_and_hear
from tests.independent.forwarded_client import ForwardedClient
from tests.independent.rest import Rest
from tests.independent.services import Services

pytestmark = [pytest.mark.browser, pytest.mark.timeout(160, func_only=True)]

FULL = os.environ.get("MENTORSPAN_FULL") == "1"
IN_BROWSERS = ["Lena", "Omar", "Ida"][: 3 if FULL else 1]
CLIENTS = ["Amara", "Priya", "Noor", "Ruth", "Tomas"][: 5 if FULL else 3]
NAMES = {name: f"{name.lower()}@stacks.example" for name in CLIENTS + IN_BROWSERS}


async def test_people_of_three_stacks(services: Services, ruth: Rest) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(only_loopback())
        circle = await stack.enter_async_context(new_circle(services.url, ruth, NAMES))
        pages = []
        for name in IN_BROWSERS:
            browser = await stack.enter_async_context(open_browser())
            page = await new_page(browser, services.url, viewport={"width": 640, "height": 480})
            await sign_in(page, NAMES[name], PASSWORD)
            await page.goto(f"/meetings/{circle.meeting_id}/call")
            await page.get_by_role("button", name="Join", exact=True).click()
            pages.append(page)
        entered = await stack.enter_async_context(circle.call(*CLIENTS))
        clients = dict(zip(CLIENTS, entered, strict=True))
        for page in pages:
            await in_call(page)
        await asyncio.gather(*(decodes_all(page, len(NAMES) - 1, seconds=60) for page in pages))
        for client in clients.values():
            await see_and_hear(client, clients, seconds=40)
            await client.until(_sees_everybody, "the browsers' pictures, too", 20)
            assert client.errors == []


def _sees_everybody(me: ForwardedClient) -> bool:
    pictures = [me.figures(who, "camera") for who in me.roster]
    return all(picture is not None and picture.moved > 3 for picture in pictures)
