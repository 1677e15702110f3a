"""Reading and making reminders: what people want, what they are booked for, what is due, who is quiet."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.accounts.models import Account
from app.core import clock
from app.core.ids import new_id
from app.notifications.models import Kind, Nudge, Reminder, ReminderPreferences, Stage
from app.pairings.models import Kind as PairingKind
from app.pairings.models import Pairing, Status
from app.scheduling.models import Attendance, Booking, Call, Meeting, MeetingStatus


class Wishes(NamedTuple):
    """How somebody wants to be reminded, and where they are."""

    preferences: ReminderPreferences
    zone: ZoneInfo
    email: str


class Occasion(NamedTuple):
    """What makes a reminder one and the same."""

    account_id: UUID
    kind: str
    meeting_id: UUID | None
    pairing_id: UUID | None
    lead_minutes: int
    starts_at: datetime


def occasion(row: Reminder) -> Occasion:
    """What a stored reminder is for."""
    return Occasion(row.account_id, row.kind, row.meeting_id, row.pairing_id, row.lead_minutes, row.starts_at)


async def preferences(db: AsyncSession, account_id: UUID) -> ReminderPreferences | None:
    """What somebody has said about reminders."""
    return await db.get(ReminderPreferences, account_id)


async def wishes(db: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, Wishes]:
    """What these people want; defaults for those who never said."""
    rows = await db.execute(
        select(Account.id, Account.zone, Account.email, ReminderPreferences)
        .outerjoin(ReminderPreferences, ReminderPreferences.account_id == Account.id)
        .where(Account.id.in_(account_ids))
        .execution_options(populate_existing=True)
    )
    return {
        account_id: Wishes(_said(account_id, said), ZoneInfo(zone), email)
        for account_id, zone, email, said in rows
    }


def _said(account_id: UUID, row: ReminderPreferences | None) -> ReminderPreferences:
    return ReminderPreferences(account_id=account_id) if row is None else row


class Booked(NamedTuple):
    """A booked meeting ahead, for one person."""

    account_id: UUID
    meeting_id: UUID
    starts_at: datetime


async def booked(
    db: AsyncSession, *, account_id: UUID | None = None, meeting_id: UUID | None = None
) -> list[Booked]:
    """What a person is booked for, or who is booked for a meeting, from now on."""
    statement = (
        select(Booking.account_id, Meeting.id, Meeting.starts_at)
        .join(Meeting, Meeting.id == Booking.meeting_id)
        .where(Meeting.status == MeetingStatus.BOOKED, Meeting.starts_at > clock.now())
    )
    if account_id is not None:
        statement = statement.where(Booking.account_id == account_id)
    if meeting_id is not None:
        statement = statement.where(Booking.meeting_id == meeting_id)
    return [Booked(*row) for row in await db.execute(statement)]


async def unplanned(db: AsyncSession, *, after: UUID | None, most: int) -> list[UUID]:
    """Booked meetings ahead that nobody is to be reminded of, nor was; so many, from an id on."""
    statement = (
        select(Meeting.id)
        .where(Meeting.status == MeetingStatus.BOOKED, Meeting.starts_at > clock.now())
        .where(~exists(select(Reminder.id).where(Reminder.meeting_id == Meeting.id)))
        .order_by(Meeting.id)
        .limit(most)
    )
    return list(await db.scalars(statement if after is None else statement.where(Meeting.id > after)))


def _pending() -> ColumnElement[bool]:
    return and_(Reminder.sent_at.is_(None), Reminder.dropped_at.is_(None))


async def pending_of_meeting(db: AsyncSession, meeting_id: UUID) -> list[Reminder]:
    """What is still to come of a meeting, locked."""
    return await _locked(db, select(Reminder).where(Reminder.meeting_id == meeting_id, _pending()))


async def pending_of_account(db: AsyncSession, account_id: UUID) -> list[Reminder]:
    """What somebody is still to be told of their meetings, locked."""
    kinds = (Kind.MEETING.value, Kind.AGENDA.value)
    return await _locked(
        db, select(Reminder).where(Reminder.account_id == account_id, Reminder.kind.in_(kinds), _pending())
    )


async def _locked(db: AsyncSession, statement: Select[Reminder]) -> list[Reminder]:
    # In the order in which whoever ends a mentorship takes them, meeting by meeting.
    ordered = statement.order_by(Reminder.meeting_id, Reminder.id).with_for_update(key_share=True)
    return list(await db.scalars(ordered.execution_options(populate_existing=True)))


async def make(db: AsyncSession, wanted: Iterable[tuple[Occasion, datetime]]) -> None:
    """Store these occasions with when they are due; one that was dropped comes back, none that was sent."""
    rows: list[dict[str, Any]] = [
        {"id": new_id(), **each._asdict(), "due_at": due} for each, due in sorted(wanted, key=_in_order)
    ]
    if not rows:
        return
    made = insert(Reminder).values(rows)
    await db.execute(
        made.on_conflict_do_update(
            constraint="uq_reminder_occasion",
            set_={"due_at": made.excluded.due_at, "dropped_at": None, "dropped_why": None},
            where=Reminder.sent_at.is_(None),
        )
    )


def _in_order(wanted: tuple[Occasion, datetime]) -> tuple[str, ...]:
    return tuple(map(str, wanted[0]))


async def mailed_of_meetings(
    db: AsyncSession, meeting_ids: Collection[UUID] | Select[UUID], account_id: UUID | None = None
) -> list[Reminder]:
    """Reminders of meetings whose mail may still be on its way."""
    statement = select(Reminder).where(
        Reminder.meeting_id.in_(meeting_ids), Reminder.mail_job_id.is_not(None)
    )
    if account_id is not None:
        statement = statement.where(Reminder.account_id == account_id)
    return await _locked(db, statement)


async def drop(
    db: AsyncSession, why: str, meeting_ids: Collection[UUID] | Select[UUID], account_id: UUID | None = None
) -> None:
    """Nobody, or this person not, is reminded of these meetings."""
    statement = update(Reminder).where(Reminder.meeting_id.in_(meeting_ids), _pending())
    if account_id is not None:
        statement = statement.where(Reminder.account_id == account_id)
    await db.execute(statement.values(dropped_at=clock.now(), dropped_why=why))


def meetings_of_pairing(pairing_id: UUID) -> Select[UUID]:
    """The ids of a mentorship's meetings."""
    return select(Meeting.id).where(Meeting.pairing_id == pairing_id)


