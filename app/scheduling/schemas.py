"""What travels about meetings, tickets and attendance."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from app.core.schemas import Body, Instant, Line, Prose, Read, Zone
from app.organisations.schemas import PersonBrief
from app.pairings.models import Kind, Pairing, Part, Participant
from app.pairings.models import Status as PairingStatus
from app.scheduling.models import Meeting, MeetingMove, MeetingStatus
from signalling.contracts.calls import LeaveReason
from signalling.contracts.tickets import Permission

MeetingVerb = Literal[
    "accept",
    "decline",
    "cancel",
    "join",
    "edit",
    "reschedule",
    "accept_move",
    "decline_move",
    "tell_outcome",
]
Title = Annotated[Line, Field(max_length=120)]
Agenda = Annotated[Prose, Field(max_length=4000)]
Minutes = Annotated[StrictInt, Field(ge=5, le=480, examples=[45])]
Reason = Annotated[
    Prose, Field(max_length=500, description="Everybody in it sees it.", examples=["I have to travel."])
]


class MeetingPropose(Body):
    starts_at: Instant
    duration_minutes: Minutes
    zone: Zone = Field(description="The zone in which the proposer chose the time.")
    title: Title | None = None
    agenda: Agenda | None = None
    options: Annotated[list[Instant], Field(max_length=2)] = Field(
        default_factory=list, description="Further starts: whoever accepts picks one of them all."
    )
    instead_of: UUID | None = Field(
        default=None, description="A cancelled, declined or missed meeting whose place this one takes."
    )


class MeetingAccept(Body):
    starts_at: Instant | None = Field(
        default=None, description="The time that I say yes to; needed when several were proposed."
    )


class MeetingCancel(Body):
    reason: Reason | None = None


class MeetingEdit(Body):
    """What is left out stays as it is; null takes it away."""

    title: Title | None = None
    agenda: Agenda | None = None


class MeetingReschedule(Body):
    starts_at: Instant
    duration_minutes: Minutes
    zone: Zone = Field(description="The zone in which the time was chosen.")
    reason: Reason | None = None


class OutcomeTell(Body):
    held: StrictBool = Field(description="Whether we met.")
    note: Annotated[Prose, Field(max_length=2000)] = ""


class PolicySet(Body):
    late_cancel_hours: Annotated[StrictInt, Field(ge=0, le=168)] = Field(
        description="Who cancels later than so long before the start cancels late."
    )
    no_show_minutes: Annotated[StrictInt, Field(ge=5, le=60)] = Field(
        description="Who has not come so long after the start is absent."
    )


class PolicyRead(Read):
    """What an organisation calls late, and absent."""

    late_cancel_hours: int
    no_show_minutes: int


class MeetingPerson(PersonBrief):
    is_me: bool


class MoveRead(Read):
    """Another time, which waits for a yes; until then the meeting stays where it is."""

    starts_at: datetime
    ends_at: datetime
    zone: str
    proposed_by: UUID | None = Field(description="The membership that asks; null if I am kept apart from it.")
    reason: str | None
    created_at: datetime


class OutcomeRead(Read):
    """How it went."""

    held: bool
    by: Literal["attendance", "person"] = Field(description="From where this is known; people know better.")
    absent: list[UUID] = Field(description="The memberships that did not come, as attendance shows.")
    note: str | None


class Hanging(NamedTuple):
    """What hangs on a meeting."""

    move: MeetingMove | None = None
    options: Sequence[datetime] = ()


class Viewer(NamedTuple):
    """Who looks, and the accounts they are kept apart from."""

    me: UUID
    apart: set[UUID]

    def hides(self, pairing: Pairing, membership_id: UUID | None) -> bool:
        """Whether what this membership said is not for the viewer."""
        return any(
            part.membership_id == membership_id and part.person.account_id in self.apart
            for part in pairing.participants
        )


class MeetingRead(Read):
    id: UUID
    pairing_id: UUID
    version: int = Field(description="Rises with every change; the entity tag is this in quotes.")
    status: MeetingStatus
    starts_at: datetime
    ends_at: datetime
    duration_minutes: int
    zone: str
    title: str | None
    agenda: str | None
    options: list[datetime] = Field(description="The starts to pick from, while there are several.")
    proposed_by: UUID = Field(description="The membership that proposed it.")
    people: list[MeetingPerson]
    join_opens_at: datetime
    join_closes_at: datetime
    move: MoveRead | None
    reason: str | None = Field(description="Why it was cancelled.")
    late: bool = Field(description="It was cancelled late, by the policy of the canceller's organisation.")
    outcome: OutcomeRead | None
    instead_of: UUID | None = Field(description="The meeting whose place this one took.")
    successor: UUID | None = Field(description="The meeting that took the place of this one.")
    may: list[MeetingVerb] = Field(description="What I can do with it now.")

    @classmethod
    def of(cls, meeting: Meeting, pairing: Pairing, hanging: Hanging, viewer: Viewer) -> "MeetingRead":
        """The meeting as `viewer` sees it."""
        people = [row for row in pairing.people().values() if row.account_id not in viewer.apart]
        is_hidden = viewer.hides(pairing, meeting.cancelled_by_id)
        return cls(
            id=meeting.id,
            pairing_id=meeting.pairing_id,
            version=meeting.version,
            status=MeetingStatus(meeting.status),
            starts_at=meeting.starts_at,
            ends_at=meeting.ends_at,
            duration_minutes=round((meeting.ends_at - meeting.starts_at).total_seconds() / 60),
            zone=meeting.zone,
            title=meeting.title,
            agenda=meeting.agenda,
            options=list(hanging.options) if meeting.status == MeetingStatus.PROPOSED else [],
            proposed_by=meeting.proposed_by_id,
            people=[
                MeetingPerson(
                    **PersonBrief.model_validate(row).model_dump(), is_me=row.account_id == viewer.me
                )
                for row in people
            ],
            join_opens_at=meeting.join_opens_at,
            join_closes_at=meeting.join_closes_at,
            move=_move(hanging.move, pairing, viewer),
            reason=None if is_hidden else meeting.cancel_reason,
            late=meeting.late,
            outcome=_outcome(meeting, pairing, viewer),
            instead_of=meeting.instead_of_id,
            successor=meeting.successor_id,
            may=verbs(meeting, pairing, viewer.me, hanging.move),
        )


def _move(move: MeetingMove | None, pairing: Pairing, viewer: Viewer) -> MoveRead | None:
    if move is None:
        return None
    is_hidden = viewer.hides(pairing, move.proposed_by_id)
    return MoveRead(
        starts_at=move.to_starts_at,
        ends_at=move.to_ends_at,
        zone=move.zone,
        proposed_by=None if is_hidden else move.proposed_by_id,
        reason=None if is_hidden else move.reason,
        created_at=move.created_at,
    )


def _outcome(meeting: Meeting, pairing: Pairing, viewer: Viewer) -> OutcomeRead | None:
    if meeting.outcome_from is None or meeting.held is None:
        return None
    return OutcomeRead(
        held=meeting.held,
        by="person" if meeting.outcome_from == "person" else "attendance",
        absent=[one for one in meeting.absent or () if not viewer.hides(pairing, one)],
        note=None if viewer.hides(pairing, meeting.outcome_by_id) else meeting.outcome_note,
    )


def own_parts(pairing: Pairing, me: UUID) -> list[Participant]:
    """The parts that the account `me` has in the pairing now."""
    return [part for part in pairing.current() if part.person.account_id == me]


def decides(pairing: Pairing, mine: Sequence[Participant]) -> bool:
    """Whether these are someone's parts whose yes counts: either of two, and in a circle who leads it."""
    return pairing.kind != Kind.CIRCLE or any(part.role == Part.LEAD for part in mine)


