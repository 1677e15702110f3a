"""Recordings on the page of their meeting: played, downloaded, and deleted for everybody."""

import asyncio
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from playwright.async_api import Page, expect

from app.demo import PASSWORD
from signalling.media.port import Recording
from tests.e2e.arrange import PAIRS, meeting_now
from tests.e2e.browser import new_page, open_browser
from tests.e2e.people import sign_in
from tests.e2e.served import Served
from tests.e2e.test_pages import serious_findings
from tests.signalling.media.members import call
from tests.signalling.media.recorded import folder_of

pytestmark = pytest.mark.browser
MENTEE, MENTOR = PAIRS["nadia"]


async def recorded(place: Path) -> tuple[Path, Recording]:
    """A real take of one person, some seconds long."""
    async with call(recordings=place) as meeting:
        one = await meeting.join()
        await one.send(simulcast=(640, 360))
        await meeting.engine.record(meeting.id, uuid4())
        await asyncio.sleep(4)
        recording = await meeting.engine.stop_recording(meeting.id)
    assert recording is not None
    return folder_of(place, recording), recording


@dataclass
class Kept:
    """A take that app knows, and the page that shows it."""

    folder: Path
    path: str


async def keep(served: Served, place: Path) -> Kept:
    """Put a real take where the two of a pair were recorded in their call: each has this file."""
    meeting_id = await meeting_now(served, "nadia")
    folder, recording = await recorded(place)
    (file, *_) = recording.files
    call_id, take_id = uuid4(), uuid4()
    target = served.recordings / str(call_id) / str(take_id)
    target.mkdir(parents=True)
    served.rows(
        "INSERT INTO call (id, meeting_id, node, epoch, topology) "
        "VALUES (%s, %s, 'gone', 1, 'forwarded') RETURNING 1",
        call_id, meeting_id,
    )  # fmt: skip
    stays = {MENTEE: uuid4(), MENTOR: uuid4()}
    served.rows(
        "INSERT INTO recording (id, call_id, started_at, duration_ms, ended, cut, stay_ids) "
        "VALUES (%s, %s, now(), %s, 'stopped', false, %s) RETURNING 1",
        take_id, call_id, recording.duration_ms, [*stays.values()],
    )  # fmt: skip
    for email, stay in stays.items():
        shutil.copy(folder / file.name, target / f"{stay}.webm")
        _was_there(served, call_id, stay, email)
        served.rows(
            "INSERT INTO recording_file (recording_id, name, participant_id, sources, codecs, offset_ms, "
            "duration_ms, bytes) VALUES (%s, %s, %s, %s, %s, 0, %s, %s) RETURNING 1",
            take_id, f"{stay}.webm", stay, list(file.sources), list(file.codecs), file.duration_ms,
            file.bytes,
        )  # fmt: skip
    return Kept(target, f"/meetings/{meeting_id}")


def _was_there(served: Served, call_id: UUID, stay: UUID, email: str) -> None:
    served.rows(
        "INSERT INTO attendance (id, call_id, membership_id, joined_at, seen_at, left_at, reason) "
        "SELECT %s, %s, membership.id, now(), now(), now(), 'left' FROM membership "
        "JOIN account ON account.id = account_id WHERE email = %s LIMIT 1 RETURNING 1",
        stay, call_id, email,
    )  # fmt: skip


async def _opened(page: Page, email: str, path: str) -> Page:
    await sign_in(page, email, PASSWORD)
    await page.goto(path)
    await expect(page.get_by_role("heading", name="Recordings")).to_be_visible()
    return page


async def test_a_recording_is_played_downloaded_and_deleted(served: Served, tmp_path: Path) -> None:
    kept = await keep(served, tmp_path)
    async with open_browser() as browser:
        narrow = await new_page(browser, served.url, viewport={"width": 360, "height": 740})
        wide = await new_page(browser, served.url, viewport={"width": 1280, "height": 800})
        await _opened(narrow, MENTOR, kept.path)
        await _opened(wide, MENTEE, kept.path)
        await wide.get_by_role("button", name="Play your recording").click()
        video = wide.get_by_label("Recording of you")
        await expect(video).to_be_visible()
        seconds = await video.evaluate(
            "video => new Promise(done => { video.onended = () => done(video.currentTime); })"
        )
        assert seconds > 2
        async with wide.expect_download() as coming:
            await wide.get_by_role("button", name=re.compile("Download Leila.*recording")).click()
        download = await coming.value
        assert download.suggested_filename.endswith(".webm")
        assert Path(await download.path()).stat().st_size == next(kept.folder.iterdir()).stat().st_size
        for page in (narrow, wide):
            assert await serious_findings(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

        await narrow.get_by_role("button", name="Delete this recording").click()
        assert await serious_findings(narrow) == []
        await narrow.emulate_media(color_scheme="dark")
        await narrow.wait_for_timeout(500)  # colours change gently
        assert await serious_findings(narrow, ["color-contrast"]) == []
        kept.folder.rename(kept.folder.with_name("away"))
        kept.folder.symlink_to("away")  # the disk refuses
        await narrow.get_by_role("button", name="Delete for everybody").click()
        await expect(narrow.get_by_role("alert")).to_contain_text("delete it again")
        kept.folder.unlink()
        kept.folder.with_name("away").rename(kept.folder)
        await narrow.get_by_role("button", name="Delete for everybody").click()
        for page in (narrow, wide):
            await expect(page.get_by_role("heading", name="Recordings")).to_have_count(0)
        assert not kept.folder.exists()