# What the worker takes


def _due(kinds: Collection[Kind], most: int, without: Collection[UUID]) -> Select[Reminder]:
    return (
        select(Reminder)
        .where(_pending(), Reminder.due_at <= clock.now(), Reminder.kind.in_([each.value for each in kinds]))
        .where(Reminder.id.not_in(without))
        .order_by(Reminder.due_at, Reminder.id)
        .limit(most)
        .execution_options(populate_existing=True)
    )


async def claim_of_meetings(
    db: AsyncSession, most: int, without: Collection[UUID]
) -> list[tuple[Reminder, Meeting]]:
    """Due reminders and their meetings, both locked: what somebody is changing just now waits its turn."""
    rows = await db.execute(
        _due([Kind.MEETING], most, without)
        .join(Meeting, Meeting.id == Reminder.meeting_id)
        .add_columns(Meeting)
        .with_for_update(of=[Reminder, Meeting], key_share=True, skip_locked=True)
    )
    return [(reminder, meeting) for reminder, meeting in rows]


async def claim_of_pairings(
    db: AsyncSession, most: int, without: Collection[UUID]
) -> list[tuple[Reminder, Pairing]]:
    """Due nudges and their mentorships, both locked."""
    rows = await db.execute(
        _due([Kind.NUDGE, Kind.COORDINATORS], most, without)
        .join(Pairing, Pairing.id == Reminder.pairing_id)
        .add_columns(Pairing)
        .with_for_update(of=[Reminder, Pairing], key_share=True, skip_locked=True)
    )
    return [(reminder, pairing) for reminder, pairing in rows]


async def claim_agendas(db: AsyncSession, most: int, without: Collection[UUID]) -> list[Reminder]:
    """Due agendas, locked."""
    statement = _due([Kind.AGENDA], most, without).with_for_update(key_share=True, skip_locked=True)
    return list(await db.scalars(statement))


async def is_booked(db: AsyncSession, meeting_id: UUID, account_id: UUID) -> bool:
    """Whether a meeting takes somebody's time."""
    return await db.get(Booking, (meeting_id, account_id), populate_existing=True) is not None


async def has_newer_due(db: AsyncSession, row: Reminder) -> bool:
    """Whether a later one of the same meeting is due as well, or was sent."""
    found = await db.scalar(
        select(
            exists().where(
                Reminder.account_id == row.account_id,
                Reminder.meeting_id == row.meeting_id,
                Reminder.starts_at == row.starts_at,
                Reminder.lead_minutes < row.lead_minutes,
                Reminder.due_at <= clock.now(),
                Reminder.dropped_at.is_(None),
            )
        )
    )
    return bool(found)


