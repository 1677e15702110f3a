"""Doing things in the web client as a person does: by what the page says."""

import asyncio
import re
from typing import Any

from playwright.async_api import Page, expect

PASSWORD = "a long sentence works well"
RECEIVED = """async () => Object.fromEntries(await Promise.all(
  [...window.mentorspanCall.participants.values()].map(
    async ({ id, name }) => [name, await window.mentorspanCall.statsOf(id)])))"""


async def sign_up(page: Page, name: str, email: str) -> None:
    """Create an account, open the link in the mail, and confirm it with the password."""
    await page.goto("/sign-up")
    await page.get_by_label("Your name").fill(name)
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="Look in your mailbox")).to_be_visible()
    await open_mail(page, email, "Confirm your address")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Confirm and sign in").click()
    await expect(page.get_by_role("navigation").first).to_be_visible()


async def sign_in(page: Page, email: str, password: str) -> None:
    """Sign in on the page that is open, or on the sign-in page."""
    if "/sign-in" not in page.url:
        await page.goto("/sign-in")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("navigation").first).to_be_visible()
    await page.wait_for_url(re.compile(r"/(home)?$"))


async def open_mail(page: Page, email: str, subject: str) -> None:
    """Follow the link in the newest mail to `email` about `subject`."""
    link = await _mailed_link(page, email, subject)
    await page.goto(link)


async def _mailed_link(page: Page, email: str, subject: str) -> str:
    for _ in range(100):
        answer = await page.request.get("/v1/mailbox")
        for mail in (await answer.json())["items"]:
            if mail["to"] == email and subject in mail["subject"]:
                found = re.search(r"https?://\S+", mail["text"])
                assert found
                return found.group()
        await page.wait_for_timeout(100)
    raise AssertionError(f"no mail about {subject!r} to {email}")


async def stats(page: Page) -> dict[str, float]:
    """How many frames the browser has decoded in its call, and how much sound it has heard."""
    found: dict[str, float] = await page.evaluate(
        """async () => {
          const found = { framesDecoded: 0, totalAudioEnergy: 0 };
          for (const link of await window.mentorspanCall.stats())
            for (const row of link.reports)
              if (row.type === "inbound-rtp") {
                found.framesDecoded += row.framesDecoded ?? 0;
                found.totalAudioEnergy += row.totalAudioEnergy ?? 0;
              }
          return found;
        }"""
    )
    return found


async def join(page: Page) -> None:
    """From a meeting's page through the device check into the call."""
    await page.get_by_role("link", name=re.compile("^Join")).first.click()
    await page.get_by_role("button", name="Join", exact=True).click()


async def in_call(page: Page) -> None:
    """Wait until the call page says that it is connected to the other side."""
    await expect(page.locator("[data-state=connected]")).to_be_visible(timeout=20_000)


async def sees_and_hears(page: Page) -> None:
    """Frames are decoded and sound is heard, and both go on."""
    before = now = await stats(page)
    for _ in range(60):
        await page.wait_for_timeout(250)
        before, now = now, await stats(page)
        if 0 < before["framesDecoded"] < now["framesDecoded"] and (
            0 < before["totalAudioEnergy"] < now["totalAudioEnergy"]
        ):
            return
    raise AssertionError(f"no picture or no sound: {before} then {now}")


async def say(page: Page, text: str) -> None:
    """Write a message in the conversation that is open, and send it."""
    field = page.get_by_label(re.compile("^Message to"))
    await field.fill(text)
    await field.press("Enter")


async def said(page: Page) -> list[str]:
    """What the open conversation shows, in its order; what waits to be sent, too."""
    return await page.locator(".chat-row .chat-text").all_inner_texts()


async def shows(page: Page, texts: list[str], timeout: float = 20) -> None:
    """Wait until the conversation shows exactly these messages at its end, each once."""
    for _ in range(int(timeout * 10)):
        if (await said(page))[-len(texts) :] == texts:
            break
        await page.wait_for_timeout(100)
    shown = await said(page)
    assert shown[-len(texts) :] == texts
    for text in texts:
        assert shown.count(text) == 1, f"{text!r} stands there {shown.count(text)} times"


async def live(page: Page) -> None:
    """Wait until events reach the page as they happen."""
    chat = page.locator(".chat")
    await expect(chat).to_be_visible(timeout=30_000)
    await expect(chat).to_have_attribute("data-events", "live", timeout=30_000)


async def received(page: Page) -> dict[str, dict[str, Any]]:
    """What this page decodes, by who it is from."""
    found: dict[str, dict[str, Any]] = await page.evaluate(RECEIVED)
    return found


async def decodes_all(page: Page, others: int, seconds: float = 30) -> None:
    """Pictures and sound of so many others come, and go on coming."""
    before = await received(page)
    now = before
    for _ in range(int(seconds / 0.5)):
        await asyncio.sleep(0.5)
        now = await received(page)
        if len(now) == others and all(_grew(before.get(name), now[name]) for name in now):
            return
    missing = {name: (before.get(name), now[name]) for name in now if not _grew(before.get(name), now[name])}
    raise AssertionError(f"{len(now)} are here, and not seen and heard are {missing}")


def _grew(before: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    then = before or {"framesDecoded": 0, "totalAudioEnergy": 0}
    return all(now[name] > then[name] for name in ("framesDecoded", "totalAudioEnergy"))
