"""Who is told on their own stream that something is coming up, or that they are to be told otherwise."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import streams
from app.core.streams import Address, StreamKind

MEETING_COMES = "meeting.reminder"
PAIRING_IS_QUIET = "pairing.reminder"


def remind(db: AsyncSession, account_id: UUID, kind: str, subject_id: UUID) -> None:
    """Whoever is there sees it on the page."""
    _tell(db, account_id, kind, subject_id)


def preferences_changed(db: AsyncSession, account_id: UUID) -> None:
    """How somebody is reminded belongs to their account."""
    _tell(db, account_id, "account.changed", account_id)


def _tell(db: AsyncSession, account_id: UUID, kind: str, subject_id: UUID) -> None:
    streams.announce(db, Address(StreamKind.ACCOUNT, account_id), kind, subject_id)
