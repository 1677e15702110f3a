"""Everything that travels on the calls socket: one small model per message, one union per direction.

`docs/protocol.md` shows each of them; a test parses its samples with these models.
"""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from signalling.protocol.codes import ErrorCode
from signalling.protocol.parts import (
    MAX_MEDIA_SECTIONS,
    MAX_VIEWED,
    ConnectionState,
    EndReason,
    Figures,
    ForwardedTrack,
    Generation,
    IceCandidate,
    LeaveReason,
    MediaState,
    Part,
    Participant,
    Pc,
    PublishedTrack,
    Question,
    RecordingNow,
    RecordingState,
    Resume,
    Score,
    Sdp,
    Sequence,
    ServerSdp,
    Source,
    Token,
    Topology,
    Viewed,
)

# Client to server


class Hello(Part):
    """The first frame on every socket: enter with a ticket, or resume.

    Whatever the ticket or the token looks like, it is refused as one, not as a malformed message.
    """

    type: Literal["hello"] = "hello"
    version: Annotated[int, Field(ge=1, le=1000)]
    ticket: str | None = None
    resume: Resume | None = None
    media: MediaState

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.ticket is None) == (self.resume is None):
            raise ValueError("a hello carries either a ticket or a resume")
        return self


class _Addressed(Part):
    """About one peer connection. `to` is a participant; null means the server (forwarded calls)."""

    to: UUID | None = None
    pc: Pc
    generation: Generation


class Offer(_Addressed):
    """An SDP offer. `tracks`, on `publish`: what its sections send."""

    type: Literal["offer"] = "offer"
    sdp: Sdp
    tracks: Annotated[tuple[PublishedTrack, ...], Field(max_length=MAX_MEDIA_SECTIONS["publish"])] | None = (
        None
    )


class Answer(_Addressed):
    """An SDP answer."""

    type: Literal["answer"] = "answer"
    sdp: Sdp


class Candidate(_Addressed):
    """One trickled ICE candidate; null when there are no more."""

    type: Literal["candidate"] = "candidate"
    candidate: IceCandidate | None


class Restart(Part):
    """Asks the server to offer `subscribe` again: with new ICE credentials, or as the next generation."""

    type: Literal["restart"] = "restart"
    pc: Literal["subscribe"]
    generation: Generation


class Forward(Part):
    """Asks that the server carry a direct call's media from now on, for everybody. There is no way back."""

    type: Literal["forward"] = "forward"


class Record(Part):
    """Yes or no to a recording of the call; the first yes asks everybody else for theirs.

    A yes that names a question answers only that one; without, it answers or asks.
    """

    type: Literal["record"] = "record"
    agree: bool
    question: Question | None = None


class View(Part):
    """How large each picture is shown: what nobody looks at is not sent. Replaces the last one."""

    type: Literal["view"] = "view"
    tracks: Annotated[tuple[Viewed, ...], Field(max_length=MAX_VIEWED)]


class Media(Part):
    """The sender muted or unmuted something."""

    type: Literal["media"] = "media"
    audio: bool
    video: bool


class Mute(Part):
    """Silences something of somebody else; takes the permission to moderate."""

    type: Literal["mute"] = "mute"
    participant_id: UUID
    source: Source


class Leave(Part):
    """The sender leaves the call for good."""

    type: Literal["leave"] = "leave"


class Ping(Part):
    """Asks for a pong."""

    type: Literal["ping"] = "ping"


Signal = Offer | Answer | Candidate
ClientMessage = Annotated[
    Hello | Offer | Answer | Candidate | Restart | Forward | Record | View | Media | Mute | Leave | Ping,
    Field(discriminator="type"),
]
client_adapter: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


# Server to client


class _Numbered(Part):
    seq: Sequence = 0


class Welcome(_Numbered):
    """You are in. `seq` is where your numbering stands: the next message is `seq + 1`."""

    type: Literal["welcome"] = "welcome"
    version: Literal[1] = 1
    call_id: UUID
    participant_id: UUID
    resume_token: Token
    resumed: bool
    topology: Topology
    heartbeat_seconds: float
    grace_seconds: float
    recording: RecordingNow
    participants: tuple[Participant, ...]


class ParticipantJoined(_Numbered):
    """Somebody came in."""

    type: Literal["participant_joined"] = "participant_joined"
    participant: Participant


