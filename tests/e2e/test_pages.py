"""What every page promises: nothing sticks out, axe finds nothing serious, no script fails or is refused."""

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page

from tests.e2e.browser import DESKTOP, PHONE, open_browser
from tests.e2e.pages import places, shown, visit
from tests.e2e.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SCHEMES: dict[Literal["light", "dark"], list[str]] = {"light": [], "dark": ["color-contrast"]}
"""In which axe looks at everything, or by these rules only: nothing but colours is otherwise in the dark."""
SETTLED = """async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await Promise.allSettled(document.getAnimations().map((each) => each.finished));
}"""
AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


async def serious_findings(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe-core calls serious or critical: the rule, the element and why; by all rules or by these."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    result: dict[str, Any] = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{rule['id']}: {node['target']} {[check.get('data') for check in node['any']]}"
        for rule in result["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


async def sideways(page: Page) -> list[str]:
    """Elements that stick out of the page's width."""
    found: list[str] = await page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          return [...document.querySelectorAll("body *")]
            .filter((each) => each.getBoundingClientRect().right > width + 1)
            .map((each) => each.tagName + "." + each.className).slice(0, 5).concat("page scrolls sideways");
        }"""
    )
    return found


async def test_every_page_keeps_its_promises(served: Served) -> None:
    """Opened at 1280 pixels for axe and its scripts, and again at a phone's width."""
    found: dict[str, list[str]] = {}
    async with open_browser() as browser:
        said: list[str] = []
        everywhere = await places(served)
        async for place, page in visit(
            served, browser, everywhere, said, viewport=DESKTOP, reduced_motion="reduce"
        ):
            findings = [*await seen_by_axe(page), *said]
            said.clear()
            await page.set_viewport_size(PHONE)
            await page.reload()
            await shown(page)
            findings += await sideways(page)
            await page.set_viewport_size(DESKTOP)
            if findings:
                found[place.name] = findings
    assert not found


async def seen_by_axe(page: Page) -> list[str]:
    """In light and in dark."""
    findings = []
    for scheme, rules in SCHEMES.items():
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.evaluate(SETTLED)
        seen = await serious_findings(page, rules)
        if seen and scheme == "dark":
            # Colours that follow a changed scheme can reach an element after the next frame.
            await page.wait_for_timeout(1_000)
            seen = await serious_findings(page, rules)
        findings += [f"{scheme}: {finding}" for finding in seen]
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return findings


async def test_axe_would_find_something(served: Served) -> None:
    """The control: a picture without words and a grey word on grey are found."""
    async with open_browser() as browser:
        async for _, page in visit(served, browser, (await places(served))[:1], viewport=DESKTOP):
            await page.evaluate(
                """() => { const main = document.querySelector("main") ?? document.body;
                  const word = document.createElement("p"); word.textContent = "hardly there";
                  word.style.color = "#999"; word.style.background = "#aaa"; main.append(word);
                  main.append(document.createElement("img")); }"""
            )
            findings = " ".join(await serious_findings(page))
            assert "image-alt" in findings
            assert "color-contrast" in findings


async def test_something_sticking_out_would_be_seen(served: Served) -> None:
    """The control."""
    async with open_browser() as browser:
        async for _, page in visit(served, browser, (await places(served))[:1], viewport=PHONE):
            await page.evaluate("document.body.append(Object.assign(new Image(500, 5), { alt: '' }))")
            assert await sideways(page)


async def test_a_script_that_fails_would_be_heard(served: Served) -> None:
    """The control: what fails, and what the content security policy refuses."""
    said: list[str] = []
    async with open_browser() as browser:
        async for _, page in visit(served, browser, (await places(served))[:1], said):
            assert said == []
            await page.evaluate("setTimeout(() => { throw new Error('planted'); })")
            await page.evaluate(
                "document.body.append(Object.assign(new Image(), { src: 'https://a.example/b' }))"
            )
            await page.wait_for_timeout(500)
    assert "planted" in " ".join(said)
    assert "Content Security Policy" in " ".join(said)
