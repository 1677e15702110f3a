"""What can be done about meetings that belong to a series: many at once, agreed to together."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.db import emit
from app.core.locks import lock
from app.pairings import queries as pairings
from app.pairings.models import Pairing
from app.scheduling import news, queries, service
from app.scheduling.events import MeetingEdited
from app.scheduling.models import Meeting
from app.scheduling.schemas import own_parts


async def book(db: AsyncSession, by: UUID, meeting: Meeting, pairing: Pairing, series_id: UUID) -> None:
    """Book one of many that both sides agreed to together; the caller has seen that the time is free."""
    await lock(db, "booking", *(row.account_id for row in pairing.people().values()))
    db.add(meeting)
    await db.flush()
    await service.put_down(db, meeting, pairing, (meeting.starts_at, meeting.ends_at))
    mine = own_parts(pairing, by)
    meeting.move("accept", mine[0].membership_id if mine else None)
    await service.tell_booked(db, meeting, by, series_id)


async def propose(db: AsyncSession, by: UUID, meeting: Meeting) -> None:
    """Propose another time for one of a series that cannot be at its own."""
    db.add(meeting)
    await db.flush()
    await service.tell_proposed(db, meeting, by)


async def cancel(
    db: AsyncSession, by: UUID | None, meeting_ids: set[UUID], series_id: UUID, reason: str | None = None
) -> None:
    """Cancel those of these meetings that have not begun."""
    found = await queries.open_ahead(db, meeting_ids)
    if not found:
        return
    pairing = await pairings.one(db, found[0].pairing_id)
    by_id = next((row.id for row in pairing.people().values() if row.account_id == by), None)
    for meeting in found:
        meeting.cancel_reason = reason
        await service.call_off(db, meeting, by, by_id, series_id)


async def retitle(
    db: AsyncSession, by: UUID, meeting_ids: set[UUID], series_id: UUID, title: str | None
) -> None:
    """Give those of these meetings that have not begun another title."""
    for meeting in await queries.open_ahead(db, meeting_ids):
        meeting.retitle(title)
        audit.record(db, by, "meeting.edited", meeting.id)
        await news.tell(db, meeting)
        emit(db, MeetingEdited(meeting_id=meeting.id, by_account_id=by, series_id=series_id))
