"""What is stored of reports."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock
from app.core.db import Base, identity, instant
from app.core.errors import Conflict
from app.organisations.models import Membership


class Report(Base):
    """Someone told their coordinators that something is wrong. The reported person is never told who."""

    __tablename__ = "report"

    id: Mapped[UUID] = identity()
    reporter_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    organisation_id: Mapped[UUID] = mapped_column(
        ForeignKey("organisation.id", ondelete="CASCADE"), index=True
    )
    reporter_membership_id: Mapped[UUID] = mapped_column(ForeignKey("membership.id", ondelete="CASCADE"))
    subject_membership_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("membership.id", ondelete="SET NULL")
    )
    meeting_id: Mapped[UUID | None] = mapped_column(ForeignKey("meeting.id", ondelete="SET NULL"))
    text: Mapped[str]
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    resolved_at: Mapped[datetime | None] = instant(default=None)
    resolution: Mapped[str] = mapped_column(default="")
    reporter: Mapped[Membership] = relationship(
        lazy="raise", viewonly=True, init=False, foreign_keys=[reporter_membership_id]
    )
    subject: Mapped[Membership | None] = relationship(
        lazy="raise", viewonly=True, init=False, foreign_keys=[subject_membership_id]
    )

    def resolve(self, note: str) -> None:
        """Close the report with what was done."""
        if self.resolved_at is not None:
            raise Conflict("report_resolved", "This report has been resolved already.")
        self.resolved_at = clock.now()
        self.resolution = note
