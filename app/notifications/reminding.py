"""What is to be reminded of: made when a meeting is booked, made anew when anything that decides it changes.

Occasions are rows, and each has its own key, in which the meeting's start stands: whatever moves, an occasion
that was sent is never sent again, and one that was dropped may come back.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.accounts.events import ZoneChanged
from app.core import clock, jobs
from app.core.db import Database
from app.core.locks import lock
from app.notifications import due, news, queries
from app.notifications.models import Channel, Kind, Reminder, ReminderPreferences
from app.notifications.queries import Booked, Occasion, Wishes, occasion
from app.notifications.schemas import ReminderPreferencesEdit, ReminderPreferencesRead, wall
from app.pairings.events import ParticipantWentAway
from app.scheduling.events import MeetingBooked, MeetingCancelled, MeetingMoved

Wanted = dict[Occasion, datetime]
MOST_AT_ONCE = 500


async def preferences(db: AsyncSession, actor: Actor) -> ReminderPreferencesRead:
    """How the actor wants to be reminded."""
    wishes = (await queries.wishes(db, [actor.account_id]))[actor.account_id]
    return ReminderPreferencesRead.of(wishes.preferences, wishes.zone.key)


async def set_preferences(
    db: AsyncSession, actor: Actor, body: ReminderPreferencesEdit
) -> ReminderPreferencesRead:
    """Replace how the actor wants to be reminded, also of what is booked already."""
    before = await _hold(db, actor.account_id)
    row = await queries.preferences(db, actor.account_id)
    if row is None:
        row = ReminderPreferences(account_id=actor.account_id)
        db.add(row)
    quiet = body.quiet_hours
    row.channels = [each.value for each in body.channels]
    row.lead_minutes = sorted(body.lead_minutes, reverse=True)
    row.quiet_from, row.quiet_to = (wall(quiet.start), wall(quiet.end)) if quiet else (None, None)
    row.agenda, row.nudges = body.agenda, body.nudges
    await db.flush()
    after = ReminderPreferencesRead.of(row, before.zone)
    if after != before:
        news.preferences_changed(db, actor.account_id)
        await _plan_person(db, actor.account_id)
    return after


async def _hold(db: AsyncSession, account_id: UUID) -> ReminderPreferencesRead:
    """How somebody wants to be reminded, so that nothing is booked for them by the old wishes meanwhile."""
    await lock(db, "booking", account_id)
    wishes = (await queries.wishes(db, [account_id]))[account_id]
    return ReminderPreferencesRead.of(wishes.preferences, wishes.zone.key)


async def zone_changed(db: AsyncSession, event: ZoneChanged) -> None:
    """Quiet hours and days are others now."""
    await lock(db, "booking", event.account_id)
    await _plan_person(db, event.account_id)


async def meeting_booked(db: AsyncSession, event: MeetingBooked | MeetingMoved) -> None:
    """Everyone who is booked for it is to be reminded, at its new time if it was moved."""
    await _plan_meeting(db, event.meeting_id)


async def _plan_meeting(db: AsyncSession, meeting_id: UUID) -> None:
    rows = await queries.booked(db, meeting_id=meeting_id)
    wanted = _wanted(rows, await queries.wishes(db, {row.account_id for row in rows}))
    await _withdraw(db, meeting_id, but=set(wanted))
    await _reconcile(db, wanted, await queries.pending_of_meeting(db, meeting_id), "moved")


async def plan_missing(database: Database) -> int:
    """Remind also of what was booked before anybody was reminded, or past us; returns how much."""
    found, last = 0, None
    while True:
        async with database.transaction() as db:
            meetings = await queries.unplanned(db, after=last, most=MOST_AT_ONCE)
        for meeting_id in meetings:
            async with database.transaction() as db:
                rows = await queries.booked(db, meeting_id=meeting_id)
                await lock(db, "booking", *(row.account_id for row in rows))
                await _plan_meeting(db, meeting_id)
        if not meetings:
            return found
        found, last = found + len(meetings), meetings[-1]


async def meeting_cancelled(db: AsyncSession, event: MeetingCancelled) -> None:
    """Nobody is reminded of it; a mail that waits to be sent is taken back."""
    await _withdraw(db, event.meeting_id)
    await queries.drop(db, "cancelled", [event.meeting_id])


async def participant_left(db: AsyncSession, event: ParticipantWentAway) -> None:
    """Whoever left a circle is not reminded of its meetings."""
    meetings = queries.meetings_of_pairing(event.pairing_id)
    for row in await queries.mailed_of_meetings(db, meetings, event.account_id):
        await _take_back(db, row)
    await queries.drop(db, "left", meetings, event.account_id)


async def _withdraw(db: AsyncSession, meeting_id: UUID, but: Collection[Occasion] = ()) -> None:
    for row in await queries.mailed_of_meetings(db, [meeting_id]):
        if occasion(row) not in but:
            await _take_back(db, row)


async def _take_back(db: AsyncSession, row: Reminder) -> None:
    """Its mail does not go out any more, unless it has."""
    if row.mail_job_id is not None and await jobs.withdraw(db, row.mail_job_id):
        row.sent_at = None
        row.drop("withdrawn")
    row.mail_job_id = None


async def _plan_person(db: AsyncSession, account_id: UUID) -> None:
    rows = await queries.booked(db, account_id=account_id)
    wanted = _wanted(rows, await queries.wishes(db, [account_id]))
    await _reconcile(db, wanted, await queries.pending_of_account(db, account_id), "preferences")


async def _reconcile(db: AsyncSession, wanted: Wanted, pending: Iterable[Reminder], why: str) -> None:
    """Drop what is not wanted any more, move what is due at another time, and make what is missing.

    What would have been due by now is not made. What is overdue already stays: a worker may have been away.
    """
    now, missing = clock.now(), dict(wanted)
    for row in pending:
        at = missing.pop(occasion(row), None)
        if at is None:
            row.drop(why)
        elif at > now:
            row.due_at = at
        elif row.due_at > now:
            row.drop("passed")
    await queries.make(db, [(each, at) for each, at in missing.items() if at > now])


def _wanted(rows: Iterable[Booked], wishes: Mapping[UUID, Wishes]) -> Wanted:
    """Each occasion to remind these people of what they are booked for, and when it is due."""
    found: Wanted = {}
    for row in rows:
        found.update(_occasions(row, wishes[row.account_id]))
    return found


def _occasions(row: Booked, wishes: Wishes) -> Iterator[tuple[Occasion, datetime]]:
    said, zone = wishes.preferences, wishes.zone
    if not said.channels:
        return
    for lead, at in due.leads_due(row.starts_at, said.lead_minutes, zone, said.quiet).items():
        yield Occasion(row.account_id, Kind.MEETING.value, row.meeting_id, None, lead, row.starts_at), at
    if said.agenda and Channel.MAIL in said.channels:
        day = row.starts_at.astimezone(zone).date()
        yield agenda_of(row.account_id, day), due.agenda_at(day, zone, said.quiet)


def agenda_of(account_id: UUID, day: date) -> Occasion:
    """The mail about one day of somebody."""
    return Occasion(account_id, Kind.AGENDA.value, None, None, 0, datetime.combine(day, time(), UTC))
