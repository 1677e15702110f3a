"""The independent client and the web client, in real Chromium, hold a call with each other."""

import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.independent.call_client import CallClient
from tests.independent.conftest import People
from tests.independent.services import Services

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream=fps=8",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(40, func_only=True)]


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        missing = f"{CHROMIUM} is missing: apt-get install chromium"
        if os.environ.get("MENTORSPAN_FORBID_SKIPS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, services: Services, colleagues: People) -> AsyncIterator[Page]:
    """A page on which Amara is signed in."""
    context = await browser.new_context()
    page = await context.new_page()
    amara = colleagues.sign_ins["Amara"]
    await page.goto(services.url)
    await page.get_by_role("textbox", name="E-mail").fill(amara["email"])
    await page.get_by_role("textbox", name="Password").fill(amara["password"])
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", name=re.compile("Amara"))).to_be_visible(timeout=15_000)
    yield page
    await context.close()


async def join(page: Page, services: Services, direct_meeting_id: str) -> None:
    """From the meeting's page through the check of the devices into the call."""
    await page.goto(f"{services.url}/meetings/{direct_meeting_id}")
    await page.get_by_role("link", name="Join").click()
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("timer", name="Time in the call")).to_be_visible(timeout=15_000)


async def inbound(page: Page) -> dict[str, float]:
    """What the browser decoded, over all of its peer connections."""
    stats: list[dict[str, Any]] = await page.evaluate("mentorspanCall.stats()")
    return {name: sum(pc[name] or 0 for pc in stats) for name in ("framesDecoded", "totalAudioEnergy")}


async def see_each_other(page: Page, priya: CallClient) -> None:
    """Waits until both sides are connected and both get pictures and sound, and ever more of them."""
    await expect(page.locator("[data-state=connected]")).to_be_attached(timeout=10_000)
    await priya.until(lambda me: me.other().meter.frames >= 20, "pictures from the browser", 15)
    await priya.until(lambda me: me.other().meter.energy > 0.0001, "the browser's beeps", 15)
    before, deadline = await inbound(page), time.monotonic() + 10
    while (now := await inbound(page))["framesDecoded"] < before["framesDecoded"] + 10 or (
        now["totalAudioEnergy"] <= before["totalAudioEnergy"] + 0.01
    ):
        assert time.monotonic() < deadline, (before, now)
        await page.wait_for_timeout(100)
    meter = priya.other().meter
    first = (meter.first_frame_at or 0) - priya.began
    print(f"first frame {first:.2f} s, {meter.frames} frames, {meter.energy:.4f} energy, browser {now}")  # noqa: T201
    assert meter.moved > 0
    assert await priya.other().signalled_addresses() == {"127.0.0.1"}
    assert priya.errors == []


async def test_the_browser_is_there_first(
    page: Page, services: Services, colleagues: People, direct_meeting_id: str
) -> None:
    await join(page, services, direct_meeting_id)
    priya = CallClient(await colleagues.priya.ticket(direct_meeting_id))
    try:
        await priya.enter()
        await see_each_other(page, priya)
        assert (priya.other().polite, priya.other().sent) == (False, ["offer"])
        await expect(page.get_by_role("figure", name="Priya Novak")).to_be_visible()
        await priya.leave()
        assert (priya.ended, priya.closed_with) == ("left", 1000)
        await expect(page.get_by_role("figure", name="Priya Novak")).to_have_count(0)
    finally:
        await priya.close()


LOSE_THE_FIRST_OFFER = """
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    if (!String(text).includes('"type":"offer"')) return send.call(this, text);
    WebSocket.prototype.send = send;
    this.close(4000, "the network is gone");
  };
"""


async def test_the_browsers_first_offer_is_lost(
    page: Page, services: Services, colleagues: People, direct_meeting_id: str
) -> None:
    priya = CallClient(await colleagues.priya.ticket(direct_meeting_id))
    try:
        await priya.enter()
        await page.add_init_script(LOSE_THE_FIRST_OFFER)
        await join(page, services, direct_meeting_id)
        await priya.until(lambda me: me.peers, "the browser is here")
        await see_each_other(page, priya)
        states = [m["state"] for m in priya.log if m["type"] == "participant_connection"]
        assert (states, priya.other().sent) == (["reconnecting", "online"], ["answer"])
    finally:
        await priya.close()


async def test_a_call_that_is_over_is_not_offered_again(
    page: Page, services: Services, colleagues: People, direct_meeting_id: str
) -> None:
    await join(page, services, direct_meeting_id)
    await page.get_by_role("toolbar", name="Call").get_by_role("button", name="Leave").click()
    await page.get_by_role("button", name="Join again").click()
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("toolbar", name="Call")).to_be_visible(timeout=15_000)
    await colleagues.priya.cancel(direct_meeting_id)
    await expect(page.get_by_text("The call is over.")).to_be_visible(timeout=10_000)
    await expect(page.get_by_role("link", name="Back to the pairing")).to_be_visible()
    await expect(page.get_by_role("button", name="Join again")).to_have_count(0)


async def test_the_browser_comes_second(
    page: Page, services: Services, colleagues: People, direct_meeting_id: str
) -> None:
    priya = CallClient(await colleagues.priya.ticket(direct_meeting_id))
    try:
        await priya.enter()
        await join(page, services, direct_meeting_id)
        await priya.until(lambda me: me.peers, "the browser is here")
        await see_each_other(page, priya)
        assert (priya.other().polite, priya.other().sent) == (True, ["answer"])
        (amara_id,) = priya.roster
        controls = page.get_by_role("toolbar", name="Call")
        await controls.get_by_role("button", name=re.compile("microphone", re.IGNORECASE)).click()
        await priya.until(lambda me: not me.roster[amara_id]["audio"], "Amara is shown as muted")
        assert priya.roster[amara_id]["video"]
        await controls.get_by_role("button", name="Leave").click()
        await priya.until(lambda me: not me.roster, "Amara is gone from the roster")
        left = {"type": "participant_left", "participant_id": amara_id, "reason": "left"}
        assert left.items() <= priya.log[-1].items()
        await priya.leave()
    finally:
        await priya.close()
