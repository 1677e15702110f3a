"""The path from sign-in to a call without a pointer: Tab, typing, Enter and Space only."""

import re

import pytest
from playwright.async_api import Page, expect

from app.demo import PASSWORD
from tests.e2e.browser import new_page, open_browser
from tests.e2e.people import in_call, sees_and_hears
from tests.e2e.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MOST_TABS = 80
FOCUSED = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return "";
  const label = at.labels && at.labels[0] ? at.labels[0].innerText : "";
  const name = at.getAttribute("aria-label") || label || at.innerText || at.alt || "";
  return name.replace(/\\s+/g, " ").trim();
}"""
# The ring is drawn by the control, by what it stretches over (::after), or by the row or card around it.
RING = """() => {
  const ringed = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const around = [];
  for (let at = document.activeElement; at && around.length < 5; at = at.parentElement) around.push(at);
  return ringed(getComputedStyle(around[0], "::after"))
    || around.some((each) => ringed(getComputedStyle(each)));
}"""


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus is called `name`; the focus must be visible there."""
    await expect(
        page.get_by_text(re.compile(name)).or_(page.get_by_label(re.compile(name))).first
    ).to_be_visible()
    passed: list[str] = []
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        if re.search(name, focused):
            assert await page.evaluate(RING), f"no focus ring on {focused!r}"
            return
        passed.append(focused[:30])
    raise AssertionError(f"{name!r} cannot be reached; passed {passed}")


async def press(page: Page, name: str) -> None:
    """Go to a control and use it."""
    await tab_to(page, name)
    await page.keyboard.press("Enter")


async def write(page: Page, name: str, text: str) -> None:
    """Go to a field and type."""
    await tab_to(page, name)
    await page.keyboard.type(text)


async def sign_in(page: Page, email: str) -> None:
    await page.goto("/sign-in")
    await write(page, "^E-mail", email)
    await write(page, "^Password", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation").first).to_be_visible()


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
