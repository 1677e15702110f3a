"""What a process that was killed has left: files get their duration and index, and the manifest says so.

Files are copied packet by packet, and no decoder is allowed: what participants sent is not to be trusted.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import av
import structlog

from signalling.media.embedded.recording.manifest import NAME, Folder
from signalling.media.embedded.recording.writer import MILLISECOND, Sink
from signalling.media.port import RecordedFile, Recording

_NO_DECODER: Final = {"codec_whitelist": "none"}

log = structlog.get_logger()


def unfinished(recordings: Path) -> list[Folder]:
    """Takes in which nobody records any more and that have no end, locked."""
    found = []
    for manifest in sorted(recordings.glob(f"*/*/{NAME}")):
        try:
            folder = Folder.lock(manifest.parent)
        except OSError as failure:
            log.warning("recording_unreadable", take=manifest.parent.name, why=str(failure))
            continue
        if folder is None:
            continue
        try:
            recording = folder.read()
            is_whole = all(file.finished for file in recording.files)
            if recording.ended is None or not (is_whole or recording.cut):
                found.append(folder)
                continue
        except (OSError, ValueError) as failure:
            log.warning("recording_unreadable", take=manifest.parent.name, why=str(failure))
        folder.release()
    return found


def recover(folder: Folder) -> Recording:
    """Finish it, or remove it when it is empty. Raises `OSError` when the disk does: try again."""
    recording = folder.read()
    files = tuple(_recovered(folder, recording.files))
    lasted = max((file.offset_ms + file.duration_ms for file in files), default=0)
    recording = replace(
        recording, files=files, ended=recording.ended or "interrupted", cut=True, duration_ms=lasted
    )
    if files:
        folder.write(recording)
    else:
        folder.remove()
    return recording


def _recovered(folder: Folder, files: tuple[RecordedFile, ...]) -> Iterator[RecordedFile]:
    for file in files:
        path = folder.path / file.name
        if file.finished or not path.exists():
            if file.finished:
                yield file
            continue
        temporary = path.with_name(f"{file.name}.tmp")
        temporary.unlink(missing_ok=True)
        try:
            duration = _copy(path, temporary)
        except (av.FFmpegError, ValueError) as failure:
            # Nothing that could be played, or the disk is full: it is left as it is.
            temporary.unlink(missing_ok=True)
            log.warning("recording_not_recovered", file=file.name, why=str(failure))
            yield replace(file, bytes=path.stat().st_size)
            continue
        folder.put(temporary, file.name)
        yield replace(
            file,
            duration_ms=duration,
            bytes=path.stat().st_size,
            finished=True,
            sha256=folder.digest(file.name),
        )


def _copy(source: Path, target: Path) -> int:
    """Write the same packets into a new file; returns for how many milliseconds they last."""
    sink = Sink(target)
    try:
        with av.open(str(source), container_options=_NO_DECODER) as read:
            name = "matroska" if source.suffix == ".mkv" else "webm"
            with av.open(sink, "w", format=name) as written:
                lasts = _copy_packets(read, written)
        sink.sync()
    finally:
        sink.close()
    return lasts


def _copy_packets(read: Any, written: Any) -> int:
    streams = {each.index: written.add_stream_from_template(each, opaque=True) for each in read.streams}
    lasts = 0
    for packet in read.demux():
        if packet.dts is None or packet.is_corrupt:
            continue
        end = (packet.pts + (packet.duration or 0)) * packet.time_base
        lasts = max(lasts, round(end / MILLISECOND))
        packet.stream = streams[packet.stream_index]
        written.mux(packet)
    if not lasts:
        raise ValueError("there is nothing in it")
    return lasts
