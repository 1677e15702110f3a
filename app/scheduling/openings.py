"""What stands in the way of a time."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.scheduling import queries

Why = Literal["meeting", "hold", "absence", "holiday", "elsewhere", "outside_hours"]
Span = tuple[datetime, datetime]


class Obstacle(NamedTuple):
    """Why a person cannot then."""

    account_id: UUID
    start: datetime
    end: datetime
    why: Why


async def obstacles(db: AsyncSession, account_ids: Collection[UUID], spans: Sequence[Span]) -> list[Obstacle]:
    """All that overlaps one of these spans, for these people."""
    if not spans:
        return []
    whole: Range[datetime] = Range(
        min(span[0] for span in spans), max(span[1] for span in spans), bounds="[)"
    )
    return [
        Obstacle(account_id, start, end, "meeting")
        for account_id, start, end in await queries.booked_during(db, account_ids, whole)
        if any(start < until and since < end for since, until in spans)
    ]
