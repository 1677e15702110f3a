"""Whoever leads a circle mutes somebody: their button says so, and nothing of them comes, obedient or not."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.e2e.people import decodes_all, received
from tests.e2e.served import Served
from tests.e2e.test_circle_calls import circle_call
from tests.e2e.test_pages import serious_findings

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

NAME = "Priya Raman"


async def mute(lead: Page) -> None:
    """By the keyboard alone."""
    opener = lead.get_by_role("button", name=f"Mute {NAME} …")
    await opener.focus()
    await lead.keyboard.press("Enter")
    await expect(lead.get_by_role("dialog")).to_be_visible()
    assert await serious_findings(lead) == []
    await lead.get_by_role("button", name="Mute Priya", exact=True).focus()
    await lead.keyboard.press("Enter")
    await expect(opener).to_be_focused()


async def heard_of_priya(page: Page, seconds: float = 1.5) -> float:
    """How much more sound of hers is heard."""
    before = (await received(page))[NAME]["totalAudioEnergy"]
    await page.wait_for_timeout(seconds * 1000)
    after: float = (await received(page))[NAME]["totalAudioEnergy"]
    return after - float(before)


async def test_the_lead_of_a_circle_mutes_somebody(served: Served) -> None:
    async with circle_call(served) as (lead, priya, ben):
        await decodes_all(ben, 2)
        assert await ben.get_by_role("button", name=re.compile(r"^Mute ")).count() == 0
        loud = await heard_of_priya(ben)
        await mute(lead)
        await expect(lead.locator("#announcements")).to_contain_text(f"{NAME} is muted")
        button = priya.get_by_role("button", name=re.compile("Muted by Aroha"))
        await expect(button).to_be_visible()
        assert await serious_findings(priya) == []
        await expect(ben.locator(".plate", has_text=NAME)).to_contain_text("microphone off")
        await ben.wait_for_timeout(1_000)
        assert await heard_of_priya(ben) < loud / 100
        await button.click()
        await expect(priya.get_by_role("button", name=re.compile("^Microphone on"))).to_be_visible()
        await decodes_all(ben, 2)

        # What the decoder makes up for what is missing fades away.
        await priya.evaluate("mentorspanCall.muting.heard = () => {}")
        await mute(lead)
        await expect(ben.locator(".plate", has_text=NAME)).to_contain_text("microphone off")
        await ben.wait_for_timeout(1_000)
        assert await heard_of_priya(ben) < loud / 100, (
            "her client does not obey, and the server holds her sound back"
        )


async def test_a_weak_connection_is_said_in_words(served: Served) -> None:
    async with circle_call(served) as (lead, _, ben):
        # Measured by now, and good: nothing is said of it.
        await lead.wait_for_function(
            "mentorspanCall.scores.of(mentorspanCall.participantId) !== null", timeout=30_000
        )
        figures = await lead.evaluate("mentorspanCall.scores.own")
        assert figures["bitrate_up"] > 0
        assert figures["bitrate_down"] > 0
        assert await lead.get_by_text("Weak connection").count() == 0
        first = "[...mentorspanCall.participants.keys()][0]"
        for page, whose, words in (
            (lead, first, "Weak connection"),
            (ben, "mentorspanCall.participantId", "Your connection is weak"),
        ):
            await page.evaluate(f"""() => {{
              mentorspanCall.scores.heard({{ scores: [{{ participant_id: {whose}, score: 2 }}], own: null }});
              mentorspanCall.dispatchEvent(new CustomEvent("change"));
            }}""")
            await expect(page.get_by_text(words)).to_be_visible()
            assert await serious_findings(page) == []
