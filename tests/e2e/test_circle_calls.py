"""A circle's call in real browsers: everybody sees and hears everybody, through the server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from playwright.async_api import Page, expect

from tests.e2e.arrange import CIRCLE, at_the_door, circle_meeting_now, enter
from tests.e2e.browser import DESKTOP, open_browser
from tests.e2e.people import decodes_all, in_call, received
from tests.e2e.served import Served

# Three browsers that encode and decode take what a small machine has: it has to be theirs.
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.alone]

LARGE = 300
"""More lines than all but the largest layer of the fake camera have."""


@asynccontextmanager
async def circle_call(served: Served) -> AsyncIterator[list[Page]]:
    """Three people in three browsers, in the call."""
    meeting_id = await circle_meeting_now(served)
    async with AsyncExitStack() as stack:
        pages = []
        for email in CIRCLE:
            browser = await stack.enter_async_context(open_browser())
            pages.append(await at_the_door(served, browser, email, meeting_id))
            await enter(pages[-1])
        for page in pages:
            await in_call(page)
        yield pages


async def test_three_people_see_and_hear_each_other(served: Served) -> None:
    async with circle_call(served) as pages:
        for page in pages:
            await decodes_all(page, 2)
        lead, first, second = pages
        await follows_the_window(lead)
        await first.get_by_role("button", name="Share screen").click()
        for page in (lead, second):
            await expect(page.get_by_label("Screen of Priya Raman")).to_be_visible()
            await decodes_all(page, 2)
        await second.evaluate("mentorspanCall.socket.drop()")
        await in_call(second)
        await decodes_all(second, 2)
        await first.get_by_role("button", name="Leave").click()
        for page in (lead, second):
            await decodes_all(page, 1)


async def follows_the_window(page: Page) -> None:
    """The window shrinks and a smaller layer comes; it grows, and so does the picture."""
    await until_height(page, lambda height: height >= LARGE)
    await page.set_viewport_size({"width": 360, "height": 480})
    await until_height(page, lambda height: 0 < height < LARGE)
    await page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
    await until_height(page, lambda height: height >= LARGE)


async def until_height(page: Page, right: Callable[[int], bool], seconds: float = 40) -> None:
    """Wait until the first of the others' pictures comes that large, in lines."""
    heights: list[int] = []
    for _ in range(int(seconds * 4)):
        heights = [each["frameHeight"] for each in (await received(page)).values()]
        if heights and right(heights[0]):
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"the pictures are {heights} lines high")
