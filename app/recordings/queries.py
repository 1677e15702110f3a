"""Reading recordings: only who was in a take sees it, as long as they see its meeting."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, any_, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.blocks import queries as blocks
from app.core.errors import NotFound
from app.organisations import queries as organisations
from app.organisations.models import Membership
from app.recordings.models import Recording, RecordingFile
from app.scheduling import queries as meetings
from app.scheduling.models import Attendance, Call, Meeting


def visible_to(actor: Actor) -> Select[Recording]:
    """Takes that the actor is in, of meetings the actor sees."""
    is_in = exists(
        select(Attendance.id).where(
            Attendance.id == any_(Recording.stay_ids),
            Attendance.call_id == Recording.call_id,
            Attendance.membership_id.in_(organisations.own_ids(actor)),
        )
    )
    seen = meetings.visible_to(actor).with_only_columns(Meeting.id)
    return (
        select(Recording)
        .join(Call, Call.id == Recording.call_id)
        .where(Call.meeting_id.in_(seen), Recording.deleted_at.is_(None), is_in)
    )


async def get(db: AsyncSession, actor: Actor, recording_id: UUID, *, lock: bool = True) -> Recording:
    """A take visible to the actor, locked for change unless it is only read."""
    statement = visible_to(actor).where(Recording.id == recording_id)
    if lock:
        statement = statement.with_for_update(of=Recording)
    found = await db.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound()
    return found


async def of_meeting(db: AsyncSession, actor: Actor, meeting_id: UUID) -> list[Recording]:
    """The takes of a meeting that the actor is in, oldest first."""
    rows = await db.scalars(
        visible_to(actor).where(Call.meeting_id == meeting_id).order_by(Recording.started_at, Recording.id)
    )
    return list(rows)


def _files(actor: Actor) -> Select[RecordingFile, Membership]:
    """Files and whose they are, without those of people kept apart and of stays that are not known yet."""
    return (
        select(RecordingFile, Membership)
        .join(Recording, Recording.id == RecordingFile.recording_id)
        .join(Attendance, Attendance.id == RecordingFile.participant_id)
        .join(Membership, Membership.id == Attendance.membership_id)
        .where(
            Attendance.call_id == Recording.call_id,
            Membership.account_id.not_in(blocks.kept_apart(actor.account_id)),
        )
    )


async def files(
    db: AsyncSession, actor: Actor, recording_ids: Collection[UUID]
) -> list[tuple[RecordingFile, Membership]]:
    """The files of these takes as the actor sees them, in the order in which they begin."""
    rows = await db.execute(
        _files(actor)
        .where(RecordingFile.recording_id.in_(recording_ids))
        .order_by(RecordingFile.offset_ms, Membership.name, RecordingFile.name)
    )
    return [(file, person) for file, person in rows]


async def file(db: AsyncSession, actor: Actor, recording: Recording, name: str) -> RecordingFile:
    """One file of a take as the actor sees it."""
    rows = await db.scalars(
        _files(actor).where(RecordingFile.recording_id == recording.id, RecordingFile.name == name)
    )
    found: RecordingFile | None = rows.one_or_none()
    if found is None:
        raise NotFound()
    return found


async def add(db: AsyncSession, recording: Recording, found: Sequence[RecordingFile]) -> bool:
    """Keep a take and its files. False when it is known already, also as one that was deleted."""
    columns = Recording.__table__.columns
    row = insert(Recording).values({column.name: getattr(recording, column.name) for column in columns})
    said = await db.scalar(row.on_conflict_do_nothing(index_elements=["id"]).returning(Recording.id))
    if said is None:
        return False
    db.add_all(found)
    await db.flush()
    return True


async def forget(db: AsyncSession, recording: Recording, at: datetime) -> None:
    """Leave a tombstone that names nobody."""
    await db.execute(delete(RecordingFile).where(RecordingFile.recording_id == recording.id))
    recording.stay_ids = []
    recording.deleted_at = at


async def inside(db: AsyncSession, recording_id: UUID) -> set[UUID]:
    """The memberships that are in a take, as far as their stays are known: for news."""
    rows = await db.scalars(
        select(Attendance.membership_id)
        .join(Recording, Recording.call_id == Attendance.call_id)
        .where(Recording.id == recording_id, Attendance.id == any_(Recording.stay_ids))
    )
    return set(rows)


async def outdated(db: AsyncSession, before: datetime) -> list[UUID]:
    """The takes that began before then, for the worker."""
    rows = await db.scalars(
        select(Recording.id)
        .where(Recording.deleted_at.is_(None), Recording.started_at < before)
        .order_by(Recording.started_at)
    )
    return list(rows)


async def one(db: AsyncSession, recording_id: UUID) -> Recording | None:
    """A take that is not deleted, locked: for the worker."""
    return await db.scalar(
        select(Recording)
        .where(Recording.id == recording_id, Recording.deleted_at.is_(None))
        .with_for_update()
    )


async def kept(db: AsyncSession, recording_ids: Collection[UUID]) -> set[UUID]:
    """Which of these takes there are: for the worker."""
    rows = await db.scalars(
        select(Recording.id).where(Recording.deleted_at.is_(None), Recording.id.in_(recording_ids))
    )
    return set(rows)
