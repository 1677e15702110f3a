"""One participant's camera, or their screen, with its sound: one file after another.

A file has one stream of pictures at most, and a header that names its codec. So another file begins with the
first picture of a participant who was only heard, and where the codec changes; both begin with a keyframe.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from signalling.media.embedded.recording.depacketiser import Frame
from signalling.media.embedded.recording.feed import Feed
from signalling.media.embedded.recording.part import Part
from signalling.media.embedded.recording.writer import Shown
from signalling.media.embedded.track import Track
from signalling.protocol.parts import Source

HOLD_SECONDS: Final = 2.0
"""The first file waits so long for sound, picture and the publisher's reports."""
MOST_PARTS: Final = 100

GROUPS: Final[dict[Source, str]] = {
    "microphone": "camera",
    "camera": "camera",
    "screen": "screen",
    "screen_audio": "screen",
}
"""Which sources share a file, and what it is called by."""


class Files(Protocol):
    """The take as its tapes see it. Times are monotonic seconds."""

    def begin(self, participant_id: UUID, name: str, at: float, shown: Shown | None) -> Part: ...

    def heard_of(self, part: Part, source: Source) -> None:
        """The file holds something of that source."""

    def finish(self, part: Part) -> None: ...

    def watch(self, job: asyncio.Future[None]) -> None:
        """A job that may fail."""


class _Placed(NamedTuple):
    at: float
    order: int
    feed: Feed
    frame: Frame


class Tape:
    """`clock`: monotonic seconds."""

    def __init__(self, participant_id: UUID, name: str, files: Files, clock: Callable[[], float]) -> None:
        self.participant_id = participant_id
        self._name = name
        self._files = files
        self._clock = clock
        self._feeds: dict[Track, Feed] = {}
        self._held: list[tuple[Feed, Frame]] = []
        self._held_since = 0.0
        self._part: Part | None = None
        self._parts = 0

    def wish(self, tracks: Iterable[Track]) -> bool:
        """From here on these are recorded; returns whether there are any."""
        wanted = list(tracks)
        for track in [each for each in self._feeds if each not in wanted]:
            self._feeds.pop(track).close()
        for track in wanted:
            if track not in self._feeds:
                self._feeds[track] = Feed(track, self._clock)
        if not wanted:
            self.close()
        return bool(wanted)

    def tick(self, now: float, wall: float, behind: float | None) -> None:
        """Some time has passed. `behind`: the publisher's clock, see `Publisher.behind`."""
        for feed in self._feeds.values():
            for frame in feed.frames(now, wall, behind):
                if not self._held:
                    self._held_since = now
                self._held.append((feed, frame))
        if self._held and (self._part is not None or self._is_complete(now)):
            self._record()
        if self._part is not None:
            job = self._part.write(now)
            if job is not None:
                self._files.watch(job)

    def _is_complete(self, now: float) -> bool:
        """Whether the first file can begin: nothing is waited for any more."""
        if now - self._held_since >= HOLD_SECONDS:
            return True
        begun = {feed for feed, _ in self._held}
        return all(feed in begun and feed.clock.reported for feed in self._feeds.values())

    def _record(self) -> None:
        placed = sorted(
            _Placed(feed.clock.place(frame.timestamp, frame.arrived), order, feed, frame)
            for order, (feed, frame) in enumerate(self._held)
        )
        self._held = []
        for each in placed:
            part = self._part_for(each, placed)
            if part is None:
                return
            frame, track = each.frame, each.feed.track
            if track.kind == "video":
                part.see(frame.data, each.at, is_key=frame.size is not None)
            else:
                part.hear(frame.data, each.at, frame.seconds)
            self._files.heard_of(part, track.source)

    def _part_for(self, each: _Placed, placed: list[_Placed]) -> Part | None:
        part, shown = self._part, _shown(each)
        if part is not None and (shown is None or (part.shown and part.shown.codec == shown.codec)):
            return part
        if part is None:
            # The pictures begin later than the sound, but are in the header.
            shown = next(filter(None, map(_shown, placed)), None)
        self.close()
        if self._parts >= MOST_PARTS:
            return None
        self._parts += 1
        name = f"{self.participant_id}-{self._name}-{self._parts}"
        self._part = self._files.begin(self.participant_id, name, each.at, shown)
        return self._part

    def close(self) -> None:
        """The file is finished."""
        if self._held:
            self._record()
        if self._part is not None:
            self._files.finish(self._part)
            self._part = None


def _shown(placed: _Placed) -> Shown | None:
    """What a header says of it; None for sound, and for pictures that need another."""
    size = placed.frame.size
    return None if size is None else Shown(placed.feed.track.codec, *size)
