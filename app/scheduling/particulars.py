"""Reading what hangs on meetings: the times that were proposed, their moves, policies, and who came."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.organisations.models import Membership
from app.scheduling.models import (
    Attendance,
    Call,
    Meeting,
    MeetingMove,
    MeetingOption,
    MeetingPolicy,
    MeetingStatus,
)


async def options(db: AsyncSession, meeting_ids: Collection[UUID]) -> dict[UUID, list[datetime]]:
    """The starts that were proposed for these meetings, where there were several, in the order they came."""
    found: dict[UUID, list[datetime]] = {}
    if meeting_ids:
        rows = await db.scalars(
            select(MeetingOption)
            .where(MeetingOption.meeting_id.in_(meeting_ids))
            .order_by(MeetingOption.meeting_id, MeetingOption.place)
        )
        for row in rows:
            found.setdefault(row.meeting_id, []).append(row.starts_at)
    return found


async def moves_by_ids(db: AsyncSession, ids: Collection[UUID]) -> dict[UUID, MeetingMove]:
    """Moves by id, for ids that meetings name which the caller was shown."""
    if not ids:
        return {}
    rows = await db.scalars(
        select(MeetingMove).where(MeetingMove.id.in_(ids)).execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}


async def moves(db: AsyncSession, meeting_id: UUID) -> list[MeetingMove]:
    """Every move of a meeting, in order."""
    rows = await db.scalars(
        select(MeetingMove).where(MeetingMove.meeting_id == meeting_id).order_by(MeetingMove.id)
    )
    return list(rows)


async def policies(db: AsyncSession, organisation_ids: Collection[UUID]) -> dict[UUID, MeetingPolicy]:
    """The policy of each of these organisations; who has set none has the usual one, which is not stored."""
    rows = await db.scalars(select(MeetingPolicy).where(MeetingPolicy.organisation_id.in_(organisation_ids)))
    found = {row.organisation_id: row for row in rows}
    return {one: found.get(one) or MeetingPolicy(organisation_id=one) for one in organisation_ids}


async def set_policy(db: AsyncSession, policy: MeetingPolicy) -> None:
    """Store an organisation's policy, whether or not it had one."""
    values = {column.name: getattr(policy, column.name) for column in MeetingPolicy.__table__.columns}
    await db.execute(
        insert(MeetingPolicy)
        .values(values)
        .on_conflict_do_update(index_elements=["organisation_id"], set_=values)
    )


async def unsettled(db: AsyncSession, ended: tuple[datetime, datetime], limit: int) -> list[Meeting]:
    """Booked meetings that ended in that time and of which nothing is known yet; locked, without waiting."""
    rows = await db.scalars(
        select(Meeting)
        .where(
            Meeting.status == MeetingStatus.BOOKED.value,
            Meeting.outcome_from.is_(None),
            Meeting.ends_at > ended[0],
            Meeting.ends_at <= ended[1],
        )
        .order_by(Meeting.ends_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return list(rows)


async def ended_of_calls(db: AsyncSession, call_ids: Collection[UUID]) -> list[Meeting]:
    """The booked meetings of these calls that are over, locked in one order."""
    rows = await db.scalars(
        select(Meeting)
        .join(Call, Call.meeting_id == Meeting.id)
        .where(
            Call.id.in_(call_ids),
            Meeting.status == MeetingStatus.BOOKED.value,
            Meeting.ends_at <= clock.now(),
        )
        .order_by(Meeting.id)
        .with_for_update(of=Meeting, key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(rows)


class Presence(NamedTuple):
    """One stay in the call of a meeting."""

    meeting_id: UUID
    account_id: UUID
    joined_at: datetime
    left_at: datetime | None


async def presences(db: AsyncSession, meeting_ids: Collection[UUID]) -> list[Presence]:
    """Who was in the calls of these meetings."""
    rows = await db.execute(
        select(Call.meeting_id, Membership.account_id, Attendance.joined_at, Attendance.left_at)
        .join(Attendance, Attendance.call_id == Call.id)
        .join(Membership, Membership.id == Attendance.membership_id)
        .where(Call.meeting_id.in_(meeting_ids))
    )
    return [Presence(*row) for row in rows]
