"""Recorded files in a real browser: they play to their end, also those of a process that was killed."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser

from signalling.media.embedded.recording.manifest import NAME
from signalling.media.embedded.recording.recovery import recover, unfinished
from signalling.media.embedded.recording.writer import Shown, Writer
from tests.e2e.browser import open_browser
from tests.signalling.media.frames import encoded
from tests.signalling.media.members import call
from tests.signalling.media.recorded import folder_of
from tests.signalling.media.recording_process import recording_elsewhere

pytestmark = pytest.mark.browser

PLAY = """url => new Promise((done, failed) => {
  const video = document.createElement("video");
  document.body.append(video);
  let known = null;
  const say = () => done({
    ended: video.ended, at: video.currentTime, duration: known, width: video.videoWidth,
    frames: video.getVideoPlaybackQuality().totalVideoFrames, audio: video.webkitAudioDecodedByteCount });
  video.addEventListener("loadedmetadata", () => { known = video.duration; });
  video.addEventListener("ended", say);
  video.addEventListener("error", () => failed(new Error(video.error.message)));
  setTimeout(say, 30000);
  video.muted = true;
  video.src = url;
  video.play();
})"""


async def played(browser: Browser, path: Path) -> dict[str, Any]:
    """Play a file in a page beside it; what was seen of it."""
    page = path.with_suffix(".html")
    page.write_text("<!doctype html><title>A recording</title>")
    shown = await browser.new_page()
    await shown.goto(page.as_uri())
    found: dict[str, Any] = await shown.evaluate(PLAY, path.name)
    await shown.close()
    page.unlink()
    return found


async def test_a_recording_plays_to_its_end(tmp_path: Path) -> None:
    async with call(recordings=tmp_path) as meeting:
        one = await meeting.join()
        await one.send()
        await meeting.engine.record(meeting.id, uuid4())
        await asyncio.sleep(6)
        recording = await meeting.engine.stop_recording(meeting.id)
    assert recording is not None
    async with open_browser() as browser:
        found = await played(browser, folder_of(tmp_path, recording) / recording.files[0].name)
    assert found["ended"]
    assert found["duration"] == pytest.approx(6, abs=1)
    assert found["at"] == pytest.approx(6, abs=1)
    assert found["width"] == 320
    assert found["frames"] > 60
    assert found["audio"] > 0


async def test_what_a_killed_process_left_plays_before_and_after_it_is_finished(tmp_path: Path) -> None:
    async with recording_elsewhere(tmp_path) as process:
        await asyncio.sleep(6)
        process.kill()
    (path,) = tmp_path.glob("*/*/*.webm")
    assert (path.parent / NAME).exists()
    async with open_browser() as browser:
        before = await played(browser, path)
        (folder,) = unfinished(tmp_path)
        recover(folder)
        folder.release()
        after = await played(browser, path)
    assert before["ended"]
    assert after["ended"]
    assert before["at"] == pytest.approx(5, abs=1.5)
    assert after["duration"] == pytest.approx(before["at"], abs=0.5)


@pytest.mark.parametrize("codec", ["h264", "vp9"])
async def test_other_codecs_play(tmp_path: Path, codec: str) -> None:
    """Also in a browser, as far as it decodes them."""
    shown = Shown(codec, 320, 180)
    path = tmp_path / f"file.{shown.suffix}"
    writer = Writer(path, shown)
    writer.write(encoded(codec, 60))
    writer.finish()
    async with open_browser() as browser:
        found = await played(browser, path)
    assert found["ended"]
    assert found["duration"] == pytest.approx(3, abs=0.2)
    assert found["width"] == 320
