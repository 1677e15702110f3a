"""Reading meetings, calls and attendance."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, Range, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.core import clock
from app.core.errors import NotFound
from app.organisations.models import Membership
from app.pairings import queries as pairings
from app.pairings.models import Pairing, Participant
from app.scheduling.models import (
    JOIN_AFTER,
    Attendance,
    AttendanceQuality,
    Booking,
    Call,
    Meeting,
    MeetingStatus,
)

CALL_OVERRUN = timedelta(hours=12)
"""How long people may stay in a call after nobody can enter it any more."""


def visible_to(actor: Actor) -> Select[Meeting]:
    """Meetings of pairings the actor is in."""
    return select(Meeting).where(Meeting.pairing_id.in_(pairings.participating(actor)))


async def get(db: AsyncSession, actor: Actor, meeting_id: UUID, *, lock: bool = True) -> Meeting:
    """A meeting visible to the actor, locked for change unless it is only read."""
    statement = visible_to(actor).where(Meeting.id == meeting_id)
    if lock:
        statement = statement.with_for_update(of=Meeting, key_share=True)
    found = await db.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound()
    return found


async def known(db: AsyncSession, actor: Actor, meeting_id: UUID) -> Meeting:
    """A meeting the actor takes or took part in, also when a block stands between them already."""
    found = await db.scalar(
        select(Meeting).where(Meeting.id == meeting_id, Meeting.pairing_id.in_(pairings.ever_in(actor)))
    )
    if found is None:
        raise NotFound()
    return found


def with_actor(actor: Actor) -> Select[UUID]:
    """The ids of all meetings that `known` finds."""
    return select(Meeting.id).where(Meeting.pairing_id.in_(pairings.ever_in(actor)))


async def one(db: AsyncSession, meeting_id: UUID) -> Meeting:
    """A meeting whoever asks: only for reactions."""
    return await db.get_one(Meeting, meeting_id)


def between(actor: Actor, start: datetime | None, end: datetime | None) -> Select[Meeting]:
    """The actor's meetings that touch a span of time."""
    found = visible_to(actor)
    if start is not None:
        found = found.where(Meeting.ends_at > start)
    if end is not None:
        found = found.where(Meeting.starts_at < end)
    return found


async def taken(
    db: AsyncSession, account_ids: Sequence[UUID], during: Range[datetime], *, besides: UUID | None = None
) -> set[UUID]:
    """Which of these people are booked for some of that time, `besides` one meeting that may be moved."""
    rows = await db.scalars(
        select(Booking.account_id).where(
            Booking.account_id.in_(account_ids),
            Booking.during.overlaps(during),
            Booking.meeting_id.is_distinct_from(besides),
        )
    )
    return set(rows)


async def free(db: AsyncSession, meeting_id: UUID, account_id: UUID | None = None) -> None:
    """Give the time of a meeting back, to everyone or to one person."""
    statement = delete(Booking).where(Booking.meeting_id == meeting_id)
    if account_id is not None:
        statement = statement.where(Booking.account_id == account_id)
    await db.execute(statement)


def _open() -> ColumnElement[bool]:
    return Meeting.status.in_((MeetingStatus.PROPOSED, MeetingStatus.BOOKED))


async def open_of_pairing(db: AsyncSession, pairing_id: UUID) -> list[Meeting]:
    """Proposed and booked meetings of a pairing that are not over, locked."""
    rows = await db.scalars(
        select(Meeting)
        .where(Meeting.pairing_id == pairing_id, _open(), Meeting.ends_at > clock.now())
        .order_by(Meeting.id)
        .with_for_update(key_share=True)
    )
    return list(rows)