async def meetings_of_day(
    db: AsyncSession, account_id: UUID, start: datetime, end: datetime
) -> list[Meeting] | None:
    """Somebody's booked meetings that begin in a span, locked; None while one of them is being changed."""
    statement = (
        select(Meeting)
        .join(Booking, Booking.meeting_id == Meeting.id)
        .where(Booking.account_id == account_id, Meeting.status == MeetingStatus.BOOKED)
        .where(Meeting.starts_at >= start, Meeting.starts_at < end)
        .order_by(Meeting.starts_at, Meeting.id)
        .execution_options(populate_existing=True)
    )
    held = statement.with_for_update(of=Meeting, key_share=True, skip_locked=True)
    there = {row.id for row in await db.scalars(statement)}
    found = list(await db.scalars(held))
    return found if {row.id for row in found} == there else None


async def clear_away(db: AsyncSession, before: datetime) -> None:
    """Forget reminders whose time was over before then."""
    done = or_(Reminder.sent_at.is_not(None), Reminder.dropped_at.is_not(None))
    await db.execute(delete(Reminder).where(done, Reminder.starts_at < before, Reminder.due_at < before))


# Quiet mentorships


def _met_at() -> ColumnElement[datetime]:
    """When the people of a mentorship last met: the start of a meeting in whose call at least two were.

    Whatever else proves that a meeting took place belongs in here.
    """
    attended = (
        select(Call.meeting_id)
        .join(Attendance, Attendance.call_id == Call.id)
        .group_by(Call.meeting_id)
        .having(func.count(func.distinct(Attendance.membership_id)) >= 2)
        .where(Call.meeting_id == Meeting.id)
        .correlate(Meeting)
    )
    return (
        select(func.max(Meeting.starts_at))
        .where(Meeting.pairing_id == Pairing.id, Meeting.status == MeetingStatus.BOOKED, exists(attended))
        .correlate(Pairing)
        .scalar_subquery()
    )


def _quiet_since() -> ColumnElement[datetime]:
    """Since when: the last time they met, or the day on which they agreed to."""
    return func.greatest(func.coalesce(Pairing.decided_at, Pairing.created_at), _met_at())


def _is_quiet() -> ColumnElement[bool]:
    """Active mentorships of two that have nothing booked."""
    ahead = exists().where(
        Meeting.pairing_id == Pairing.id,
        Meeting.status == MeetingStatus.BOOKED,
        Meeting.ends_at > clock.now(),
    )
    return and_(
        Pairing.status == Status.ACTIVE.value,
        Pairing.kind != PairingKind.CIRCLE.value,
        ~ahead.correlate(Pairing),
    )


async def quiet_for(db: AsyncSession, pairing_id: UUID) -> datetime | None:
    """Since when a mentorship is quiet; None when it is not."""
    return await db.scalar(select(_quiet_since()).where(Pairing.id == pairing_id, _is_quiet()))


class Spell(NamedTuple):
    """A mentorship that is quiet, and since when."""

    pairing_id: UUID
    quiet_since: datetime


async def claim_quiet(
    db: AsyncSession, stage: Stage, before: datetime, *, after: timedelta | None, most: int
) -> list[Spell]:
    """Mentorships that have been quiet since before then and of whose spell this stage was not told, locked.

    `after` is how long ago the people themselves must have been told.
    """
    since = _quiet_since()
    told = aliased(Nudge)
    of_spell = and_(told.pairing_id == Pairing.id, told.quiet_since == since)
    statement = (
        select(Pairing.id, since)
        .where(_is_quiet(), since <= before)
        .where(~exists(select(told.stage).where(of_spell, told.stage == stage.value).correlate(Pairing)))
        .order_by(Pairing.id)
        .limit(most)
        .with_for_update(of=Pairing, key_share=True, skip_locked=True)
    )
    if after is not None:
        earlier = and_(of_spell, told.stage == Stage.PEOPLE.value, told.told_at <= clock.now() - after)
        statement = statement.where(exists(select(told.stage).where(earlier).correlate(Pairing)))
    return [Spell(*row) for row in await db.execute(statement)]


async def note_nudge(db: AsyncSession, spell: Spell, stage: Stage) -> bool:
    """Write down that a stage is told of a spell; False when it was."""
    row = {**spell._asdict(), "stage": stage.value, "told_at": clock.now()}
    made = insert(Nudge).values(row).on_conflict_do_nothing()
    return await db.scalar(made.returning(Nudge.stage)) is not None
