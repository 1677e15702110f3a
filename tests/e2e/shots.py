"""Screenshots of every page at three widths, for looking at: `make shots`."""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from tests.e2e.arrange import PAIRS, at_the_door, enter, meeting_now
from tests.e2e.browser import open_browser
from tests.e2e.pages import places, visit
from tests.e2e.people import in_call, say
from tests.e2e.served import Served, serving

WIDTHS = {360: 740, 768: 1024, 1280: 800}
SHOTS = Path("test-results/shots")


async def shoot(served: Served, target: Path) -> None:
    """Every page, and a call with two people in it."""
    async with open_browser() as browser:
        for width, height in WIDTHS.items():
            size = {"width": width, "height": height}
            async for place, page in visit(served, browser, await places(served), viewport=size):
                await page.screenshot(path=target / f"{place.name}-{width}.png", full_page=True)
        for width, height in WIDTHS.items():
            meeting_id = await meeting_now(served, "priya")
            size = {"width": width, "height": height}
            pages = [
                await at_the_door(served, browser, email, meeting_id, viewport=size)
                for email in PAIRS["priya"]
            ]
            for page in pages:
                await enter(page)
            for page in pages:
                await in_call(page)
            await pages[0].wait_for_timeout(1500)
            await pages[0].screenshot(path=target / f"in-call-{width}.png")
            for page, text in zip(pages, ("Can you hear the birds here?", "I can. Magpies?"), strict=True):
                await page.get_by_role("button", name=re.compile("^Chat")).click()
                await say(page, text)
            await pages[0].wait_for_timeout(1500)
            await pages[0].screenshot(path=target / f"in-call-chat-{width}.png")
            for page in pages:
                await page.context.close()


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SHOTS
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, serving(Path(state)) as served:
        asyncio.run(shoot(served, target))
    sys.stdout.write(f"{len(list(target.glob('*.png')))} pictures in {target}\n")


if __name__ == "__main__":
    main()
