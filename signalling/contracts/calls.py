"""What app and signalling must tell each other: commands go down, facts come up.

Both are kept by their sender until the receiver has committed them, are delivered again when in doubt, and
are idempotent by `id`.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

LeaveReason = Literal["left", "connection_lost", "replaced", "removed", "call_ended", "server_stopped"]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID = Field(default_factory=uuid4)


class NodeAlive(_Message):
    """A signalling node is ready, and where clients reach it. Repeated every few seconds.

    `public_key` is the Ed25519 key that it signs its questions to app with (the `x` of a JWK, RFC 8037).
    """

    kind: Literal["node_alive"] = "node_alive"
    node: str
    url: str
    draining: bool = False
    calls: int = 0
    public_key: str = ""
    at: datetime


class ParticipantJoined(_Message):
    """A participant is in the call from `at` on. `participant_id` names this one stay."""

    kind: Literal["participant_joined"] = "participant_joined"
    node: str
    call_id: UUID
    epoch: int
    participant_id: UUID
    membership_id: UUID
    at: datetime


class ParticipantsPresent(_Message):
    """Renews the attendance lease of everyone listed: they were still in the call at `at`."""

    kind: Literal["participants_present"] = "participants_present"
    node: str
    call_id: UUID
    epoch: int
    participant_ids: tuple[UUID, ...]
    at: datetime


class ParticipantLeft(_Message):
    """A participant's stay ended at `at`."""

    kind: Literal["participant_left"] = "participant_left"
    node: str
    call_id: UUID
    epoch: int
    participant_id: UUID
    membership_id: UUID
    reason: LeaveReason
    at: datetime


class StayQuality(BaseModel):
    """How a stay's connection was, so far: scores from 1 to 5, loss as a part (0 to 1), means over time.

    Times in milliseconds (`jitter` of the worse direction), bit rates in kbit/s; None where it is not known.
    Up is what the participant sends.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float
    """So long there was something to measure."""
    mean_score: float
    worst_score: float
    loss_up: float | None
    loss_down: float | None
    jitter: float | None
    round_trip: float | None
    bitrate_up: float
    bitrate_down: float


class ParticipantQuality(_Message):
    """How a participant's connection was from the beginning of their stay until `at`: the latest counts."""

    kind: Literal["participant_quality"] = "participant_quality"
    node: str
    call_id: UUID
    epoch: int
    participant_id: UUID
    membership_id: UUID
    at: datetime
    quality: StayQuality


class CallForwarded(_Message):
    """The call's media go through the server from `at` on. There is no way back."""

    kind: Literal["call_forwarded"] = "call_forwarded"
    node: str
    call_id: UUID
    epoch: int
    at: datetime


class RecordedPart(BaseModel):
    """One file of a take, in `<call_id>/<take_id>/`; its own time begins at `offset_ms` of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$")
    participant_id: UUID
    sources: tuple[str, ...]
    codecs: tuple[str, ...]
    offset_ms: int
    duration_ms: int
    bytes: int
    sha256: str | None = None


class CallRecorded(_Message):
    """A take is over, and its files lie where the node keeps recordings. `id` is the take's."""

    kind: Literal["call_recorded"] = "call_recorded"
    node: str
    call_id: UUID
    started_at: datetime
    duration_ms: int
    ended: str
    """Why: `stopped`, `call_ended`, `too_long`, `disk_full`, `disk_slow`, `disk_failed` or `interrupted`."""
    cut: bool = False
    """The last seconds are missing, as the node that wrote it died."""
    agreed: tuple[UUID, ...] = ()
    """The stays of those who said yes to it: it is theirs, whether they were heard or seen or not."""
    files: tuple[RecordedPart, ...]
    at: datetime


class CommandDone(_Message):
    """The command with this id has taken effect here, or had nothing to act on."""

    kind: Literal["command_done"] = "command_done"
    node: str
    command_id: UUID
    at: datetime


Fact = Annotated[
    NodeAlive
    | ParticipantJoined
    | ParticipantsPresent
    | ParticipantLeft
    | CallForwarded
    | CallRecorded
    | ParticipantQuality
    | CommandDone,
    Field(discriminator="kind"),
]
fact_adapter: TypeAdapter[Fact] = TypeAdapter(Fact)


class RemoveFromCall(_Message):
    """Put these memberships out of the call; whatever ticket or resume token they hold for it is worthless.

    Tickets signed for them *later* count again (a block may be lifted), so app must not sign any meanwhile. A
    node keeps refusing for as long as a ticket from before could be alive.
    """

    kind: Literal["remove_from_call"] = "remove_from_call"
    call_id: UUID
    membership_ids: tuple[UUID, ...]


class EndCall(_Message):
    """End the call for everybody; the tickets that are still about are worthless."""

    kind: Literal["end_call"] = "end_call"
    call_id: UUID


class RevokeSession(_Message):
    """A sign-in session has ended: close every socket that it opened, refuse the tickets it still holds."""

    kind: Literal["revoke_session"] = "revoke_session"
    session_id: UUID


class RosterChanged(_Message):
    """Who may hear a stream is not the same any more: what a node knows below `version` is worthless."""

    kind: Literal["roster_changed"] = "roster_changed"
    stream: UUID
    version: int


class ShowPresence(_Message):
    """An account shows from now on, or does not show any more, whether it is there.

    What has the higher `version` counts, also when it comes first.
    """

    kind: Literal["show_presence"] = "show_presence"
    account_id: UUID
    shown: bool
    version: int


Command = Annotated[
    RemoveFromCall | EndCall | RevokeSession | RosterChanged | ShowPresence, Field(discriminator="kind")
]
command_adapter: TypeAdapter[Command] = TypeAdapter(Command)
