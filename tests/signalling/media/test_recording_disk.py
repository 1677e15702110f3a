"""Recordings and the disk: processes that are killed, disks that are full, slow or broken."""

import asyncio
import errno
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import TypeAdapter

from signalling.media.embedded.engine import EmbeddedEngine
from signalling.media.embedded.recording import disk, take
from signalling.media.embedded.recording.manifest import Folder
from signalling.media.embedded.recording.recovery import recover, unfinished
from signalling.media.embedded.recording.writer import Sample, Sink, Writer
from signalling.media.port import RecordedFile, Recording, RecordingRefused
from tests.logs import capture
from tests.signalling.media.caller import until
from tests.signalling.media.members import Call, Member, call
from tests.signalling.media.recorded import folder_of, play
from tests.signalling.media.recording_process import recording_elsewhere


def manifest_of(recordings: Path) -> tuple[Path, Recording]:
    (path,) = recordings.glob("*/*/manifest.json")
    return path.parent, TypeAdapter(Recording).validate_json(path.read_bytes())


async def opened(recordings: Path) -> list[Recording]:
    """What an engine finishes when it starts."""
    told: list[Recording] = []
    engine = EmbeddedEngine(lambda *_: None, host="127.0.0.1", port=0, recordings=recordings)
    engine.tell_recordings(lambda _, said: told.append(said))
    await engine.open()
    assert engine._recorder._recovering is not None
    await engine._recorder._recovering
    await engine.close()
    return told


async def test_a_killed_process_leaves_what_can_be_played(tmp_path: Path) -> None:
    async with recording_elsewhere(tmp_path) as process:
        began = time.monotonic()
        await asyncio.sleep(7)
        assert await opened(tmp_path) == [], "nobody touches what another process writes"
        process.kill()
        lasted = time.monotonic() - began
    folder, manifest = manifest_of(tmp_path)
    assert manifest.ended is None
    (file,) = manifest.files
    before = play(folder / file.name)
    assert before.duration is None
    assert before.shown[-1][0] == pytest.approx(lasted, abs=2.2)
    assert before.strangers() == []
    assert before.holes == []
    (recording,) = await opened(tmp_path)
    assert (recording.ended, recording.cut) == ("interrupted", True)
    assert manifest_of(tmp_path) == (folder, recording)
    (file,) = recording.files
    after = play(folder / file.name)
    assert file.finished
    assert after.duration == pytest.approx(file.duration_ms / 1000, abs=0.1)
    assert [at for at, _, _ in after.shown] == [at for at, _, _ in before.shown]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.name for path in folder.iterdir()} == {file.name, "manifest.json"}
    assert await opened(tmp_path) == []


def test_what_holds_nothing_is_told_once(tmp_path: Path) -> None:
    """A file without a frame, one that is not there, a manifest that is none of ours."""
    folder = Folder.create(tmp_path, uuid4(), uuid4())
    files = [RecordedFile(name, uuid4(), (), (), 0) for name in ("empty.webm", "nowhere.webm")]
    folder.write(Recording(uuid4(), uuid4(), datetime.now(UTC), files=tuple(files)))
    (folder.path / "empty.webm").touch()
    folder.release()
    strange = Folder.create(tmp_path, uuid4(), uuid4())
    (strange.path / "manifest.json").write_text("{}")
    strange.release()
    (found,) = unfinished(tmp_path)
    recovered = recover(found)
    found.release()
    assert [(file.name, file.finished) for file in recovered.files] == [("empty.webm", False)]
    assert unfinished(tmp_path) == []


class Ends:
    """How recordings ended."""

    def __init__(self) -> None:
        self.told: list[Recording] = []

    def __call__(self, _: Any, recording: Recording) -> None:
        self.told.append(recording)


async def begun(meeting: Call) -> tuple[Member, Member]:
    """Two people, of whom one sends and is recorded."""
    one, other = await meeting.join(), await meeting.join()
    await one.send()
    await until(lambda: other.frames(one) > 5, seconds=15)
    await meeting.engine.record(meeting.id, uuid4())
    return one, other


