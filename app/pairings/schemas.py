"""What travels about mentorships."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from app.core.schemas import Body, Line, Name, Note, Prose, Read
from app.organisations.schemas import PersonBrief
from app.pairings.models import Kind, Pairing, Part, Status

PairingVerb = Literal["accept", "decline", "withdraw", "end", "leave", "edit", "meet"]


class PairingAsk(Body):
    """Ask someone to be my mentor, mentee or peer."""

    membership_id: UUID = Field(description="My membership that asks.")
    counterpart_id: UUID = Field(description="The membership of the person who is asked.")
    kind: Literal[Kind.ONE_TO_ONE, Kind.PEERS, Kind.RECIPROCAL] = Kind.ONE_TO_ONE
    role: Literal[Part.MENTEE, Part.MENTOR, Part.PEER] | None = Field(
        default=None, description="My own part in a one-to-one mentorship; mentee unless said."
    )
    note: Note = Field(
        default="", examples=["I am new in child protection and would like to learn from you."]
    )


class CircleCreate(Body):
    """A coordinator brings a group together."""

    title: Annotated[Name, Field(examples=["Rural practice circle"])]
    lead_ids: Annotated[list[UUID], Field(min_length=1, max_length=5)]
    mentee_ids: Annotated[list[UUID], Field(min_length=1, max_length=30)]
    note: Note = ""


class AgreementEdit(Body):
    text: Annotated[Prose, Field(max_length=8000)]
    version: Annotated[StrictInt, Field(ge=0, le=2**31 - 1, description="The version that was read.")]


class GoalCreate(Body):
    text: Annotated[Line, Field(min_length=1, max_length=300)]


class GoalEdit(Body):
    text: Annotated[Line, Field(min_length=1, max_length=300)] | None = None
    done: StrictBool | None = None


class GoalRead(Read):
    id: UUID
    text: str
    done: bool
    created_at: datetime
    updated_at: datetime


class AgreementRead(Read):
    text: str
    version: int
    updated_at: datetime | None
    updated_by: UUID | None = Field(description="The membership that wrote this version.")


class ParticipantRead(Read):
    id: UUID
    person: PersonBrief
    role: Part
    is_me: bool
    joined_at: datetime
    left_at: datetime | None


class PairingRead(Read):
    id: UUID
    kind: Kind
    status: Status
    title: str | None
    note: str
    proposed_by: UUID
    participants: list[ParticipantRead]
    agreement: AgreementRead
    goals: list[GoalRead]
    created_at: datetime
    decided_at: datetime | None
    ended_at: datetime | None
    may: list[PairingVerb] = Field(description="What I can do with it now.")

    @classmethod
    def of(cls, pairing: Pairing, *, me: UUID, apart: set[UUID], coordinated: bool) -> "PairingRead":
        """The pairing as the account `me` sees it, without the people it is kept `apart` from."""
        parts = [part for part in pairing.participants if part.person.account_id not in apart]
        mine = {part.membership_id for part in pairing.current() if part.person.account_id == me}
        return cls(
            id=pairing.id,
            kind=Kind(pairing.kind),
            status=Status(pairing.status),
            title=pairing.title,
            note=pairing.note,
            proposed_by=pairing.proposed_by_id,
            participants=[
                ParticipantRead(
                    id=part.id,
                    person=PersonBrief.model_validate(part.person),
                    role=Part(part.role),
                    is_me=part.person.account_id == me,
                    joined_at=part.joined_at,
                    left_at=part.left_at,
                )
                for part in parts
            ],
            agreement=AgreementRead(
                text=pairing.agreement_text,
                version=pairing.agreement_version,
                updated_at=pairing.agreement_updated_at,
                updated_by=pairing.agreement_updated_by,
            ),
            goals=[GoalRead.model_validate(goal) for goal in pairing.goals],
            created_at=pairing.created_at,
            decided_at=pairing.decided_at,
            ended_at=pairing.ended_at,
            may=verbs(pairing, mine, coordinated=coordinated),
        )


def verbs(pairing: Pairing, mine: set[UUID], *, coordinated: bool) -> list[PairingVerb]:
    """What memberships `mine` can do now; `coordinated`: the actor coordinates the circle's organisation."""
    if pairing.status == Status.PROPOSED and mine:
        return ["withdraw"] if pairing.proposed_by_id in mine else ["accept", "decline"]
    if pairing.status != Status.ACTIVE:
        return []
    if pairing.kind != Kind.CIRCLE:
        return ["end", "edit", "meet"] if mine else []
    found: list[PairingVerb] = ["leave", "edit", "meet"] if mine else []
    return [*found, "end"] if coordinated else found
