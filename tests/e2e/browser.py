"""Real headless Chromium with a fake camera and microphone, kept off the network."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

FLAGS = (
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
)
# Connectivity checks go to loopback addresses only, whatever interfaces the machine has.
LOOPBACK_ONLY = """
const add = RTCPeerConnection.prototype.addIceCandidate;
RTCPeerConnection.prototype.addIceCandidate = function (candidate) {
  const line = candidate && candidate.candidate;
  if (line && !/ (127\\.0\\.0\\.1|::1) /.test(line)) return Promise.resolve();
  return add.apply(this, arguments);
};
"""
PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}


def chromium() -> str:
    """The browser to drive; skips the test without one, unless skipping is forbidden."""
    named = os.environ.get("MENTORSPAN_BROWSER")
    candidates = [named] if named else ["chromium", "chromium-browser", "google-chrome", "chrome"]
    for name in candidates:
        if found := shutil.which(name):
            return found
    words = "no Chromium found; install it with: apt-get install chromium"
    if os.environ.get("MENTORSPAN_FORBID_SKIPS") == "1":
        pytest.fail(words)
    pytest.skip(words)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """One browser process of its own."""
    executable = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def new_page(browser: Browser, url: str, **options: Any) -> Page:
    """A page in a profile of its own, that fails the test when a script of ours fails."""
    options.setdefault("viewport", DESKTOP)
    context: BrowserContext = await browser.new_context(base_url=url, **options)
    await context.add_init_script(LOOPBACK_ONLY)
    context.set_default_timeout(15_000)
    page = await context.new_page()
    return page
