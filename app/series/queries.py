"""Reading series and what became of their times."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.core.errors import NotFound
from app.pairings import queries as pairings
from app.pairings.models import Pairing
from app.series.models import Series, SeriesOccurrence, SeriesStatus


def visible_to(actor: Actor) -> Select[Series]:
    """Series of pairings the actor is in."""
    return select(Series).where(Series.pairing_id.in_(pairings.participating(actor)))


async def get(db: AsyncSession, actor: Actor, series_id: UUID, *, lock: bool = True) -> Series:
    """A series visible to the actor; to change it, it is locked after its pairing, as everywhere."""
    statement = visible_to(actor).where(Series.id == series_id)
    found = await db.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound()
    return await locked(db, found.id) if lock else found


async def locked(db: AsyncSession, series_id: UUID) -> Series:
    """A series whoever asks, locked after its pairing."""
    of_series = select(Series.pairing_id).where(Series.id == series_id).scalar_subquery()
    await db.execute(select(Pairing.id).where(Pairing.id == of_series).with_for_update(key_share=True))
    return (
        await db.scalars(
            select(Series)
            .where(Series.id == series_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    ).one()


async def one(db: AsyncSession, series_id: UUID) -> Series:
    """A series whoever asks: only for reactions."""
    return await db.get_one(Series, series_id)


async def open_of_pairing(db: AsyncSession, pairing_id: UUID) -> list[Series]:
    """Proposed and active series of a pairing, locked."""
    rows = await db.scalars(
        select(Series)
        .where(Series.pairing_id == pairing_id, _open())
        .order_by(Series.id)
        .with_for_update(key_share=True)
    )
    return list(rows)


def _open() -> ColumnElement[bool]:
    return Series.status.in_((SeriesStatus.PROPOSED, SeriesStatus.ACTIVE))


async def proposed_to_continue(db: AsyncSession, series_id: UUID) -> list[Series]:
    """Proposed series that would take the place of this one, locked."""
    rows = await db.scalars(
        select(Series)
        .where(Series.continues_id == series_id, Series.status == SeriesStatus.PROPOSED)
        .order_by(Series.id)
        .with_for_update(key_share=True)
    )
    return list(rows)


async def due(db: AsyncSession, before: datetime) -> list[UUID]:
    """Active series whose meetings are made for less far ahead than that."""
    rows = await db.scalars(
        select(Series.id).where(Series.status == SeriesStatus.ACTIVE, Series.made_until < before)
    )
    return list(rows)


async def meetings_from(db: AsyncSession, series_id: UUID, recurrence_id: datetime) -> set[UUID]:
    """The meetings of an occurrence and of all that follow it."""
    rows = await db.scalars(
        select(SeriesOccurrence.meeting_id).where(
            SeriesOccurrence.series_id == series_id,
            SeriesOccurrence.recurrence_id >= recurrence_id,
            SeriesOccurrence.meeting_id.is_not(None),
        )
    )
    return {row for row in rows if row is not None}


async def occurrences(
    db: AsyncSession, series_ids: Collection[UUID], after: datetime
) -> list[SeriesOccurrence]:
    """What became of the times that lie after that, in order."""
    rows = await db.scalars(
        select(SeriesOccurrence)
        .where(SeriesOccurrence.series_id.in_(series_ids), SeriesOccurrence.starts_at > after)
        .order_by(SeriesOccurrence.starts_at, SeriesOccurrence.id)
    )
    return list(rows)
