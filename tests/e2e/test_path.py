"""Two people of two organisations, in two real browsers, from sign-up to a call; no short cut by the API."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser import new_page, open_browser
from tests.e2e.people import in_call, join, sees_and_hears, sign_up
from tests.e2e.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def found_organisation(page: Page, name: str) -> str:
    """Found an organisation; returns the short name that partners use."""
    await page.get_by_role("link", name="Organisation").first.click()
    await page.get_by_label("Name of the organisation").fill(name)
    await page.get_by_role("button", name="Create organisation").click()
    await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    slug = await page.locator("code").first.inner_text()
    return slug.strip()


async def offer_mentoring(page: Page) -> None:
    """Fill in a profile that says what one can give, and to how many."""
    await page.goto("/profile")
    await page.get_by_label("In one line").fill("Senior social worker")
    await page.get_by_label("How many people can you mentor at once?").fill("2")
    await page.get_by_role("button", name="Save my profile").click()
    await expect(page.get_by_text(re.compile("[Ss]aved")).first).to_be_visible()


async def test_two_strangers_meet(served: Served) -> None:
    async with open_browser() as first, open_browser() as second:
        mentee, mentor = await new_page(first, served.url), await new_page(second, served.url)
        await sign_up(mentor, "Grace Mensah", "grace@hilltop.example")
        slug = await found_organisation(mentor, "Hilltop Children's Service")
        await offer_mentoring(mentor)
        await sign_up(mentee, "Tom Birch", "tom@valley.example")
        await found_organisation(mentee, "Valley Outreach")

        await mentee.get_by_role("button", name="Partners").click()
        await mentee.get_by_label("Short name of the other organisation").fill(slug)
        await mentee.get_by_role("button", name="Propose partnership").click()
        await expect(mentee.get_by_text("Hilltop Children's Service").first).to_be_visible()
        await mentor.goto("/organisation#partners")
        await mentor.get_by_role("button", name=re.compile("^Accept")).click()
        await expect(mentor.get_by_text("Valley Outreach").first).to_be_visible()

        await mentee.get_by_role("link", name="People").first.click()
        await mentee.get_by_text("Grace Mensah").first.click()
        await mentee.get_by_label("Your note").fill("I am new here and would like to think aloud with you.")
        await mentee.get_by_role("button", name=re.compile("^Ask .* to be your mentor")).last.click()
        await expect(mentee.get_by_text(re.compile("asked|waiting|Asked|Waiting")).first).to_be_visible()

        await mentor.goto("/pairings")
        await mentor.get_by_text("Tom Birch").first.click()
        await mentor.get_by_role("button", name="Accept").click()
        await mentor.get_by_role("button", name="Meet now").click()
        await mentor.wait_for_url("**/meetings/*")
        await mentee.goto("/")
        await (
            mentee.get_by_role("link", name="Answer")
            .or_(mentee.get_by_role("button", name="Answer"))
            .first.click()
        )
        await mentee.get_by_role("button", name="Accept").first.click()

        await join(mentee)
        await mentor.reload()
        await join(mentor)
        await in_call(mentee)
        await in_call(mentor)
        await sees_and_hears(mentee)
        await sees_and_hears(mentor)
        await mentee.get_by_role("button", name="Leave").click()
        await mentor.get_by_role("button", name="Leave").click()
        await attended(served, mentor, {"Grace Mensah", "Tom Birch"})


async def attended(served: Served, page: Page, names: set[str]) -> None:
    """Both stays are in the database, closed, for the reason that they left."""
    statement = """
        SELECT m.name, a.left_at > a.joined_at, a.reason
        FROM attendance a JOIN membership m ON m.id = a.membership_id WHERE m.name = ANY(%s)
    """
    wanted = {(name, True, "left") for name in names}
    for _ in range(100):
        if set(served.rows(statement, list(names))) == wanted:
            return
        await page.wait_for_timeout(100)
    raise AssertionError(served.rows(statement, list(names)))