def verbs(meeting: Meeting, pairing: Pairing, me: UUID, move: MeetingMove | None = None) -> list[MeetingVerb]:
    """What the account `me` can do with the meeting now."""
    mine = own_parts(pairing, me)
    if not mine or pairing.status != PairingStatus.ACTIVE:
        return []
    found: list[MeetingVerb] = []
    ids = {part.membership_id for part in mine}
    if meeting.status == MeetingStatus.PROPOSED and not meeting.over:
        if decides(pairing, mine) and meeting.proposed_by_id not in ids:
            found += ["accept", "decline"]
        found += ["cancel", "edit"]
    if meeting.status == MeetingStatus.BOOKED:
        if not meeting.over:
            found += ["cancel", "edit"]
        if not meeting.begun:
            found.append("reschedule")
            found += _verbs_of_move(move, ids, decides=decides(pairing, mine))
        else:
            found.append("tell_outcome")
    if meeting.joinable:
        found.append("join")
    return found


def _verbs_of_move(move: MeetingMove | None, ids: set[UUID], *, decides: bool) -> list[MeetingVerb]:
    if move is None:
        return []
    if move.proposed_by_id in ids:
        return ["decline_move"]
    if not decides:
        return []
    return ["decline_move"] if move.missed else ["accept_move", "decline_move"]


What = Literal[
    "proposed",
    "booked",
    "declined",
    "move_proposed",
    "moved",
    "move_declined",
    "move_withdrawn",
    "move_superseded",
    "cancelled",
    "held",
    "not_held",
]


class HappenedRead(Read):
    """One thing that happened to a meeting."""

    what: What
    at: datetime
    by: UUID | None = Field(description="The membership that did it, unless I am kept apart from it.")
    name: str | None = Field(description="Its name.")
    reason: str | None
    starts_at: datetime = Field(description="The time that was proposed, booked, moved to, or given up.")
    ends_at: datetime
    from_starts_at: datetime | None = Field(description="Of moves: when it was to be until then.")
    from_ends_at: datetime | None


class HistoryRead(Read):
    items: list[HappenedRead]


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
