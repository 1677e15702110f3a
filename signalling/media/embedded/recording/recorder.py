"""All recordings of an engine: where they lie, who writes them, and what an earlier process left."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from signalling.media.embedded.recording.disk import Disk
from signalling.media.embedded.recording.manifest import Folder
from signalling.media.embedded.recording.recovery import recover, unfinished
from signalling.media.embedded.recording.take import Take
from signalling.media.port import OnRecorded, Recording, RecordingRefused

CLOSE_SECONDS: Final = 30.0

log = structlog.get_logger()


class Recorder:
    """`folder`: None where nothing is recorded."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.on_recorded: OnRecorded | None = None
        """Is told of every recording that is complete."""
        self._disk = Disk()
        self._takes: set[Take] = set()
        self._recovering: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Find what an earlier process left, and finish it beside everything else. Raises `OSError`."""
        if self._folder is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        left = await asyncio.to_thread(unfinished, self._folder)
        self._recovering = asyncio.create_task(self._recover(left))

    async def _recover(self, left: list[Folder]) -> None:
        for folder in left:
            try:
                recording = await asyncio.to_thread(recover, folder)
            except Exception:  # it stays for the next start
                log.exception("recording_not_recovered", take=folder.path.name)
            else:
                self._tell(recording)
            finally:
                folder.release()

    async def start(self, call_id: UUID, take_id: UUID, agreed: tuple[UUID, ...]) -> Take:
        """A recording of that call, with nothing in it yet. Raises `RecordingRefused`."""
        if self._folder is None:
            raise RecordingRefused("unsupported", "This server does not record.")
        recording = Recording(call_id, take_id, datetime.now(UTC), agreed=agreed)
        take = Take(recording, self._disk, lambda ended: self._over(take, ended))
        await take.open(self._folder)
        self._takes.add(take)
        return take

    def _over(self, take: Take, recording: Recording) -> None:
        self._takes.discard(take)
        self._tell(recording)

    def _tell(self, recording: Recording) -> None:
        # Where nobody sent anything, nothing is left that could be told of.
        if self.on_recorded is not None and recording.files:
            self.on_recorded(recording.call_id, recording)

    async def close(self) -> None:
        """End all recordings, and wait for the disk, but not for ever."""
        if self._recovering is not None:
            self._recovering.cancel()
            await asyncio.gather(self._recovering, return_exceptions=True)
        for take in self._takes:
            take.end("call_ended")
        if self._takes:
            ending = [asyncio.create_task(take.over()) for take in self._takes]
            await asyncio.wait(ending, timeout=CLOSE_SECONDS)
        self._disk.close()
