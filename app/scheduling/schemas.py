"""What travels about meetings, tickets and attendance."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from app.core.schemas import Body, Instant, Line, Read, Zone
from app.organisations.schemas import PersonBrief
from app.pairings.models import Kind, Pairing, Part
from app.pairings.models import Status as PairingStatus
from app.scheduling.models import Meeting, MeetingStatus
from signalling.contracts.calls import LeaveReason
from signalling.contracts.tickets import Permission

MeetingVerb = Literal["accept", "decline", "cancel", "join"]


class MeetingPropose(Body):
    starts_at: Instant
    duration_minutes: Annotated[StrictInt, Field(ge=5, le=480, examples=[45])]
    zone: Zone = Field(description="The zone in which the proposer chose the time.")
    title: Annotated[Line, Field(max_length=120)] | None = None


class MeetingPerson(PersonBrief):
    is_me: bool


class MeetingRead(Read):
    id: UUID
    pairing_id: UUID
    status: MeetingStatus
    starts_at: datetime
    ends_at: datetime
    duration_minutes: int
    zone: str
    title: str | None
    proposed_by: UUID = Field(description="The membership that proposed it.")
    people: list[MeetingPerson]
    join_opens_at: datetime
    join_closes_at: datetime
    may: list[MeetingVerb] = Field(description="What I can do with it now.")

    @classmethod
    def of(cls, meeting: Meeting, pairing: Pairing, *, me: UUID, apart: set[UUID]) -> "MeetingRead":
        """The meeting as the account `me` sees it."""
        people = [row for row in pairing.people().values() if row.account_id not in apart]
        return cls(
            id=meeting.id,
            pairing_id=meeting.pairing_id,
            status=MeetingStatus(meeting.status),
            starts_at=meeting.starts_at,
            ends_at=meeting.ends_at,
            duration_minutes=round((meeting.ends_at - meeting.starts_at).total_seconds() / 60),
            zone=meeting.zone,
            title=meeting.title,
            proposed_by=meeting.proposed_by_id,
            people=[
                MeetingPerson(**PersonBrief.model_validate(row).model_dump(), is_me=row.account_id == me)
                for row in people
            ],
            join_opens_at=meeting.join_opens_at,
            join_closes_at=meeting.join_closes_at,
            may=verbs(meeting, pairing, me),
        )


def verbs(meeting: Meeting, pairing: Pairing, me: UUID) -> list[MeetingVerb]:
    """What the account `me` can do with the meeting now."""
    mine = [part for part in pairing.current() if part.person.account_id == me]
    if not mine or pairing.status != PairingStatus.ACTIVE:
        return []
    found: list[MeetingVerb] = []
    if meeting.status == MeetingStatus.PROPOSED and not meeting.over:
        leads = pairing.kind != Kind.CIRCLE or any(part.role == Part.LEAD for part in mine)
        if leads and meeting.proposed_by_id not in {part.membership_id for part in mine}:
            found += ["accept", "decline"]
        found.append("cancel")
    if meeting.status == MeetingStatus.BOOKED and not meeting.over:
        found.append("cancel")
    if meeting.joinable:
        found.append("join")
    return found


class IceServer(Read):
    """An RTCIceServer (W3C WebRTC)."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class TicketRead(Read):
    """Leave to enter the call once, within a minute. Open `socket_url` and send the ticket in `hello`."""

    ticket: str
    expires_at: datetime
    call_id: UUID
    socket_url: str = Field(examples=["wss://calls.example.org/calls/0192f3c0-0000-7000-8000-000000000000"])
    ice_servers: list[IceServer]
    ice_policy: Literal["all", "relay"]
    topology: Literal["direct", "forwarded"] = Field(
        description="Whether media go straight to the other person, or through the server, as in circles."
    )
    permissions: list[Permission] = Field(
        description="What I may do in the call: send, receive, mute others.",
        examples=[["publish", "subscribe"]],
    )


class StayQualityRead(Read):
    """How I was connected during a stay, as far as the server could measure it."""

    mean_score: float = Field(description="From 1 to 5, the best.", examples=[4.6])
    worst_score: float = Field(description="In the worst of its moments.", examples=[3.1])
    loss_up: float | None = Field(
        description="Which part of what I sent was lost, from 0 to 1.", examples=[0.004]
    )
    loss_down: float | None = Field(
        description="Which part of what was sent to me was lost, from 0 to 1.", examples=[0.002]
    )
    jitter: float | None = Field(description="In milliseconds.", examples=[7.5])
    round_trip: float | None = Field(description="In milliseconds.", examples=[42.0])
    bitrate_up: float = Field(description="In kbit/s.", examples=[1180.5])
    bitrate_down: float = Field(description="In kbit/s.", examples=[2310.0])


class StayRead(Read):
    """One stay of one person in the meeting's call."""

    membership_id: UUID
    name: str
    joined_at: datetime
    left_at: datetime | None
    reason: LeaveReason | Literal["lease_lapsed"] | None = Field(
        description="Why they left; `lease_lapsed` when the server they were on fell silent."
    )
    quality: StayQualityRead | None = Field(
        description="How I was connected; null in the stays of others, and where nothing was measured."
    )


class AttendanceRead(Read):
    items: list[StayRead]


class SlotsAsk(BaseModel):
    """Which slots."""

    model_config = ConfigDict(frozen=True)

    start: Instant | None = Field(
        default=None,
        alias="from",
        description="Starting at this instant or later; what has passed is left out.",
    )
    end: Instant | None = Field(
        default=None, alias="to", description="Starting before this instant, at most 35 days later."
    )
    duration_minutes: int | None = Field(
        default=None, ge=5, le=480, description="One of the lengths that are offered; 45 where that is one."
    )
    zone: Zone | None = Field(
        default=None, description="On whose wall clocks the starts are round; without it, my own zone."
    )
    order: Literal["time", "best"] = Field(
        default="time", description="The best first: those that suit the most people."
    )


class SlotRead(Read):
    starts_at: datetime
    ends_at: datetime
    available: int = Field(description="How many it suits.", examples=[2])
    of: int = Field(description="Of how many who are shown to me.", examples=[2])


class SlotPerson(Read):
    membership_id: UUID | None = Field(description="Null in my own slots, which belong to no mentorship.")
    name: str
    zone: str = Field(description="Of the schedule that holds here.")
    assumed: bool = Field(description="They made no schedule: weekdays from nine to five are assumed.")
    paused: bool = Field(description="They have stopped meeting until further notice.")
    confirm: bool = Field(description="What others book waits for their yes.")
    is_me: bool


class SlotsRead(Read):
    zone: str
    duration_minutes: int
    step_minutes: int = Field(examples=[15])
    slots: list[SlotRead]
    next_available: datetime | None = Field(description="The first of them; after an empty window, the next.")
    people: list[SlotPerson]


class HoldCreate(Body):
    starts_at: Instant
    duration_minutes: Annotated[StrictInt, Field(ge=5, le=480, examples=[45])]


class HoldRead(Read):
    """A time that nobody else gets until it expires."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