async def open_ahead(db: AsyncSession, meeting_ids: Collection[UUID]) -> list[Meeting]:
    """Those of these meetings that are proposed or booked and have not begun, locked."""
    rows = await db.scalars(
        select(Meeting)
        .where(Meeting.id.in_(meeting_ids), _open(), Meeting.starts_at > clock.now())
        .order_by(Meeting.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def calls_of_pairing(db: AsyncSession, pairing_id: UUID) -> list[Call]:
    """Calls of a pairing's meetings that somebody may still be in although the meeting's time is over."""
    rows = await db.scalars(
        select(Call)
        .join(Meeting, Meeting.id == Call.meeting_id)
        .where(
            Meeting.pairing_id == pairing_id,
            Meeting.status == MeetingStatus.BOOKED,
            Meeting.ends_at > clock.now() - JOIN_AFTER - CALL_OVERRUN,
        )
    )
    return list(rows)


async def call_of_meeting(db: AsyncSession, meeting_id: UUID) -> Call | None:
    """The call that a meeting became, locked."""
    return await db.scalar(select(Call).where(Call.meeting_id == meeting_id).with_for_update(key_share=True))


async def forwarded(db: AsyncSession, call_id: UUID) -> None:
    """The call's media go through the server from now on."""
    await db.execute(update(Call).where(Call.id == call_id).values(topology="forwarded"))


async def known_call(db: AsyncSession, call_id: UUID) -> bool:
    """Whether there is such a call."""
    return bool(await db.scalar(select(exists(select(Call.id).where(Call.id == call_id)))))


async def known_call_member(db: AsyncSession, call_id: UUID, membership_id: UUID) -> bool:
    """Whether this membership takes part in the pairing whose call this is."""
    found = await db.scalar(
        select(
            exists(
                select(Call.id)
                .join(Meeting, Meeting.id == Call.meeting_id)
                .join(Pairing, Pairing.id == Meeting.pairing_id)
                .join(Participant, Participant.pairing_id == Pairing.id)
                .where(Call.id == call_id, Participant.membership_id == membership_id)
            )
        )
    )
    return bool(found)


class Caller(NamedTuple):
    """Someone in the pairing that a call belongs to; `is_in` unless they left it or its organisation."""

    call_id: UUID
    meeting_id: UUID
    kind: str
    membership_id: UUID
    account_id: UUID
    is_in: bool


async def callers(db: AsyncSession, call_ids: Collection[UUID]) -> list[Caller]:
    """Everyone who is or was in the pairings of these calls: for news."""
    is_in = and_(Participant.left_at.is_(None), Membership.ended_at.is_(None))
    rows = await db.execute(
        select(Call.id, Call.meeting_id, Pairing.kind, Membership.id, Membership.account_id, is_in)
        .distinct()
        .join(Meeting, Meeting.id == Call.meeting_id)
        .join(Pairing, Pairing.id == Meeting.pairing_id)
        .join(Participant, Participant.pairing_id == Pairing.id)
        .join(Membership, Membership.id == Participant.membership_id)
        .where(Call.id.in_(call_ids))
    )
    return [Caller(*row) for row in rows]


async def attendance(db: AsyncSession, meeting_id: UUID) -> list[Attendance]:
    """Every stay in a meeting's call, in order."""
    rows = await db.scalars(
        select(Attendance)
        .join(Call, Call.id == Attendance.call_id)
        .where(Call.meeting_id == meeting_id)
        .order_by(Attendance.joined_at, Attendance.id)
    )
    return list(rows)


async def stay_began(db: AsyncSession, stay: Attendance) -> bool:
    """Someone is in a call; the news may come after that of the end. False when it is known."""
    row = _stay(stay)
    earlier = {"joined_at": row.excluded.joined_at}
    said = row.on_conflict_do_update(
        index_elements=["id"], set_=earlier, where=Attendance.joined_at > row.excluded.joined_at
    )
    return await db.scalar(said.returning(Attendance.id)) is not None


async def stay_ended(db: AsyncSession, stay: Attendance) -> bool:
    """Someone is out of a call; the news may come before that of the beginning. False when it is known."""
    left = {"left_at": stay.left_at, "seen_at": stay.seen_at, "reason": stay.reason}
    other = or_(
        Attendance.left_at.is_distinct_from(stay.left_at), Attendance.reason.is_distinct_from(stay.reason)
    )
    said = _stay(stay).on_conflict_do_update(index_elements=["id"], set_=left, where=other)
    return await db.scalar(said.returning(Attendance.id)) is not None


def _stay(stay: Attendance) -> Insert:
    return insert(Attendance).values(
        {column.name: getattr(stay, column.name) for column in Attendance.__table__.columns}
    )


async def measured(db: AsyncSession, quality: AttendanceQuality) -> None:
    """How somebody was connected, unless something newer is known."""
    columns = AttendanceQuality.__table__.columns
    row = insert(AttendanceQuality).values({column.name: getattr(quality, column.name) for column in columns})
    newer = {column.name: row.excluded[column.name] for column in columns if not column.primary_key}
    await db.execute(
        row.on_conflict_do_update(
            index_elements=["attendance_id"], set_=newer, where=AttendanceQuality.at < row.excluded.at
        )
    )


async def qualities(db: AsyncSession, meeting_id: UUID, account_id: UUID) -> dict[UUID, AttendanceQuality]:
    """How one person was connected in a meeting's call, by stay."""
    rows = await db.scalars(
        select(AttendanceQuality)
        .join(Call, Call.id == AttendanceQuality.call_id)
        .join(Membership, Membership.id == AttendanceQuality.membership_id)
        .where(Call.meeting_id == meeting_id, Membership.account_id == account_id)
    )
    return {row.attendance_id: row for row in rows}


async def renew(db: AsyncSession, call_id: UUID, stays: Sequence[UUID], at: datetime) -> list[UUID]:
    """Push the leases of these stays to `at`.

    One that lapsed only because news was late is open again; returns the memberships of those.
    """
    before = (
        select(Attendance.id, Attendance.left_at)
        .where(
            Attendance.id.in_(stays),
            Attendance.call_id == call_id,
            or_(Attendance.left_at.is_(None), Attendance.reason == "lease_lapsed"),
            Attendance.seen_at < at,
        )
        .order_by(Attendance.id)
        .with_for_update(key_share=True)
        .cte()
    )
    rows = await db.execute(
        update(Attendance)
        .where(Attendance.id == before.c.id)
        .values(seen_at=at, left_at=None, reason=None)
        .returning(Attendance.membership_id, before.c.left_at)
        .execution_options(synchronize_session=False)
    )
    return [membership_id for membership_id, left_at in rows if left_at is not None]


async def lapse(db: AsyncSession, before: datetime) -> list[tuple[UUID, UUID]]:
    """Close every stay that was last seen before then; returns their calls and memberships."""
    silent = (
        select(Attendance.id)
        .where(Attendance.left_at.is_(None), Attendance.seen_at < before)
        .order_by(Attendance.id)
        .with_for_update(key_share=True)
        .cte()
    )
    rows = await db.execute(
        update(Attendance)
        .where(Attendance.id == silent.c.id)
        .values(left_at=Attendance.seen_at, reason="lease_lapsed")
        .returning(Attendance.call_id, Attendance.membership_id)
        .execution_options(synchronize_session=False)
    )
    return [(call_id, membership_id) for call_id, membership_id in rows]
