"""Browsers and clients of two more stacks in one call: everybody decodes everybody, frame after frame."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from playwright.async_api import Page, ViewportSize

from tests.e2e.browser import new_page, open_browser
from tests.e2e.people import in_call, received, sign_in
from tests.independent.circle import PASSWORD, TONES, Circle, new_circle
from tests.independent.priority import goes_first
from tests.independent.rest import Rest
from tests.independent.services import Services

pytestmark = [pytest.mark.browser, pytest.mark.timeout(360, func_only=True)]

PLAYING: Final = {"Amara", "Priya", "Ruth", "Noor", "Tomas"}
"""Who plays a tone of their own; a browser's camera beeps."""
FRAMES: Final = 30
"""So many more of each picture are to come, once all are there: 3 seconds' worth."""
SMALL: Final = """
const get = MediaDevices.prototype.getUserMedia;
MediaDevices.prototype.getUserMedia = function (wanted) {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const video = wanted.video && { ...wanted.video, width: 320, height: 180, frameRate: 10 };
  return get.call(this, { audio: wanted.audio && { ...wanted.audio, ...plain }, video });
};
const add = RTCPeerConnection.prototype.addTransceiver;
RTCPeerConnection.prototype.addTransceiver = function (track, rest) {
  const sendEncodings = typeof track !== "string" && track.kind === "video" ? [{ maxBitrate: 80_000 }] : [{}];
  return add.call(this, track, { ...rest, sendEncodings });
};
const take = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
  const wanted = type === "answer" ? sdp.replace(/(m=audio .*?\r\n)(?=m=|$)/gs, "$1a=ptime:60\r\n") : sdp;
  return take.call(this, { type, sdp: wanted });
};
"""
"""A camera of 320x180 at 10 frames/s and one layer, and 17 packets of sound a second: eight clients on two
cores have no room for more."""


Pairs = dict[tuple[str, str], int]
"""How many pictures somebody has decoded of somebody else: (who looks, at whom)."""


@dataclass
class Troupe:
    """Clients of one stack in a process of their own: see `troupe.py`."""

    process: Process
    latest: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """What each sees and hears of each, by their names."""
    in_tune: set[tuple[str, str]] = field(default_factory=set)
    """Who has heard whom, with the right tone if it is known."""

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            assert told["errors"] == []
            self.latest[told["name"]] = told["others"]
            for name, each in told["others"].items():
                tone = TONES[first] if (first := name.partition(" ")[0]) in PLAYING else each["pitch"]
                if abs(each["pitch"] - tone) < tone * 0.1 and each["energy"] > 0.001:
                    self.in_tune.add((told["name"], name))

    def seen(self) -> Pairs:
        return {
            (me, other): each["moved"] if (me, other) in self.in_tune else 0
            for me, others in self.latest.items()
            for other, each in others.items()
        }


@asynccontextmanager
async def troupe(circle: Circle, stack: str, names: list[str], *, frugal: bool) -> AsyncIterator[Troupe]:
    """These people enter one after the other."""
    command = (sys.executable, "-m", "tests.independent.troupe")
    process = await create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, limit=1 << 20, start_new_session=True
    )
    assert process.stdin is not None
    # Clients in Python lose packets when they have to wait; browsers only leave frames out.
    goes_first(process.pid)
    made = Troupe(process)
    listening = asyncio.create_task(made.listen())
    try:
        cast = [
            {
                "name": f"{name} Novak",
                "stack": stack,
                "frugal": frugal,
                "tone": TONES[name],
                "ticket": await circle.people[name].ticket(circle.meeting_id),
            }
            for name in names
        ]
        process.stdin.write(json.dumps(cast).encode() + b"\n")
        while len(made.latest) < len(names):
            assert not listening.done(), listening
            await asyncio.sleep(0.1)
        yield made
    finally:
        process.stdin.close()
        await asyncio.wait([asyncio.create_task(process.wait())], timeout=20)
        if process.returncode is None:
            process.kill()
            await process.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def seen_by(name: str, page: Page) -> Pairs:
    found = await received(page)
    return {
        (f"{name} Novak", other): each["framesDecoded"] if each["totalAudioEnergy"] > 0 else 0
        for other, each in found.items()
    }


async def all_seen(pages: dict[str, Page], troupes: list[Troupe]) -> Pairs:
    """How far everybody is with everybody; 0 while there is no sound."""
    found: Pairs = {}
    for name, page in pages.items():
        found |= await seen_by(name, page)
    for each in troupes:
        found |= each.seen()
    return found


async def paused(pages: dict[str, Page]) -> dict[str, list[str]]:
    """Whose picture the server has paused, as there is no room for it."""
    asked = """[...mentorspanCall.participants.values()]
      .filter(({ id }) => mentorspanCall.isPaused(id, "camera")).map(({ name }) => name)"""
    return {name: await page.evaluate(asked) for name, page in pages.items()}


async def grown(
    pages: dict[str, Page], troupes: list[Troupe], before: Pairs, by: int, seconds: float
) -> Pairs:
    """Wait until every picture of this call has advanced by so many frames; returns how far all are then."""
    people = len(pages) + sum(len(each.latest) for each in troupes)
    deadline = time.monotonic() + seconds
    while True:
        now = await all_seen(pages, troupes)
        late = {pair: count for pair, count in now.items() if count < before.get(pair, 0) + by}
        if len(now) == people * (people - 1) and not late:
            return now
        assert time.monotonic() < deadline, (
            f"{len(now)} pairs, of which these are late: {late}; paused: {await paused(pages)}"
        )
        await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("browsers", "wrtc", "aiortc"),
    [
        pytest.param(["Lena"], ["Amara", "Priya"], ["Noor"], id="1+3"),
        pytest.param(
            ["Lena", "Omar", "Ida"],
            ["Amara", "Priya", "Ruth", "Tomas"],
            ["Noor"],
            id="3+5",
            marks=pytest.mark.long,
        ),
    ],
)
async def test_people_of_three_stacks(
    services: Services, ruth: Rest, browsers: list[str], wrtc: list[str], aiortc: list[str]
) -> None:
    emails = {name: f"{name.lower()}{len(browsers)}@stacks.example" for name in wrtc + aiortc + browsers}
    async with AsyncExitStack() as stack:
        circle = await stack.enter_async_context(new_circle(services.url, ruth, emails))
        pages: dict[str, Page] = {}
        for name in browsers:
            browser = await stack.enter_async_context(open_browser())
            # So high that nobody's picture is out of sight: what is not looked at is not sent.
            viewport: ViewportSize = {"width": 480, "height": 1200}
            pages[name] = page = await new_page(browser, services.url, viewport=viewport)
            if len(browsers) > 1:
                await page.context.add_init_script(SMALL)
            await sign_in(page, emails[name], PASSWORD)
            await page.goto(f"/meetings/{circle.meeting_id}/call")
            await page.get_by_role("button", name="Join", exact=True).click()
        casts = [("wrtc", wrtc), *(("aiortc", [name]) for name in aiortc)]
        troupes = [
            await stack.enter_async_context(troupe(circle, *each, frugal=len(browsers) > 1)) for each in casts
        ]
        for page in pages.values():
            await in_call(page)
        first = await grown(pages, troupes, {}, by=1, seconds=120)
        await grown(pages, troupes, first, by=FRAMES, seconds=90)
