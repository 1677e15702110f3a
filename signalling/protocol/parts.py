"""What messages of the calls socket are made of: limits, words, and the parts that several share."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

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
RecordingState = Literal["unavailable", "off", "asked", "on"]
ConnectionState = Literal["online", "reconnecting"]
LeaveReason = Literal["left", "connection_lost", "replaced", "removed", "call_ended", "server_stopped"]
EndReason = Literal["left", "replaced", "removed", "call_ended", "server_stopped"]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL is not allowed")
    return text


Generation = Annotated[int, Field(ge=1, le=MAX_GENERATION)]
Question = Annotated[int, Field(ge=1, le=2**53 - 1)]
Sequence = Annotated[int, Field(ge=0, le=2**53 - 1)]
Sdp = Annotated[str, Field(min_length=1, max_length=MAX_SDP_CHARACTERS), AfterValidator(_without_nul)]
ServerSdp = Annotated[str, Field(min_length=1, max_length=256 * 1024)]
CandidateLine = Annotated[str, Field(max_length=MAX_CANDIDATE_CHARACTERS), AfterValidator(_without_nul)]
IceWord = Annotated[str, Field(max_length=256), AfterValidator(_without_nul)]
Mid = Annotated[str, Field(pattern=r"^[!#-'*+\-.0-9A-Z^-~]{1,16}$")]
"""A token of RFC 8866 (section 9): what `a=mid` holds."""
Token = Annotated[str, Field(min_length=16, max_length=4096, pattern=r"^[A-Za-z0-9_.\-]+$")]


class Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_by_name=True, serialize_by_alias=True
    )


class MediaState(Part):
    """What a participant is sending."""

    audio: bool
    video: bool


class Resume(Part):
    """Take up an interrupted stay: the token of the last welcome and the last `seq` that arrived."""

    token: str
    last_seq: Sequence


class IceCandidate(Part):
    """The browser's `RTCIceCandidateInit`, as `RTCIceCandidate.toJSON()` gives it."""

    model_config = ConfigDict(alias_generator=to_camel)

    candidate: CandidateLine
    sdp_mid: IceWord | None = None
    sdp_m_line_index: Annotated[int, Field(ge=0, lt=max(MAX_MEDIA_SECTIONS.values()))] | None = None
    username_fragment: IceWord | None = None


class PublishedTrack(Part):
    """What a section of a publish offer sends."""

    mid: Mid
    source: Source


class ForwardedTrack(Part):
    """Whose sound or picture a section of a subscribe offer carries."""

    mid: Mid
    participant_id: UUID
    source: Source


class Viewed(Part):
    """How large a picture is shown: `height` in the screen's own pixels, 0 when it is not shown."""

    participant_id: UUID
    source: Literal["camera", "screen"]
    height: Annotated[int, Field(ge=0, le=10_000)]


class Score(Part):
    """How well somebody's connection carries sound and picture: 1 (worst) to 5."""

    participant_id: UUID
    score: Annotated[int, Field(ge=1, le=5)]


class SentPicture(Part):
    """A picture of the reader's, and how many layers of it arrive at the server."""

    source: Source
    layers: int


class ReceivedPicture(Part):
    """A picture that the reader receives: `layer` of `layers`, the smallest is 1; 0 when it is not sent."""

    participant_id: UUID
    source: Source
    layer: int
    layers: int


class Figures(Part):
    """What the server measured of the reader's own connection. Loss is a part (0 to 1); null is not known.

    Up is what the reader sends, down what they receive; bit rates are in kbit/s, times in milliseconds.
    """

    loss_up: float | None
    loss_down: float | None
    jitter_up: float | None
    jitter_down: float | None
    round_trip: float | None
    bitrate_up: float
    bitrate_down: float
    sending: tuple[SentPicture, ...]
    receiving: tuple[ReceivedPicture, ...]


class RecordingNow(Part):
    """Whether the call is recorded, which participants have agreed to it, and how often it was asked for."""

    state: RecordingState
    agreed: tuple[UUID, ...]
    question: int


class Participant(Part):
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
