"""Without a pointer: Tab, typing, Enter and Space; and what has the focus can be seen."""

import re

from playwright.async_api import Page, expect

from app.demo import PASSWORD

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
