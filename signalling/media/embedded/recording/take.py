"""One recording of one call: everybody's files, what is written about them, and how it ends."""

import asyncio
import contextlib
import errno
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from signalling.media.embedded.recording.disk import Disk, Overrun
from signalling.media.embedded.recording.manifest import Folder
from signalling.media.embedded.recording.part import Part
from signalling.media.embedded.recording.tape import GROUPS, Tape
from signalling.media.embedded.recording.writer import Shown, Writer
from signalling.media.embedded.track import Track
from signalling.media.port import RecordedFile, Recording, RecordingRefused, TakeEnd
from signalling.protocol.parts import Source

LONGEST_SECONDS: Final = 4 * 3600.0
FLOOR: Final = 512 * 1024 * 1024
"""Bytes that stay free on the disk."""
LOOK_SECONDS: Final = 2.0
"""How often that is looked at."""

log = structlog.get_logger()


class Take:
    """`done` is called once, when it is over for whatever reason."""

    def __init__(self, recording: Recording, disk: Disk, done: Callable[[Recording], None]) -> None:
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._started = loop.time()
        self._disk = disk
        self._done = done
        self._recording = recording
        self._folder: Folder | None = None
        self._tapes: dict[tuple[UUID, str], Tape] = {}
        self._files: dict[Part, RecordedFile] = {}
        self._finishing: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[Recording] | None = None
        self._looked = self._started

    async def open(self, recordings: Path) -> None:
        """Make its folder. Raises `RecordingRefused`."""
        ids = self._recording.call_id, self._recording.take_id

        def make() -> Folder:
            folder = Folder.create(recordings, *ids)
            if shutil.disk_usage(folder.path).free < FLOOR:
                folder.remove()
                folder.release()
                raise RecordingRefused("no_room", "There is too little room on the server's disk.")
            folder.write(self._recording)
            return folder

        try:
            self._folder = await self._disk.put(make)
        except FileExistsError:
            raise RecordingRefused("recorded", "There is such a recording already.") from None
        except OSError as failure:
            log.warning("recording_failed", take=str(ids[1]), why=str(failure))
            raise RecordingRefused("no_room", "The server's disk cannot be written.") from failure

    @property
    def is_over(self) -> bool:
        """Whether it ends or has ended."""
        return self._ending is not None

    # What comes

    def wish(self, tracks: Iterable[Track]) -> None:
        """From here on these are in the call."""
        if self._folder is None or self.is_over:
            return
        wanted: dict[tuple[UUID, str], list[Track]] = {key: [] for key in self._tapes}
        for track in tracks:
            wanted.setdefault((track.participant_id, GROUPS[track.source]), []).append(track)
        for (who, name), theirs in wanted.items():
            tape = self._tapes.get((who, name)) or Tape(who, name, self, self._clock)
            # Its number goes on when they come back, so it stays, without cost.
            self._tapes[who, name] = tape
            tape.wish(theirs)

    def tick(self, now: float, wall: float, behind: Callable[[UUID], float | None]) -> None:
        """Some time has passed: monotonic seconds, and those since 1970."""
        if self._folder is None or self.is_over:
            return
        if now - self._started > LONGEST_SECONDS:
            self.end("too_long")
            return
        for key, tape in list(self._tapes.items()):
            try:
                tape.tick(now, wall, behind(tape.participant_id))
            except Overrun:
                self.end("disk_slow")
                return
            except Exception:  # what one participant sends is not to end the recording of the others
                log.exception("tape_failed", participant=str(key[0]))
                tape.wish(())
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            self.watch(self._disk.put(partial(_look, self._folder.path)))

    # What its tapes want

    def begin(self, participant_id: UUID, name: str, at: float, shown: Shown | None) -> Part:
        """Another file."""
        assert self._folder is not None
        name = f"{name}.{shown.suffix if shown else 'webm'}"
        codecs = ("opus", shown.codec) if shown else ("opus",)
        part = Part(Writer(self._folder.path / name, shown), self._disk, at, shown)
        self._files[part] = RecordedFile(name, participant_id, (), codecs, _ms(at - self._started))
        self._write()
        return part

    def heard_of(self, part: Part, source: Source) -> None:
        """The file holds something of that source."""
        file = self._files[part]
        if source not in file.sources:
            self._files[part] = replace(file, sources=tuple(sorted({*file.sources, source})))
            self._write()

    def finish(self, part: Part) -> None:
        """Nothing comes into the file any more."""
        self._finishing = [task for task in self._finishing if not task.done()]
        self._finishing.append(asyncio.create_task(self._finish(part)))

    def watch(self, job: asyncio.Future[None]) -> None:
        """End when it fails."""
        job.add_done_callback(self._watched)

    def _watched(self, job: asyncio.Future[None]) -> None:
        failure = None if job.cancelled() else job.exception()
        if failure is None or self.is_over:
            return
        log.warning("recording_failed", take=str(self._recording.take_id), why=str(failure))
        # What the muxer does not take ends the file that it belongs to, and nothing else.
        if isinstance(failure, OSError):
            full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
            self.end("disk_full" if full else "disk_failed")

    # What is written about it

    def _write(self) -> None:
        assert self._folder is not None
        self.watch(self._disk.put(partial(self._folder.write, self._now())))

    def _now(self, ended: TakeEnd | None = None) -> Recording:
        lasted = _ms(self._clock() - self._started)
        return replace(self._recording, files=tuple(self._files.values()), ended=ended, duration_ms=lasted)

    async def _finish(self, part: Part) -> None:
        assert self._folder is not None
        duration = _ms(part.ends - part.begins)
        self._files[part] = replace(self._files[part], duration_ms=duration)
        try:
            octets = await part.finish()
            file = self._files[part]
            digest = await asyncio.to_thread(self._folder.digest, file.name)
        except Exception as failure:  # whatever the disk or the muxer says: what was written can be played
            log.warning("recording_unfinished", file=self._files[part].name, why=str(failure))
            self._files[part] = replace(self._files[part], bytes=part.octets)
            return
        self._files[part] = replace(file, bytes=octets, finished=True, sha256=digest)
        if not self.is_over:
            self._write()

    # The end

    def end(self, why: TakeEnd) -> None:
        """Finish it, if that has not begun yet."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(why))

    async def over(self) -> Recording:
        """Wait until it is finished."""
        assert self._ending is not None
        return await asyncio.shield(self._ending)

    async def _end(self, why: TakeEnd) -> Recording:
        for tape in self._tapes.values():
            try:
                tape.wish(())
            except Exception:  # the files of the others are to be finished
                log.exception("tape_failed", participant=str(tape.participant_id))
        await asyncio.gather(*self._finishing)
        recording = self._now(why)
        # Before the manifest says so: whoever dies in between finds it unfinished, and tells it again.
        self._done(recording)
        if self._folder is not None:
            # A manifest that cannot be written is put right at the next start.
            keep = partial(self._folder.write, recording) if recording.files else self._folder.remove
            with contextlib.suppress(OSError):
                await self._disk.put(keep)
            self._folder.release()
        log.info("recorded", take=str(recording.take_id), why=why, files=len(recording.files))
        return recording


def _look(folder: Path) -> None:
    """Raises `OSError` when too little room is left."""
    if shutil.disk_usage(folder).free < FLOOR:
        raise OSError(errno.ENOSPC, "too little room is left on the disk")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
