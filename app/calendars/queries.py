"""Reading what calendars were told and what they said."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Select, and_, delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.calendars.models import CalendarFeed, CalendarSettings, MeetingInvitation, MeetingReply
from app.core import clock
from app.scheduling import queries as scheduling
from app.scheduling.models import Meeting, MeetingStatus

PAST: Final = timedelta(days=90)
AHEAD: Final = timedelta(days=400)
CANCELLED_KEPT: Final = timedelta(days=30)
"""So long a feed says that a meeting was cancelled: calendars that ask seldom must hear it, too."""
MOST: Final = 2000
"""Meetings in one feed."""


async def settings(db: AsyncSession, account_id: UUID) -> CalendarSettings:
    """What someone wants of calendars."""
    found = await db.scalar(select(CalendarSettings).where(CalendarSettings.account_id == account_id))
    return found or CalendarSettings(account_id=account_id)


async def set_invitations(db: AsyncSession, account_id: UUID, *, wanted: bool) -> None:
    """Store whether someone wants invitations."""
    row = insert(CalendarSettings).values(account_id=account_id, invitations=wanted)
    await db.execute(
        row.on_conflict_do_update(
            index_elements=["account_id"], set_={"invitations": row.excluded.invitations}
        )
    )


async def without_invitations(db: AsyncSession, account_ids: Collection[UUID]) -> set[UUID]:
    """Which of these people want none."""
    rows = await db.scalars(
        select(CalendarSettings.account_id).where(
            CalendarSettings.account_id.in_(account_ids), ~CalendarSettings.invitations
        )
    )
    return set(rows)


async def feed(db: AsyncSession, account_id: UUID) -> CalendarFeed | None:
    """Someone's own feed."""
    return await db.scalar(select(CalendarFeed).where(CalendarFeed.account_id == account_id))


async def feed_at(db: AsyncSession, digest: bytes) -> CalendarFeed | None:
    """The feed whose secret has this digest."""
    return await db.scalar(select(CalendarFeed).where(CalendarFeed.digest == digest))


async def keep_feed(db: AsyncSession, feed: CalendarFeed) -> None:
    """Store a feed in place of the one before: what is read at its old address ends."""
    row = insert(CalendarFeed).values(
        account_id=feed.account_id, digest=feed.digest, created_at=feed.created_at
    )
    new = {"digest": row.excluded.digest, "created_at": row.excluded.created_at}
    await db.execute(row.on_conflict_do_update(index_elements=["account_id"], set_=new))


async def end_feed(db: AsyncSession, account_id: UUID) -> None:
    """Nothing is read at the address any more."""
    await db.execute(delete(CalendarFeed).where(CalendarFeed.account_id == account_id))


def in_feed(actor: Actor) -> Select[Meeting]:
    """The actor's meetings that a feed shows: booked, asked for and still ahead, or cancelled of late."""
    now = clock.now()
    asked = and_(Meeting.status == MeetingStatus.PROPOSED, Meeting.ends_at > now)
    # What was never booked was never in a calendar as more than a question: it goes without a word.
    ended = and_(
        Meeting.status == MeetingStatus.CANCELLED,
        Meeting.decided_at.is_not(None),
        Meeting.cancelled_at > now - CANCELLED_KEPT,
    )
    return (
        scheduling.between(actor, now - PAST, now + AHEAD)
        .where(or_(Meeting.status == MeetingStatus.BOOKED, asked, ended))
        .order_by(Meeting.starts_at, Meeting.id)
        .limit(MOST)
    )


async def fed(db: AsyncSession, actor: Actor) -> list[Meeting]:
    """Those meetings."""
    return list(await db.scalars(in_feed(actor)))


async def answerable(db: AsyncSession, meeting_id: UUID) -> Meeting | None:
    """The meeting that an answer names, locked, whoever answers: its reply address is proved later."""
    return await db.scalar(
        select(Meeting).where(Meeting.id == meeting_id).with_for_update(of=Meeting, key_share=True)
    )


async def invitations(db: AsyncSession, meeting_id: UUID) -> dict[UUID, MeetingInvitation]:
    """Whose calendars were told of a meeting, by account."""
    rows = await db.scalars(select(MeetingInvitation).where(MeetingInvitation.meeting_id == meeting_id))
    return {row.account_id: row for row in rows}


class Said(NamedTuple):
    """An answer, and whether it was to the time that the meeting has now."""

    reply: MeetingReply
    outdated: bool


async def replies(db: AsyncSession, meeting_id: UUID) -> dict[UUID, Said]:
    """What calendars said to a meeting, by account."""
    rows = await db.execute(
        select(MeetingReply, MeetingInvitation.asked > MeetingReply.sequence)
        .join(
            MeetingInvitation,
            and_(
                MeetingInvitation.meeting_id == MeetingReply.meeting_id,
                MeetingInvitation.account_id == MeetingReply.account_id,
            ),
        )
        .where(MeetingReply.meeting_id == meeting_id)
    )
    return {reply.account_id: Said(reply, outdated) for reply, outdated in rows}
