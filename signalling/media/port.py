"""What an engine that carries a call's media can do, and what it may say back.

`direct` carries nothing: it passes signals between two browsers. A forwarding engine answers by itself: it
calls its `Outlet` whenever it has an answer, an offer or a candidate for one participant. Methods of one
participant are called one after the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from signalling.contracts.calls import StayQuality
from signalling.protocol.messages import Signal, Told
from signalling.protocol.parts import Source, Topology, Viewed

TakeEnd = Literal["stopped", "call_ended", "too_long", "disk_full", "disk_slow", "disk_failed", "interrupted"]
"""Why a recording is over; `interrupted`: the process that wrote it ended first."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Someone whom app lets into a call's media, and on which terms."""

    call_id: UUID
    participant_id: UUID
    may_publish: bool = True
    ice_policy: Literal["all", "relay"] = "all"


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file of a recording; its own time begins at `offset_ms`."""

    name: str
    participant_id: UUID
    sources: tuple[Source, ...]
    codecs: tuple[str, ...]
    offset_ms: int
    """From the beginning of the recording."""
    duration_ms: int = 0
    bytes: int = 0
    finished: bool = False
    sha256: str | None = None
    """In hexadecimal, once it is finished."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded of a call from `record` on."""

    call_id: UUID
    take_id: UUID
    started_at: datetime
    """UTC."""
    ended: TakeEnd | None = None
    """None as long as it goes on."""
    cut: bool = False
    """The process that wrote it ended first: up to a few seconds are missing at its end."""
    duration_ms: int = 0
    agreed: tuple[UUID, ...] = ()
    """The participants who have said yes to it."""
    files: tuple[RecordedFile, ...] = ()
    version: Literal[1] = 1
    """Of this format."""


class RecordingRefused(Exception):
    """The call is not recorded; the text says why."""

    def __init__(self, reason: Literal["unsupported", "no_call", "recorded", "no_room"], detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


OnRecorded = Callable[[UUID, Recording], None]
"""Told of every recording of a call that is over, also of those that are finished after a crash."""


class Outlet(Protocol):
    """How an engine speaks: may be called at any time, never waits."""

    def __call__(self, call_id: UUID, to: UUID, told: Told, /) -> None: ...


class MediaEngine(Protocol):
    """Carries the media of the calls of one topology."""

    topology: Topology

    def tell_recordings(self, to: OnRecorded) -> None:
        """From now on tell `to` of every recording that is over."""

    async def open(self) -> None:
        """Take what the engine needs of the machine. Raises `OSError`."""

    async def close(self) -> None:
        """End all calls, and let go of it."""

    async def admit(self, admission: Admission) -> None:
        """Make room for a participant. Idempotent."""

    async def signal(self, call_id: UUID, sender: UUID, signal: Signal) -> None:
        """Take an offer, answer or candidate. Raises `SignalRefused` when it is not acceptable."""

    async def returned(self, call_id: UUID, participant_id: UUID) -> None:
        """A participant has a new socket: repeat what may have been lost with the old one."""

    async def offer_again(self, call_id: UUID, participant_id: UUID, *, anew: bool) -> None:
        """Offer `subscribe` with new ICE credentials, or for a new connection."""

    async def look(self, call_id: UUID, participant_id: UUID, tracks: Sequence[Viewed]) -> None:
        """A participant sees these pictures that large; others as they please."""

    async def mute(self, call_id: UUID, participant_id: UUID, sources: frozenset[Source]) -> None:
        """Forward nothing of these sources of a participant from now on, and all others."""

    def measured(self, call_id: UUID, participant_id: UUID) -> StayQuality | None:
        """How a participant's connection was so far; None where nothing is known."""

    async def dismiss(self, call_id: UUID, participant_id: UUID) -> None:
        """Drop a participant and everything that is theirs. Unknown ones are no error."""

    async def end(self, call_id: UUID) -> None:
        """Drop everything of a call."""

    async def record(self, call_id: UUID, take_id: UUID, agreed: tuple[UUID, ...] = ()) -> None:
        """Begin to record everybody in the call, and who comes later. Raises `RecordingRefused`.

        `agreed`: the participants who have said yes, to be kept with it.
        """

    async def stop_recording(self, call_id: UUID) -> Recording | None:
        """End the call's recording, and return it; None when there is none."""
