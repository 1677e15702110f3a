"""What is stored of who did what."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped

from app.core import clock
from app.core.db import Base, identity, instant


class AuditEntry(Base):
    """One act. Rows are only ever added."""

    __tablename__ = "audit_entry"

    id: Mapped[UUID] = identity()
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    subject_id: Mapped[UUID | None]
    at: Mapped[datetime] = instant(default_factory=clock.now)