async def ended(ends: Ends, one: Member, other: Member) -> Recording:
    """How it ended; the call goes on."""
    await until(lambda: bool(ends.told), seconds=20)
    frames = other.frames(one)
    await until(lambda: other.frames(one) > frames + 5, seconds=5)
    (recording,) = ends.told
    return recording


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.long
async def test_a_full_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take, "FLOOR", 0)
    ends = Ends()
    async with call(recordings=small_disk, on_recorded=ends) as meeting:
        one, other = await begun(meeting)
        (small_disk / "ballast").write_bytes(bytes(80 * 1024))
        recording = await ended(ends, one, other)
    assert recording.ended == "disk_full"
    (file,) = recording.files
    found = play(folder_of(small_disk, recording) / file.name)
    assert found.shown
    assert found.strangers() == []
    (small_disk / "ballast").unlink()
    (recovered,) = await opened(small_disk)
    assert (recovered.cut, recovered.files[0].finished) == (True, True)


async def test_room_that_is_kept_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = Ends()
    async with call(recordings=tmp_path, on_recorded=ends) as meeting:
        one, other = await begun(meeting)
        await asyncio.sleep(2)
        monkeypatch.setattr(take, "FLOOR", 1 << 60)
        recording = await ended(ends, one, other)
        with pytest.raises(RecordingRefused) as refused:
            await meeting.engine.record(meeting.id, uuid4())
        assert refused.value.reason == "no_room"
    assert (recording.ended, recording.files[0].finished) == ("disk_full", True)


@pytest.mark.long
async def test_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mock: each job takes a second, and little may wait."""
    write = Writer.write

    def slowly(self: Writer, samples: Sequence[Sample]) -> None:
        time.sleep(1)
        write(self, samples)

    monkeypatch.setattr(Writer, "write", slowly)
    monkeypatch.setattr(disk, "MOST_WAITING", 10_000)
    ends = Ends()
    async with call(recordings=tmp_path, on_recorded=ends) as meeting:
        recording = await ended(ends, *await begun(meeting))
    assert recording.ended == "disk_slow"
    assert play(folder_of(tmp_path, recording) / recording.files[0].name).shown


async def test_a_broken_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mock: nothing can be written any more after a while; what was is played, and finished later."""
    write = os.write

    def breaks(descriptor: int, data: Any) -> int:
        if os.lseek(descriptor, 0, os.SEEK_CUR) > 15_000:
            raise OSError(errno.EIO, "broken")
        return write(descriptor, data[:1000])

    ends = Ends()
    with monkeypatch.context() as patch:
        patch.setattr("signalling.media.embedded.recording.writer.os.write", breaks)
        async with call(recordings=tmp_path, on_recorded=ends) as meeting:
            recording = await ended(ends, *await begun(meeting))
    assert recording.ended == "disk_failed"
    (file,) = recording.files
    assert not file.finished
    assert play(folder_of(tmp_path, recording) / file.name).shown
    (recovered,) = await opened(tmp_path)
    assert recovered.files[0].finished


async def test_what_the_muxer_refuses_ends_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mock: the packets of one participant cannot be muxed."""
    packet = Writer._packet
    async with call(recordings=tmp_path) as meeting:
        one, other = await begun(meeting)

        def refuses(self: Writer, sample: Sample) -> Any:
            if str(one.id) in self.path.name:
                raise ValueError("strange")
            return packet(self, sample)

        await asyncio.sleep(2)
        monkeypatch.setattr(Writer, "_packet", refuses)
        await other.send()
        said = capture(monkeypatch, take)
        await asyncio.sleep(3)
        recording = await meeting.engine.stop_recording(meeting.id)
    assert sum(line["event"] == "recording_failed" for line in said) == 1, "once is enough"
    assert recording is not None
    assert {file.participant_id: file.finished for file in recording.files} == {one.id: False, other.id: True}


async def test_recordings_have_a_longest_duration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take, "LONGEST_SECONDS", 3.0)
    ends = Ends()
    async with call(recordings=tmp_path, on_recorded=ends) as meeting:
        recording = await ended(ends, *await begun(meeting))
    assert recording.ended == "too_long"
    assert recording.files[0].duration_ms == pytest.approx(3000, abs=1000)


def test_a_sink_leaves_no_half(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "file")
    sink.write(b"whole")
    with pytest.MonkeyPatch.context() as patch:
        sent = iter([2])

        def half(descriptor: int, data: Any) -> int:
            for count in sent:
                os.pwrite(descriptor, data[:count], os.lseek(descriptor, count, os.SEEK_CUR) - count)
                return count
            raise OSError(errno.ENOSPC, "full")

        patch.setattr("signalling.media.embedded.recording.writer.os.write", half)
        with pytest.raises(OSError, match="full"):
            sink.write(b"half")
    with pytest.raises(OSError, match="full"):
        sink.write(b"more")
    sink.close()
    assert (tmp_path / "file").read_bytes() == b"whole"
