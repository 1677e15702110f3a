"""Sound and pictures that nobody recorded, and the measuring of what arrives."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import cast

import webrtc

from tests.independent.figures import RATE, Figures, tone_samples

CHUNK = RATE // 100
FRAMES_PER_SECOND = 20


class Source:
    """A tone, and a picture with a bright bar that wanders through it."""

    def __init__(self, tone: float, width: int, height: int, fps: int = FRAMES_PER_SECOND) -> None:
        self.audio = webrtc.MediaStreamTrackGenerator("audio")
        self._video = webrtc.VideoTrackGenerator()
        self.video = self._video.track
        self.stream = webrtc.MediaStream()
        self._second = tone_samples(tone)
        self._fps = fps
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
        first = number % 100 * CHUNK * 2
        init = webrtc.AudioDataInit(
            format="s16",
            sample_rate=RATE,
            number_of_frames=CHUNK,
            number_of_channels=1,
            timestamp=number * 10_000,
            data=self._second[first : first + CHUNK * 2],
        )
        return webrtc.AudioData(init)

    async def _show(self) -> None:
        writer = self._video.writable.get_writer()
        number, began = 0, time.monotonic()
        while True:
            await writer.write(self._picture(number))
            await asyncio.sleep(max(0.0, began + (number + 1) / self._fps - time.monotonic()))
            # As a camera does: a loop that woke up late leaves pictures out, and sends none in a hurry.
            number = max(number + 1, int((time.monotonic() - began) * self._fps))

    def _picture(self, number: int) -> webrtc.VideoFrame:
        width, height = self._size
        bar = (number * 8) % (width - 32)
        row = b"\x30" * bar + b"\xe0" * 32 + b"\x30" * (width - 32 - bar)
        init = webrtc.VideoFrameBufferInit(
            format="I420",
            coded_width=width,
            coded_height=height,
            timestamp=number * 1_000_000 // self._fps,
        )
        return webrtc.VideoFrame(row * height + b"\x80" * (width * height // 2), init)


class Meter(Figures):
    """Counts the frames of the tracks that came from one peer connection, after their decoding.

    Of sound it takes a piece of 10 ms every `pause` seconds: all of it by default.
    """

    def __init__(self, pause: float = 0.0) -> None:
        super().__init__()
        self._pause = pause
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, track: webrtc.MediaStreamTrack) -> None:
        is_sampled = track.kind == "audio" and self._pause > 0
        init = webrtc.MediaStreamTrackProcessorInit(track, max_buffer_size=1 if is_sampled else 100)
        stream = webrtc.MediaStreamTrackProcessor(init).readable
        reading: Coroutine[None, None, None]
        if track.kind == "video":
            reading = self._watch_video(cast("webrtc.ReadableStream[webrtc.VideoFrame]", stream))
        else:
            reading = self._watch_audio(cast("webrtc.ReadableStream[webrtc.AudioData]", stream))
        self._tasks.append(asyncio.create_task(reading))

    async def stop(self) -> None:
        await _cancel(self._tasks)

    async def _watch_video(self, stream: "webrtc.ReadableStream[webrtc.VideoFrame]") -> None:
        async for frame in stream:
            with frame:
                width, height = frame.coded_width, frame.coded_height
                pixels = bytearray(frame.allocation_size())
                await frame.copy_to(pixels)
                middle = height // 2 * width
                self.saw((width, height), bytes(pixels[middle : middle + width]))

    async def _watch_audio(self, stream: "webrtc.ReadableStream[webrtc.AudioData]") -> None:
        options = webrtc.AudioDataCopyToOptions(plane_index=0, format="s16")
        async for data in stream:
            with data:
                raw = bytearray(data.allocation_size(options))
                data.copy_to(raw, options)
                self.heard(bytes(raw), data.number_of_channels, data.sample_rate)
            if self._pause:
                await asyncio.sleep(self._pause)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    tasks.clear()
