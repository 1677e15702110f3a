"""How long from pressing Join until the other side's picture moves, in two real browsers on this machine.

The peer is the browser alone: two peer connections in one page that exchange their descriptions by function
call. It has no ticket, no socket and no other process, so it is the floor that no service can beat.
"""

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.e2e.arrange import PAIRS, at_the_door, enter, meeting_now
from tests.e2e.browser import open_browser
from tests.e2e.people import in_call
from tests.e2e.served import serving

ROUNDS = 9
WATCH = """() => {
  window.firstFrame = new Promise((resolve) => {
    let pressed = 0;
    addEventListener("click", (event) => {
      if (!pressed && event.target.closest("button")) pressed = performance.now();
    }, true);
    const watched = new WeakSet();
    const look = () => {
      for (const video of document.querySelectorAll("video"))
        if (!watched.has(video) && pressed && !video.muted) {
          watched.add(video);
          video.requestVideoFrameCallback(() => resolve(performance.now() - pressed));
        }
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true });
  });
}"""
FLOOR = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  const started = performance.now();
  const [left, right] = [new RTCPeerConnection(), new RTCPeerConnection()];
  left.onicecandidate = ({ candidate }) => right.addIceCandidate(candidate);
  right.onicecandidate = ({ candidate }) => left.addIceCandidate(candidate);
  const video = document.createElement("video");
  video.muted = true;
  video.autoplay = true;
  document.body.append(video);
  const frame = new Promise((resolve) =>
    video.requestVideoFrameCallback(() => resolve(performance.now() - started)));
  right.ontrack = ({ track, streams }) => { if (track.kind === "video") video.srcObject = streams[0]; };
  for (const track of stream.getTracks()) left.addTrack(track, stream);
  await left.setLocalDescription();
  await right.setRemoteDescription(left.localDescription);
  await right.setLocalDescription();
  await left.setRemoteDescription(right.localDescription);
  const took = await frame;
  left.close(); right.close(); video.remove();
  for (const track of stream.getTracks()) track.stop();
  return took;
}"""


async def _joined(page: Page, path: str) -> float:
    """Come to the door anew, press Join, and wait for the first frame. Milliseconds."""
    await page.goto("about:blank")
    await page.goto(path)
    button = page.get_by_role("button", name="Join", exact=True)
    await button.wait_for()
    await page.wait_for_timeout(500)
    await page.evaluate(WATCH)
    await button.click()
    took: float = await asyncio.wait_for(page.evaluate("window.firstFrame"), 20)
    await page.get_by_role("button", name="Leave").click()
    return took


async def _measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as state, serving(Path(state)) as served:
        meeting_id = await meeting_now(served, "priya")
        async with open_browser() as first, open_browser() as second:
            waiting = await at_the_door(served, first, PAIRS["priya"][1], meeting_id)
            joining = await at_the_door(served, second, PAIRS["priya"][0], meeting_id)
            await enter(waiting)
            await enter(joining)
            await in_call(joining)
            times, floor = [], []
            for _ in range(ROUNDS):
                times.append(await _joined(joining, f"/meetings/{meeting_id}/call"))
                floor.append(await joining.evaluate(FLOOR))
    return {
        "claim": "from pressing Join to the first remote frame, median under 1000 ms on loopback",
        "rounds": ROUNDS,
        "median_ms": round(statistics.median(times)),
        "slowest_ms": round(max(times)),
        "browser_alone_median_ms": round(statistics.median(floor)),
        "ratio_to_browser_alone": round(statistics.median(times) / statistics.median(floor), 2),
        "times_ms": [round(value) for value in times],
    }


def measure() -> dict[str, Any]:
    """Run it."""
    return asyncio.run(_measure())
