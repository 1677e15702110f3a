"""A direct call between colleagues becomes a forwarded one, and nobody leaves it or loses sight."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, expect

from tests.e2e.arrange import as_person, at_the_door, enter, make_room
from tests.e2e.browser import open_browser
from tests.e2e.people import in_call, received, sees_and_hears
from tests.e2e.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COLLEAGUES = ("jack@riverbank.example", "mei@riverbank.example")
WITHOUT_PICTURE_MS = 2000
WATCH = """() => {
  const shown = { longest: 0, at: performance.now(), left: 0 };
  window.shown = shown;
  mentorspanCall.addEventListener("left", () => shown.left += 1);
  const watched = new WeakSet();
  const seen = () => {
    shown.longest = Math.max(shown.longest, performance.now() - shown.at);
    shown.at = performance.now();
  };
  const look = () => {
    for (const video of document.querySelectorAll(".remote video")) {
      if (watched.has(video)) continue;
      watched.add(video);
      const again = () => { if (video.isConnected) seen(); video.requestVideoFrameCallback(again); };
      video.requestVideoFrameCallback(again);
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  look();
}"""
"""Keeps the longest time in which no frame of somebody else was painted."""

STAYS = """
    SELECT m.name, c.topology FROM attendance a
    JOIN call c ON c.id = a.call_id JOIN membership m ON m.id = a.membership_id
    WHERE c.meeting_id = %s AND a.left_at IS NULL ORDER BY m.name
"""
"""Each of them once: nobody left and came again."""


async def colleagues_meeting_now(served: Served) -> str:
    """A booked meeting of two people of one organisation that can be joined now."""
    jack, mei = [await as_person(served, email) for email in COLLEAGUES]
    own, other = [(await each.ok("GET", "/v1/me"))["memberships"][0]["id"] for each in (jack, mei)]
    body = {"membership_id": own, "counterpart_id": other, "kind": "peers", "note": "Please."}
    for person in (jack, mei):
        await make_room(person)
    known = [
        row for row in (await jack.ok("GET", "/v1/pairings?status=active"))["items"] if row["kind"] == "peers"
    ]
    pairing = known[0] if known else await jack.ok("POST", "/v1/pairings", body)
    if not known:
        await mei.ok("POST", f"/v1/pairings/{pairing['id']}/accept")
    body = {"starts_at": datetime.now(UTC).isoformat(), "duration_minutes": 30, "zone": "Europe/London"}
    proposed = await jack.ok("POST", f"/v1/pairings/{pairing['id']}/meetings", body)
    await mei.ok("POST", f"/v1/meetings/{proposed['id']}/accept")
    for person in (jack, mei):
        await person.client.aclose()
    found: str = proposed["id"]
    return found


@asynccontextmanager
async def direct_call(served: Served, meeting_id: str) -> AsyncIterator[list[Page]]:
    """The two of them in the call of their meeting."""
    async with open_browser() as first, open_browser() as second:
        pages = [
            await at_the_door(served, browser, email, meeting_id)
            for browser, email in zip((first, second), COLLEAGUES, strict=True)
        ]
        for page in pages:
            await enter(page)
        for page in pages:
            await in_call(page)
            await sees_and_hears(page)
        yield pages


async def test_a_recording_is_asked_for_agreed_to_seen_ended_and_kept(served: Served) -> None:
    meeting_id = await colleagues_meeting_now(served)
    async with direct_call(served, meeting_id) as (jack, mei):
        await jack.get_by_role("button", name="Record", exact=True).click()
        await expect(jack.get_by_text("Recording begins when Mei has agreed.")).to_be_visible()
        await expect(mei.get_by_text("Jack Sullivan asks to record this call.").first).to_be_visible()
        assert await topology(mei) == "direct", "nothing has begun"
        await mei.get_by_role("button", name="Agree to the recording").click()
        for page in (jack, mei):
            await expect(page.get_by_text("This call is recorded.", exact=True)).to_be_visible()
            assert await topology(page) == "forwarded"
            await until_forwarded(page)
        await jack.wait_for_timeout(3000)
        await mei.get_by_role("button", name="Stop recording").click()
        for page in (jack, mei):
            await expect(page.get_by_text("This call is recorded.", exact=True)).to_have_count(0)
        for _ in range(100):
            found = [json.loads(path.read_text()) for path in served.recordings.glob("*/*/manifest.json")]
            if found and found[0]["ended"]:
                break
            await jack.wait_for_timeout(100)
        (take,) = found
        assert take["ended"] == "stopped"
        assert {file["participant_id"] for file in take["files"]} == set(take["agreed"])
        for who in take["agreed"]:
            # Another file begins with the first picture, where that comes long after the sound.
            theirs = [file for file in take["files"] if file["participant_id"] == who]
            assert {source for file in theirs for source in file["sources"]} == {"microphone", "camera"}
            assert sum(file["duration_ms"] for file in theirs) > 2000
            assert len(theirs) <= 2
        assert len(take["agreed"]) == 2
    await is_kept(served, meeting_id, take["take_id"])


async def is_kept(served: Served, meeting_id: str, take_id: str) -> None:
    """Both of them find what was recorded, and can fetch it."""
    for email in COLLEAGUES:
        person = await as_person(served, email)
        for _ in range(50):
            if found := (await person.ok("GET", f"/v1/meetings/{meeting_id}/recordings"))["items"]:
                break
            await asyncio.sleep(0.1)
        (recording,) = found
        assert recording["id"] == take_id
        assert {file["person"] for file in recording["files"]} == {"Jack Sullivan", "Mei Tanaka"}
        for file in recording["files"]:
            answer = await person.client.get(f"/v1/recordings/{take_id}/files/{file['name']}")
            assert (answer.status_code, len(answer.content)) == (200, file["bytes"])
        await person.client.aclose()


async def until_forwarded(page: Page) -> None:
    """Wait until the direct connection is closed."""
    for _ in range(60):
        if await connections(page) == ["publish", "subscribe"]:
            return
        await page.wait_for_timeout(250)
    raise AssertionError(await connections(page))


async def topology(page: Page) -> str:
    found: str = await page.evaluate("mentorspanCall.topology")
    return found


async def connections(page: Page) -> list[str]:
    """Which peer connections this browser has."""
    found: list[str] = await page.evaluate("mentorspanCall.stats().then(all => all.map(({ pc }) => pc))")
    return sorted(found)


async def test_sharing_a_screen_moves_a_direct_call_to_the_server(served: Served) -> None:
    meeting_id = await colleagues_meeting_now(served)
    async with direct_call(served, meeting_id) as pages:
        jack, mei = pages
        assert [await connections(page) for page in pages] == [["direct"], ["direct"]]
        for page in pages:
            await page.evaluate(WATCH)
        await jack.get_by_role("button", name="Share screen").click()
        await expect(mei.get_by_label("Screen of Jack Sullivan")).to_be_visible()
        for page in pages:
            assert await topology(page) == "forwarded"
            await until_forwarded(page)
            await sees_and_hears(page)
            (other,) = (await received(page)).values()
            assert other["framesDecoded"] > 0
            shown = await page.evaluate("shown")
            assert shown["longest"] < WITHOUT_PICTURE_MS, shown
            assert shown["left"] == 0
        assert served.rows(STAYS, meeting_id) == [("Jack Sullivan", "forwarded"), ("Mei Tanaka", "forwarded")]
