"""What the protocol core wants done: the hub carries these out, in order."""

from dataclasses import dataclass
from uuid import UUID

from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.messages import Signal
from signalling.protocol.parts import LeaveReason, Source, Viewed


@dataclass(frozen=True, slots=True)
class Send:
    """Write this frame to the socket of this participant."""

    to: UUID
    frame: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket of this participant."""

    to: UUID
    code: CloseCode


@dataclass(frozen=True, slots=True)
class Returned:
    """A participant has a new socket: what an engine waits for may be lost with the old one."""

    participant_id: UUID


@dataclass(frozen=True, slots=True)
class OfferAgain:
    """A participant asks the engine to offer `subscribe` again, if `anew` as a new connection."""

    participant_id: UUID
    anew: bool


@dataclass(frozen=True, slots=True)
class Look:
    """A participant says how large they see each picture."""

    participant_id: UUID
    tracks: tuple[Viewed, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """From now on these sources of a participant, and no others, are not to be forwarded."""

    participant_id: UUID
    sources: frozenset[Source]


@dataclass(frozen=True, slots=True)
class RunRecording:
    """Begin recording number `run` of the call, or end it."""

    run: int
    on: bool
    agreed: tuple[UUID, ...] = ()
    """Who has said yes to it, when it begins."""


@dataclass(frozen=True, slots=True)
class Negotiate:
    """Hand a checked signal to the media engine."""

    sender: UUID
    signal: Signal


@dataclass(frozen=True, slots=True)
class Entered:
    """A stay began: report it, and admit the participant to the media engine."""

    participant_id: UUID
    membership_id: UUID


@dataclass(frozen=True, slots=True)
class CarriedOver:
    """The call is forwarded from now on: report it, and move everybody to that engine."""


@dataclass(frozen=True, slots=True)
class Left:
    """A stay ended: report it, and dismiss the participant from the media engine."""

    participant_id: UUID
    membership_id: UUID
    reason: LeaveReason


Effect = (
    Send
    | Close
    | Negotiate
    | Look
    | Silence
    | RunRecording
    | OfferAgain
    | CarriedOver
    | Entered
    | Returned
    | Left
)


class Refused(Exception):
    """A hello that does not get in: the error to tell, then the code to close with."""

    def __init__(self, error: ErrorCode, close: CloseCode, detail: str) -> None:
        super().__init__(detail)
        self.error = error
        self.close = close
        self.detail = detail
