"""What travels about organisations, memberships, invitations and partnerships."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StrictInt

from app.accounts.schemas import AccountRead, Email
from app.core.schemas import Body, Languages, Line, Name, Note, Prose, Read, Secret, Skills, Zone
from app.organisations.models import Role, Visibility


def _with_member(roles: list[Role]) -> list[Role]:
    """Everyone is a member; the order is fixed."""
    return [role for role in Role if role is Role.MEMBER or role in roles]


Roles = Annotated[list[Role], Field(max_length=5), AfterValidator(_with_member)]


class OrganisationBrief(Read):
    id: UUID
    name: str
    slug: str


class OrganisationCreate(Body):
    name: Annotated[Name, Field(examples=["Northside Family Trust"])]


class OrganisationRead(OrganisationBrief):
    created_at: datetime


class PersonBrief(Read):
    """Someone as others see them; `id` is their membership."""

    id: UUID
    name: str
    headline: str
    organisation: OrganisationBrief
    zone: str


class MembershipRead(Read):
    id: UUID
    organisation: OrganisationBrief
    name: str
    roles: list[Role]
    headline: str
    bio: str
    skills_offered: list[str]
    skills_wanted: list[str]
    languages: list[str]
    zone: str
    capacity: int = Field(description="How many mentees at once; 0 means not mentoring now.")
    visibility: Visibility
    created_at: datetime


class ProfileEdit(Body):
    """My profile in one organisation. Fields left out stay as they are."""

    name: Name | None = None
    headline: Annotated[Line, Field(max_length=120)] | None = None
    bio: Annotated[Prose, Field(max_length=4000)] | None = None
    skills_offered: Skills | None = None
    skills_wanted: Skills | None = None
    languages: Languages | None = None
    zone: Zone | None = None
    capacity: Annotated[StrictInt, Field(ge=0, le=20)] | None = None
    visibility: Visibility | None = None


class RolesEdit(Body):
    roles: Roles


class Me(Read):
    account: AccountRead
    memberships: list[MembershipRead]


class InvitationCreate(Body):
    email: Email
    roles: Roles = Field(default_factory=lambda: [Role.MEMBER])


class InvitationRead(Read):
    id: UUID
    organisation: OrganisationBrief
    email: str
    roles: list[Role]
    status: Literal["pending", "accepted", "revoked", "expired"]
    expires_at: datetime
    created_at: datetime


class InvitationAccept(Body):
    token: Secret


class PartnershipPropose(Body):
    partner_slug: Annotated[str, Field(pattern=r"^[a-z0-9-]{2,80}$", examples=["northside-family-trust"])]
    note: Note = ""


PartnershipVerb = Literal["accept", "decline", "end"]


class PartnershipRead(Read):
    id: UUID
    organisation: OrganisationBrief = Field(description="Who proposed it.")
    partner: OrganisationBrief
    status: Literal["proposed", "accepted", "declined", "ended"]
    note: str
    proposed_at: datetime
    decided_at: datetime | None
    ended_at: datetime | None
    may: list[PartnershipVerb] = Field(default_factory=list, description="What you can do with it now.")
