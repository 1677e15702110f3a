"""What is stored of who keeps whom away."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock
from app.core.db import Base, identity, instant
from app.organisations.models import Membership


class Block(Base):
    """A block holds between two people, whichever of their memberships act, and in both directions."""

    __tablename__ = "block"
    __table_args__ = (
        UniqueConstraint("blocker_id", "blocked_id"),
        CheckConstraint("blocker_id <> blocked_id", name="two_people"),
    )

    id: Mapped[UUID] = identity()
    blocker_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    blocked_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    membership_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    person: Mapped[Membership] = relationship(lazy="raise", viewonly=True, init=False)
