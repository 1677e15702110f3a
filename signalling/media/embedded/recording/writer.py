"""One file: frames become a Matroska that can be played up to its last second, whenever writing stops.

Runs in the thread that may wait for the disk. libavformat muxes and is given whole frames; no codec is used.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import av

MILLISECOND: Final = Fraction(1, 1000)
SYNC_SECONDS: Final = 2.0
_OPTIONS: Final = {
    # Milliseconds of a cluster: what is not in one that ended is lost with the process.
    "cluster_time_limit": "500",
    # Microseconds for which a stream is waited for: ours come in order already.
    "max_interleave_delta": "100000",
    "flush_packets": "1",
}


class Shown(NamedTuple):
    """What the header says of the pictures."""

    codec: str
    width: int
    height: int

    @property
    def suffix(self) -> str:
        """WebM holds only codecs that are free."""
        return "mkv" if self.codec == "h264" else "webm"


class Sample(NamedTuple):
    """A frame in its file."""

    data: bytes
    at: int
    """Milliseconds from the beginning of the file."""
    duration: int
    is_video: bool
    is_key: bool


class Sink:
    """What libavformat writes to. Remembers why the disk failed, and leaves no half of a cluster behind."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.failed: OSError | None = None
        self.closed = False

    def write(self, data: bytes) -> int:
        if self.failed is not None:
            raise self.failed
        begun, rest = self.tell(), memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as failure:
            self.failed = failure
            os.ftruncate(self._fd, begun)
            raise
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._fd, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._fd, 0, os.SEEK_CUR)

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._fd)


class Unfit(Exception):
    """The muxer does not take what came."""


class Writer:
    """Creates its file with the first samples."""

    def __init__(self, path: Path, shown: Shown | None) -> None:
        """`shown`: None for sound alone."""
        self.path = path
        self._shown = shown
        self._sink: Sink | None = None
        self._container: Any = None
        self._streams: dict[bool, Any] = {}
        self._synced = time.monotonic()

    def write(self, samples: Sequence[Sample]) -> None:
        """Append. Raises `OSError` when the disk does, and `Unfit`."""
        if self._sink is None:
            self._sink = Sink(self.path)
            self._begin(self._sink)
        with self._abandoning(self._sink):
            for sample in samples:
                self._container.mux(self._packet(sample))
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self._synced = time.monotonic()
                self._sink.sync()

    def finish(self) -> int:
        """Write how long it is and where to seek; returns how many bytes it has. Raises as `write`."""
        if self._sink is not None:
            with self._abandoning(self._sink):
                self._container.close()
                self._sink.sync()
            self._sink.close()
        return self.octets

    @property
    def octets(self) -> int:
        """How many bytes have been written."""
        return self.path.stat().st_size if self.path.exists() else 0

    @contextmanager
    def _abandoning(self, sink: Sink) -> Iterator[None]:
        """What goes wrong once is the end of the file: nothing more is written, what is there stays."""
        if sink.closed:
            raise sink.failed or Unfit("The file was given up.")
        try:
            yield
        except Exception as failure:
            sink.close()
            # Libavformat would write the end yet; PyAV leaves that out where the file is closed.
            with suppress(Exception):
                self._container.close()
            raise sink.failed or Unfit(str(failure)) from None

    def _begin(self, sink: Sink) -> None:
        shown = self._shown
        name = "matroska" if shown is not None and shown.suffix == "mkv" else "webm"
        self._container = av.open(sink, "w", format=name, container_options=_OPTIONS)
        # An encoder is named only because libavformat takes the header of Opus from nowhere else.
        sound = self._container.add_stream("libopus", rate=48_000, layout="stereo")
        sound.time_base = MILLISECOND
        self._streams = {False: sound}
        if shown is not None:
            self._streams[True] = self._container.add_mux_stream(
                shown.codec, width=shown.width, height=shown.height, time_base=MILLISECOND
            )

    def _packet(self, sample: Sample) -> Any:
        packet: Any = av.Packet(sample.data)
        packet.stream = self._streams[sample.is_video]
        packet.pts = packet.dts = sample.at
        packet.duration = sample.duration
        packet.time_base = MILLISECOND
        packet.is_keyframe = sample.is_key
        return packet
