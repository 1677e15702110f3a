"""Everything that travels on the calls socket: one small model per message, one union per direction.

`docs/protocol.md` shows each of them; a test parses its samples with these models.
"""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from signalling.protocol.codes import ErrorCode

Pc = Literal["direct", "publish", "subscribe"]
VERSION = 1
MAX_FRAME_BYTES = 128 * 1024
MAX_SDP_CHARACTERS = 112 * 1024
MAX_CANDIDATE_CHARACTERS = 1024
MAX_MEDIA_SECTIONS: dict[Pc, int] = {"direct": 8, "publish": 8, "subscribe": 64}
MAX_CANDIDATES = 64
MAX_VIEWED = 100
MAX_GENERATION = 1_000_000

Topology = Literal["direct", "forwarded"]
Source = Literal["microphone", "camera", "screen", "screen_audio"]
ConnectionState = Literal["online", "reconnecting"]
LeaveReason = Literal["left", "connection_lost", "replaced", "removed", "call_ended", "server_stopped"]
EndReason = Literal["left", "replaced", "removed", "call_ended", "server_stopped"]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL is not allowed")
    return text


Generation = Annotated[int, Field(ge=1, le=MAX_GENERATION)]
Sequence = Annotated[int, Field(ge=0, le=2**53 - 1)]
Sdp = Annotated[str, Field(min_length=1, max_length=MAX_SDP_CHARACTERS), AfterValidator(_without_nul)]
ServerSdp = Annotated[str, Field(min_length=1, max_length=256 * 1024)]
CandidateLine = Annotated[str, Field(max_length=MAX_CANDIDATE_CHARACTERS), AfterValidator(_without_nul)]
IceWord = Annotated[str, Field(max_length=256), AfterValidator(_without_nul)]
Mid = Annotated[str, Field(pattern=r"^[!#-'*+\-.0-9A-Z^-~]{1,16}$")]
"""A token of RFC 8866 (section 9): what `a=mid` holds."""
Token = Annotated[str, Field(min_length=16, max_length=4096, pattern=r"^[A-Za-z0-9_.\-]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_by_name=True, serialize_by_alias=True
    )


# Parts


class MediaState(_Part):
    """What a participant is sending."""

    audio: bool
    video: bool


class Resume(_Part):
    """Take up an interrupted stay: the token of the last welcome and the last `seq` that arrived."""

    token: str
    last_seq: Sequence


class IceCandidate(_Part):
    """The browser's `RTCIceCandidateInit`, as `RTCIceCandidate.toJSON()` gives it."""

    model_config = ConfigDict(alias_generator=to_camel)

    candidate: CandidateLine
    sdp_mid: IceWord | None = None
    sdp_m_line_index: Annotated[int, Field(ge=0, lt=max(MAX_MEDIA_SECTIONS.values()))] | None = None
    username_fragment: IceWord | None = None


class PublishedTrack(_Part):
    """What a section of a publish offer sends."""

    mid: Mid
    source: Source


class ForwardedTrack(_Part):
    """Whose sound or picture a section of a subscribe offer carries."""

    mid: Mid
    participant_id: UUID
    source: Source


class Viewed(_Part):
    """How large a picture is shown: `height` in the screen's own pixels, 0 when it is not shown."""

    participant_id: UUID
    source: Literal["camera", "screen"]
    height: Annotated[int, Field(ge=0, le=10_000)]


class Participant(_Part):
    """Someone else in the call. `polite`: whether the reader is the polite side towards them."""

    id: UUID
    membership_id: UUID
    name: str
    organisation: str
    role: str
    audio: bool
    video: bool
    state: ConnectionState
    polite: bool


# Client to server


class Hello(_Part):
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


class _Addressed(_Part):
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


class Restart(_Part):
    """Asks the server to offer `subscribe` again: with new ICE credentials, or as the next generation."""

    type: Literal["restart"] = "restart"
    pc: Literal["subscribe"]
    generation: Generation


class View(_Part):
    """How large each picture is shown: what nobody looks at is not sent. Replaces the last one."""

    type: Literal["view"] = "view"
    tracks: Annotated[tuple[Viewed, ...], Field(max_length=MAX_VIEWED)]


class Media(_Part):
    """The sender muted or unmuted something."""

    type: Literal["media"] = "media"
    audio: bool
    video: bool


class Leave(_Part):
    """The sender leaves the call for good."""

    type: Literal["leave"] = "leave"


class Ping(_Part):
    """Asks for a pong."""

    type: Literal["ping"] = "ping"


Signal = Offer | Answer | Candidate
ClientMessage = Annotated[
    Hello | Offer | Answer | Candidate | Restart | View | Media | Leave | Ping, Field(discriminator="type")
]
client_adapter: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


# Server to client


class _Numbered(_Part):
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


class Pong(_Part):
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
Told = DeliveredSignal | Speakers | TrackState | Error
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
    | Speakers
    | TrackState
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
