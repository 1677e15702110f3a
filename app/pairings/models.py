"""What is stored of mentorships, and which states may follow which."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock
from app.core.db import Base, identity, instant
from app.core.errors import Conflict
from app.organisations.models import Membership


class Kind(StrEnum):
    """What shape a mentorship has."""

    ONE_TO_ONE = "one_to_one"
    PEERS = "peers"
    RECIPROCAL = "reciprocal"
    CIRCLE = "circle"


class Part(StrEnum):
    """What someone is in a pairing. In a reciprocal pair each is mentor and mentee."""

    MENTOR = "mentor"
    MENTEE = "mentee"
    PEER = "peer"
    LEAD = "lead"


class Status(StrEnum):
    """Where a pairing stands."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


MOVES: dict[tuple[Status, str], Status] = {
    (Status.PROPOSED, "accept"): Status.ACTIVE,
    (Status.PROPOSED, "decline"): Status.DECLINED,
    (Status.PROPOSED, "withdraw"): Status.WITHDRAWN,
    (Status.ACTIVE, "end"): Status.ENDED,
}


class Participant(Base):
    """A membership's part in a pairing."""

    __tablename__ = "participant"
    __table_args__ = (UniqueConstraint("pairing_id", "membership_id", "role"),)

    id: Mapped[UUID] = identity()
    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"), init=False)
    membership_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    joined_at: Mapped[datetime] = instant(default_factory=clock.now)
    left_at: Mapped[datetime | None] = instant(default=None)
    person: Mapped[Membership] = relationship(lazy="raise", viewonly=True, init=False)


class Goal(Base):
    __tablename__ = "goal"

    id: Mapped[UUID] = identity()
    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("pairing.id", ondelete="CASCADE"), index=True)
    text: Mapped[str]
    done: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    updated_at: Mapped[datetime] = instant(default_factory=clock.now)


class Pairing(Base):
    """One agreed mentorship: one-to-one, peers, reciprocal, or a circle."""

    __tablename__ = "pairing"
    __table_args__ = (
        CheckConstraint("(kind = 'circle') = (organisation_id IS NOT NULL)", name="circle_has_organisation"),
        Index("ix_pairing_organisation_id", "organisation_id"),
    )

    id: Mapped[UUID] = identity()
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default=Status.PROPOSED.value)
    note: Mapped[str] = mapped_column(default="")
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    organisation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("organisation.id", ondelete="CASCADE"), default=None
    )
    title: Mapped[str | None] = mapped_column(default=None)
    agreement_text: Mapped[str] = mapped_column(default="")
    agreement_version: Mapped[int] = mapped_column(default=0)
    agreement_updated_at: Mapped[datetime | None] = instant(default=None)
    agreement_updated_by: Mapped[UUID | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    decided_at: Mapped[datetime | None] = instant(default=None)
    ended_at: Mapped[datetime | None] = instant(default=None)
    participants: Mapped[list[Participant]] = relationship(
        lazy="raise", default_factory=list, order_by=Participant.id
    )
    goals: Mapped[list[Goal]] = relationship(lazy="raise", init=False, viewonly=True, order_by=Goal.id)

    def move(self, verb: str) -> None:
        """Follow the table, or say that this is not possible now."""
        after = MOVES.get((Status(self.status), verb))
        if after is None:
            raise Conflict(
                f"pairing_{self.status}", f"This mentorship is {self.status}; it cannot {verb} now."
            )
        self.status = after.value
        if after is Status.ENDED:
            self.ended_at = clock.now()
        else:
            self.decided_at = clock.now()

    def must_be_active(self) -> None:
        """Editing and meeting need a pairing that both sides agreed to and nobody ended."""
        if self.status != Status.ACTIVE:
            raise Conflict(
                f"pairing_{self.status}", f"This mentorship is {self.status}; nothing can be changed in it."
            )

    def current(self) -> list[Participant]:
        """Parts that nobody has left."""
        return [part for part in self.participants if part.left_at is None]

    def people(self) -> dict[UUID, Membership]:
        """Everyone who is in it now, once each, by membership."""
        return {part.membership_id: part.person for part in self.current()}

    def mentors(self) -> set[UUID]:
        """Memberships that mentor one-to-one here, and so use up a place."""
        if self.kind == Kind.CIRCLE:
            return set()
        return {part.membership_id for part in self.current() if part.role == Part.MENTOR}

    def rewrite_agreement(self, text: str, version: int, membership_id: UUID) -> None:
        """Replace the agreement text, if `version` is the one that was read."""
        self.must_be_active()
        if version != self.agreement_version:
            raise Conflict(
                "agreement_changed",
                "Someone changed the agreement since you opened it. Your text is not saved; "
                "read the new version and put your changes in again.",
            )
        self.agreement_text = text
        self.agreement_version += 1
        self.agreement_updated_at = clock.now()
        self.agreement_updated_by = membership_id
