"""A file as it grows: frames in the order in which they are seen and heard, silence where nothing came."""

import asyncio
from bisect import insort
from typing import Final

from signalling.media.embedded.recording import sound
from signalling.media.embedded.recording.disk import Disk
from signalling.media.embedded.recording.writer import Sample, Shown, Writer

LAG: Final = 0.5
"""Seconds for which a file waits for sound; what comes later is left out, and there is silence."""
BATCH_SECONDS: Final = 0.25
_TOLERANCE: Final = 0.01


class Part:
    """Times are in seconds of the take."""

    def __init__(self, writer: Writer, disk: Disk, begins: float, shown: Shown | None) -> None:
        self.shown = shown
        self.begins = begins
        self.ends = begins
        self._writer = writer
        self._disk = disk
        self._heard_until = begins
        self._newest = {True: -1, False: -1}
        self._pending: list[tuple[float, int, Sample]] = []
        self._count = 0
        self._ready: list[Sample] = []
        self._written = begins
        self._failed = False
        """The disk or the muxer did not take it: nothing more is written."""

    def see(self, data: bytes, at: float, *, is_key: bool) -> None:
        """A picture. Times that go backwards are pushed on: what is shown is never left out."""
        self._add(data, at, 0.0, is_video=True, is_key=is_key)

    def hear(self, data: bytes, at: float, seconds: float) -> None:
        """A packet of sound."""
        if at + seconds <= self._heard_until + _TOLERANCE:
            return
        self._be_silent(at)
        self._add(data, at, seconds, is_video=False, is_key=True)
        self._heard_until = max(at, self.begins) + seconds

    def write(self, until: float) -> asyncio.Future[None] | None:
        """Write what was seen and heard until `LAG` before then, now and then. Raises `Overrun`."""
        horizon = until - LAG
        self._be_silent(horizon)
        while self._pending and self._pending[0][0] <= horizon:
            self._ready.append(self._pending.pop(0)[2])
        if self._failed:
            self._ready.clear()
        if until - self._written < BATCH_SECONDS or not self._ready:
            return None
        self._written = until
        return self._put()

    def finish(self) -> asyncio.Future[int]:
        """Write all that there is, and the end; returns how many bytes the file has."""
        self._ready += [sample for _, _, sample in self._pending]
        self._pending = []
        samples = self._ready

        def last() -> int:
            if samples:
                self._writer.write(samples)
            return self._writer.finish()

        return self._disk.put(last)

    @property
    def octets(self) -> int:
        """How many bytes have been written."""
        return self._writer.octets

    def _put(self) -> asyncio.Future[None]:
        samples, self._ready = self._ready, []
        job = self._disk.put(lambda: self._writer.write(samples), sum(len(each.data) for each in samples))
        job.add_done_callback(self._done)
        return job

    def _done(self, job: asyncio.Future[None]) -> None:
        self._failed = self._failed or job.cancelled() or job.exception() is not None

    def _be_silent(self, until: float) -> None:
        """Players lose the sound's place in time where there is a hole."""
        while self._heard_until + sound.SILENCE_SECONDS <= until + _TOLERANCE / 4:
            at = self._heard_until
            self._add(sound.SILENCE, at, sound.SILENCE_SECONDS, is_video=False, is_key=True)
            self._heard_until = at + sound.SILENCE_SECONDS

    def _add(self, data: bytes, at: float, seconds: float, *, is_video: bool, is_key: bool) -> None:
        place = max(self._newest[is_video] + 1, round((at - self.begins) * 1000))
        self._newest[is_video] = place
        self._count += 1
        sample = Sample(data, place, round(seconds * 1000), is_video, is_key)
        insort(self._pending, (self.begins + place / 1000, self._count, sample))
        self.ends = max(self.ends, self.begins + place / 1000 + seconds)
