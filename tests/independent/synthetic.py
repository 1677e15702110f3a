"""Sound and pictures that nobody recorded, and the measuring of what arrives."""

import asyncio
import contextlib
import math
import time
from array import array
from collections.abc import Coroutine
from itertools import pairwise
from typing import cast

import webrtc

RATE = 48_000
CHUNK = RATE // 100
FRAMES_PER_SECOND = 20


class Source:
    """A tone, and a picture with a bright bar that wanders through it."""

    def __init__(self, tone: float, width: int, height: int) -> None:
        self.audio = webrtc.MediaStreamTrackGenerator("audio")
        self._video = webrtc.VideoTrackGenerator()
        self.video = self._video.track
        self.stream = webrtc.MediaStream()
        self._tone = tone
        self._size = (width, height)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._play()), asyncio.create_task(self._show())]

    async def stop(self) -> None:
        await _cancel(self._tasks)
        self.audio.stop()
        self.video.stop()

    async def _play(self) -> None:
        writer = self.audio.writable.get_writer()
        written, began = 0, time.monotonic()
        while True:
            # As many chunks as are due: a loop that woke up late leaves no gap.
            while written < (time.monotonic() - began) * 100:
                await writer.write(self._tone_chunk(written))
                written += 1
            await asyncio.sleep(0.01)

    def _tone_chunk(self, number: int) -> webrtc.AudioData:
        step = 2 * math.pi * self._tone / RATE
        first = number * CHUNK
        samples = array("h", (int(9000 * math.sin(step * (first + i))) for i in range(CHUNK)))
        init = webrtc.AudioDataInit(
            format="s16",
            sample_rate=RATE,
            number_of_frames=CHUNK,
            number_of_channels=1,
            timestamp=number * 10_000,
            data=samples.tobytes(),
        )
        return webrtc.AudioData(init)

    async def _show(self) -> None:
        writer = self._video.writable.get_writer()
        number, began = 0, time.monotonic()
        while True:
            await writer.write(self._picture(number))
            number += 1
            await asyncio.sleep(max(0.0, began + number / FRAMES_PER_SECOND - time.monotonic()))

    def _picture(self, number: int) -> webrtc.VideoFrame:
        width, height = self._size
        bar = (number * 8) % (width - 32)
        row = b"\x30" * bar + b"\xe0" * 32 + b"\x30" * (width - 32 - bar)
        init = webrtc.VideoFrameBufferInit(
            format="I420",
            coded_width=width,
            coded_height=height,
            timestamp=number * 1_000_000 // FRAMES_PER_SECOND,
        )
        return webrtc.VideoFrame(row * height + b"\x80" * (width * height // 2), init)


class Meter:
    """Counts the frames of the tracks that came from one peer connection, after their decoding."""

    def __init__(self) -> None:
        self.frames = 0
        self.moved = 0
        self.size = (0, 0)
        self.first_frame_at: float | None = None
        self.samples = 0
        self.energy = 0.0
        self.crossings = 0
        self._row = b""
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, track: webrtc.MediaStreamTrack) -> None:
        init = webrtc.MediaStreamTrackProcessorInit(track, max_buffer_size=100)
        stream = webrtc.MediaStreamTrackProcessor(init).readable
        reading: Coroutine[None, None, None]
        if track.kind == "video":
            reading = self._watch_video(cast("webrtc.ReadableStream[webrtc.VideoFrame]", stream))
        else:
            reading = self._watch_audio(cast("webrtc.ReadableStream[webrtc.AudioData]", stream))
        self._tasks.append(asyncio.create_task(reading))

    async def stop(self) -> None:
        await _cancel(self._tasks)

    def frequency(self) -> float:
        """The pitch of what was heard in Hz: a tone crosses zero twice in each period."""
        return self.crossings / 2 / (self.samples / RATE) if self.samples else 0.0

    def forget_sound(self) -> None:
        """Begins the measuring of sound anew, as after the silence before a connection."""
        self.samples = self.crossings = 0
        self.energy = 0.0

    async def _watch_video(self, stream: "webrtc.ReadableStream[webrtc.VideoFrame]") -> None:
        async for frame in stream:
            with frame:
                if self.first_frame_at is None:
                    self.first_frame_at = time.monotonic()
                self.frames += 1
                self.size = (frame.coded_width, frame.coded_height)
                pixels = bytearray(frame.allocation_size())
                await frame.copy_to(pixels)
                middle = self.size[1] // 2 * self.size[0]
                row = bytes(pixels[middle : middle + self.size[0]])
                self.moved += row != self._row
                self._row = row

    async def _watch_audio(self, stream: "webrtc.ReadableStream[webrtc.AudioData]") -> None:
        options = webrtc.AudioDataCopyToOptions(plane_index=0, format="s16")
        async for data in stream:
            with data:
                raw = bytearray(data.allocation_size(options))
                data.copy_to(raw, options)
                # Interleaved: the first channel is enough. Brought to one rate, so that figures compare.
                heard = array("h", bytes(raw))[:: data.number_of_channels]
                scale = RATE / data.sample_rate
            self.samples += int(len(heard) * scale)
            self.energy += sum(s * s for s in heard) / 32768**2 * scale / RATE
            self.crossings += sum((a < 0) != (b < 0) for a, b in pairwise(heard))


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    tasks.clear()
