"""The path from sign-in to a call without a pointer: Tab, typing, Enter and Space only."""

import re

import pytest
from playwright.async_api import expect

from tests.e2e.browser import new_page, open_browser
from tests.e2e.keys import press, sign_in, write
from tests.e2e.people import in_call, sees_and_hears
from tests.e2e.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_from_sign_in_to_a_call(served: Served) -> None:
    async with open_browser() as first, open_browser() as second:
        mentee, mentor = await new_page(first, served.url), await new_page(second, served.url)
        await sign_in(mentee, "jack@riverbank.example")
        await sign_in(mentor, "sofia@northside.example")
        await press(mentee, "^People$")
        await press(mentee, "Sofia Almeida")
        await write(mentee, "^Your note", "I would like to learn how you work with youth councils.")
        await press(mentee, "^Ask Sofia.* to be your mentor")
        await expect(mentee.get_by_text(re.compile("[Aa]sked|[Ww]aiting")).first).to_be_visible()

        await press(mentor, "^Pairings$")
        await press(mentor, "Jack Sullivan")
        await press(mentor, "^Accept")
        await press(mentor, "^Meet now")
        await mentor.wait_for_url("**/meetings/*")
        await press(mentee, "^Home$")
        await press(mentee, "^Answer")
        await press(mentee, "^Accept")
        await press(mentee, "^Join")
        await press(mentee, "^Join$")
        await mentor.reload()
        await press(mentor, "^Join")
        await press(mentor, "^Join$")
        for page in (mentee, mentor):
            await in_call(page)
        await sees_and_hears(mentee)
        await press(mentor, "^Leave$")
        await expect(mentor.locator("[data-state=ended]")).to_be_visible()
