"""Writing down who did what, in the transaction that does it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.models import AuditEntry


def record(db: AsyncSession, actor_id: UUID | None, action: str, subject_id: UUID | None) -> None:
    """Note that the account `actor_id` (None: the system) did `action` to `subject_id`."""
    db.add(AuditEntry(actor_id=actor_id, action=action, subject_id=subject_id))
