"""What is stored of organisations, the people in them, and the terms between them."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock
from app.core.db import Base, identity, instant
from app.core.errors import Conflict

INVITATION_DAYS = 14


class Role(StrEnum):
    """What a person may do in an organisation."""

    MEMBER = "member"
    COORDINATOR = "coordinator"
    ADMINISTRATOR = "administrator"


class Visibility(StrEnum):
    """Who can find a membership."""

    ORGANISATION = "organisation"
    PARTNERS = "partners"


class Organisation(Base):
    __tablename__ = "organisation"

    id: Mapped[UUID] = identity()
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)


class Membership(Base):
    """A person in one organisation: their roles, their profile, and how much mentoring they can take on."""

    __tablename__ = "membership"
    __table_args__ = (
        UniqueConstraint("organisation_id", "account_id"),
        CheckConstraint("capacity BETWEEN 0 AND 20", name="capacity_range"),
    )

    id: Mapped[UUID] = identity()
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    roles: Mapped[list[str]] = mapped_column(default_factory=lambda: [Role.MEMBER.value])
    headline: Mapped[str] = mapped_column(default="")
    bio: Mapped[str] = mapped_column(default="")
    skills_offered: Mapped[list[str]] = mapped_column(default_factory=list)
    skills_wanted: Mapped[list[str]] = mapped_column(default_factory=list)
    languages: Mapped[list[str]] = mapped_column(default_factory=list)
    zone: Mapped[str] = mapped_column(default="UTC")
    capacity: Mapped[int] = mapped_column(default=0)
    visibility: Mapped[str] = mapped_column(default=Visibility.PARTNERS.value)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    ended_at: Mapped[datetime | None] = instant(default=None)
    organisation: Mapped[Organisation] = relationship(lazy="raise", viewonly=True, init=False)

    def rejoin(self, roles: list[str]) -> None:
        """Come back after the membership ended, with the roles that are given now."""
        self.ended_at = None
        self.roles = list(roles)

    def grant(self, roles: list[str]) -> None:
        """Add roles to those held."""
        self.roles = [role.value for role in Role if role.value in {*self.roles, *roles}]

    def has(self, *roles: Role) -> bool:
        """Whether the person holds any of these roles here."""
        return any(role.value in self.roles for role in roles)

    @property
    def coordinates(self) -> bool:
        """Coordinators and administrators see what belongs to their organisation."""
        return self.has(Role.COORDINATOR, Role.ADMINISTRATOR)


class Invitation(Base):
    __tablename__ = "invitation"

    id: Mapped[UUID] = identity()
    organisation_id: Mapped[UUID] = mapped_column(
        ForeignKey("organisation.id", ondelete="CASCADE"), index=True
    )
    email: Mapped[str]
    roles: Mapped[list[str]]
    digest: Mapped[bytes] = mapped_column(unique=True)
    invited_by_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = instant(
        default_factory=lambda: clock.now() + timedelta(days=INVITATION_DAYS)
    )
    accepted_at: Mapped[datetime | None] = instant(default=None)
    revoked_at: Mapped[datetime | None] = instant(default=None)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    organisation: Mapped[Organisation] = relationship(lazy="raise", viewonly=True, init=False)

    @property
    def status(self) -> str:
        """pending, accepted, revoked or expired."""
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "revoked"
        return "pending" if self.expires_at > clock.now() else "expired"

    def accept(self) -> None:
        """Use the invitation up."""
        self._must_be_pending()
        self.accepted_at = clock.now()

    def revoke(self) -> None:
        """Take the invitation back."""
        self._must_be_pending()
        self.revoked_at = clock.now()

    def _must_be_pending(self) -> None:
        if self.status != "pending":
            raise Conflict("invitation_not_pending", f"This invitation is {self.status}.")


class Partnership(Base):
    """Two organisations' agreement that their people may see and mentor each other."""

    __tablename__ = "partnership"
    __table_args__ = (
        CheckConstraint("organisation_id <> partner_id", name="two_organisations"),
        Index(
            "uq_partnership_open_pair",
            func.least(text("organisation_id"), text("partner_id")),
            func.greatest(text("organisation_id"), text("partner_id")),
            unique=True,
            postgresql_where=text("status IN ('proposed', 'accepted')"),
        ),
        Index("ix_partnership_partner_id", "partner_id"),
    )

    id: Mapped[UUID] = identity()
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"))
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"))
    note: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="proposed")
    proposed_at: Mapped[datetime] = instant(default_factory=clock.now)
    decided_at: Mapped[datetime | None] = instant(default=None)
    ended_at: Mapped[datetime | None] = instant(default=None)
    organisation: Mapped[Organisation] = relationship(
        lazy="raise", viewonly=True, init=False, foreign_keys=[organisation_id]
    )
    partner: Mapped[Organisation] = relationship(
        lazy="raise", viewonly=True, init=False, foreign_keys=[partner_id]
    )

    def decide(self, *, accept: bool) -> None:
        """The invited side's answer; once."""
        if self.status != "proposed":
            raise Conflict("partnership_not_proposed", f"This partnership is {self.status} already.")
        self.status = "accepted" if accept else "declined"
        self.decided_at = clock.now()

    def end(self) -> None:
        """Either side ends it, or the proposer takes the proposal back. Running pairings go on."""
        if self.status not in ("proposed", "accepted"):
            raise Conflict("partnership_over", f"This partnership is {self.status} already.")
        self.status = "ended"
        self.ended_at = clock.now()