class ParticipantLeft(_Numbered):
    """Somebody is gone."""

    type: Literal["participant_left"] = "participant_left"
    participant_id: UUID
    reason: LeaveReason


class ParticipantMedia(_Numbered):
    """Somebody muted or unmuted."""

    type: Literal["participant_media"] = "participant_media"
    participant_id: UUID
    audio: bool
    video: bool


class ParticipantConnection(_Numbered):
    """Somebody's socket was lost or came back. Media may flow all the while.

    "online" comes after every resume, also when nobody had noticed the loss: what was on its way then may be
    lost, and offers that stay without an answer are to be repeated.
    """

    type: Literal["participant_connection"] = "participant_connection"
    participant_id: UUID
    state: ConnectionState


class _Delivered(_Numbered):
    """About one peer connection. `from` is a participant; null means the server (forwarded calls)."""

    sender: UUID | None = Field(default=None, alias="from")
    pc: Pc
    generation: Generation


class OfferFrom(_Delivered):
    """An SDP offer for you. `tracks`, on `subscribe`: whose sound and picture it carries, all of them."""

    type: Literal["offer"] = "offer"
    sdp: ServerSdp
    tracks: tuple[ForwardedTrack, ...] | None = None

    @model_serializer(mode="wrap")
    def _without_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        written: dict[str, object] = serialize(self)
        if self.tracks is None:
            written.pop("tracks", None)
        return written


class AnswerFrom(_Delivered):
    """An SDP answer for you."""

    type: Literal["answer"] = "answer"
    sdp: Sdp


class CandidateFrom(_Delivered):
    """An ICE candidate for you; null when there are no more."""

    type: Literal["candidate"] = "candidate"
    candidate: IceCandidate | None


class Promoted(_Numbered):
    """The call was direct and is forwarded from here on: begin `publish`, answer on `subscribe`."""

    type: Literal["promoted"] = "promoted"
    topology: Literal["forwarded"] = "forwarded"


class Recording(_Numbered):
    """Whether the call is recorded, or who agreed to it, has changed. It is recorded while this is `on`."""

    type: Literal["recording"] = "recording"
    state: RecordingState
    agreed: tuple[UUID, ...]
    question: int


class Speakers(_Numbered):
    """Who speaks now, the dominant one first."""

    type: Literal["speakers"] = "speakers"
    participant_ids: tuple[UUID, ...]


class TrackState(_Numbered):
    """A picture stops because your network has no room for it, or goes on."""

    type: Literal["track_state"] = "track_state"
    participant_id: UUID
    source: Source
    state: Literal["active", "paused"]


class Muted(_Numbered):
    """Somebody has silenced something of yours; you may switch it on again."""

    type: Literal["muted"] = "muted"
    source: Source
    by: UUID


class Quality(_Numbered):
    """How the connections are: the scores that have changed, and the reader's own figures."""

    type: Literal["quality"] = "quality"
    scores: tuple[Score, ...]
    own: Figures | None = None


class Pong(Part):
    """Answers a ping. Not numbered: it is never replayed."""

    type: Literal["pong"] = "pong"


class Error(_Numbered):
    """Something you sent was not carried out. `about` is its `type`, when it had a known one."""

    type: Literal["error"] = "error"
    code: ErrorCode
    detail: str
    about: str | None = None


class Ended(_Numbered):
    """Your stay is over; the socket closes next."""

    type: Literal["ended"] = "ended"
    reason: EndReason


DeliveredSignal = OfferFrom | AnswerFrom | CandidateFrom
Told = DeliveredSignal | Speakers | TrackState | Quality | Error
"""What a media engine says to a participant."""
Numbered = (
    Welcome
    | ParticipantJoined
    | ParticipantLeft
    | ParticipantMedia
    | ParticipantConnection
    | OfferFrom
    | AnswerFrom
    | CandidateFrom
    | Promoted
    | Recording
    | Speakers
    | TrackState
    | Muted
    | Quality
    | Error
    | Ended
)
ServerMessage = Annotated[Numbered | Pong, Field(discriminator="type")]
server_adapter: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)

PONG_FRAME = Pong().model_dump_json().encode()


def body(message: Numbered) -> bytes:
    """Encode a message without its number, so that one encoding serves every receiver."""
    return message.model_dump_json(exclude={"seq"}).encode()


def frame(seq: int, encoded: bytes) -> bytes:
    """Put a receiver's number in front of an encoded body."""
    return b'{"seq":%d,%b' % (seq, encoded[1:])
