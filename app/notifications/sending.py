"""The worker's step: what is due is looked at once more, and told or dropped in one transaction.

A reminder is locked together with the meeting or mentorship that it is about, and what somebody else holds is
left for the next time: so no meeting can be cancelled between the look and the commit, and two workers never
take the same. The mail is a job of that transaction, under an id that follows from the reminder's.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.blocks import queries as blocks
from app.core import clock, mail
from app.core.db import Database
from app.notifications import due, news, queries, words
from app.notifications.models import Channel, Kind, Reminder
from app.notifications.queries import Wishes
from app.notifications.words import Appointment, Letter
from app.organisations import queries as organisations
from app.organisations.models import Membership
from app.pairings import queries as pairings
from app.pairings.models import Kind as PairingKind
from app.pairings.models import Pairing, Status
from app.scheduling.models import Meeting, MeetingStatus
from app.settings import get_settings

log = structlog.get_logger()
MOST_AT_ONCE = 20
LATE = timedelta(minutes=10)
"""After so long a reminder is late, and does not disturb quiet hours that may have begun meanwhile."""


async def send_due(database: Database, refused: set[UUID] | None = None) -> int:
    """Tell or drop everything that is due; returns how many. What cannot be told is `refused`, once."""
    refused = set() if refused is None else refused
    most, done = MOST_AT_ONCE, 0
    while True:
        taken: list[UUID] = []
        try:
            async with database.transaction() as db:
                found = await _some(db, most, refused, taken)
        except Exception as error:
            if not taken or (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise
            if most == 1:
                log.exception("reminder_failed", id=str(taken[0]))
                refused.update(taken)
            most = 1  # one of them is to blame: from here on one by one
            continue
        done += found
        if not found:
            return done


async def _some(db: AsyncSession, most: int, refused: Collection[UUID], taken: list[UUID]) -> int:
    """One batch; returns how many were told or dropped. `taken` holds what was claimed, also if it fails."""
    of_meetings = await queries.claim_of_meetings(db, most, refused)
    taken += [row.id for row, _ in of_meetings]
    for row, meeting in of_meetings:
        await _of_meeting(db, row, meeting)
    if taken:
        return len(taken)
    of_pairings = await queries.claim_of_pairings(db, most, refused)
    taken += [row.id for row, _ in of_pairings]
    for row, pairing in of_pairings:
        await _of_pairing(db, row, await pairings.one(db, pairing.id))
    if taken:
        return len(taken)
    agendas = await queries.claim_agendas(db, most, refused)
    taken += [row.id for row in agendas]
    return sum([await _of_day(db, row) for row in agendas])


async def _of_meeting(db: AsyncSession, row: Reminder, meeting: Meeting) -> None:
    pairing = await pairings.one(db, meeting.pairing_id)
    wishes = await _wishes(db, row)
    why = await _objection(db, row, meeting, pairing)
    if why is not None:
        row.drop(why)
    elif not _postponed(row, wishes, meeting.starts_at):
        one = _appointment(meeting, pairing, row.account_id)
        letter = words.of_meeting(one, wishes.zone.key, get_settings().public_url)
        await _tell(db, row, wishes, letter, meeting)


async def _objection(db: AsyncSession, row: Reminder, meeting: Meeting, pairing: Pairing) -> str | None:
    """Why somebody is not to be reminded of a meeting after all."""
    if meeting.status != MeetingStatus.BOOKED:
        return str(meeting.status)
    if meeting.starts_at != row.starts_at:
        return "moved"
    if meeting.starts_at <= clock.now():
        return "too_late"
    if pairing.status != Status.ACTIVE:
        return str(pairing.status)
    if not _takes_part(pairing, row.account_id) or not await queries.is_booked(
        db, meeting.id, row.account_id
    ):
        return "left"
    if pairing.kind != PairingKind.CIRCLE and await _are_apart(db, pairing):
        return "apart"
    return "superseded" if await queries.has_newer_due(db, row) else None


def _live(pairing: Pairing) -> list[Membership]:
    return [each for each in pairing.people().values() if each.ended_at is None]


def _takes_part(pairing: Pairing, account_id: UUID) -> bool:
    return any(each.account_id == account_id for each in _live(pairing))


async def _are_apart(db: AsyncSession, pairing: Pairing) -> bool:
    return bool(await blocks.pairs_among(db, {each.account_id for each in pairing.people().values()}))


async def _of_day(db: AsyncSession, row: Reminder) -> bool:
    """Send somebody what their day holds; False when it is being changed at this moment."""
    wishes, day = await _wishes(db, row), row.starts_at.date()
    found = await queries.meetings_of_day(
        db, row.account_id, row.starts_at - timedelta(days=1), row.starts_at + timedelta(days=2)
    )
    if found is None:
        return False
    known = await pairings.by_ids(db, {each.pairing_id for each in found})
    shown: list[Appointment] = []
    for meeting in found:
        pairing = known[meeting.pairing_id]
        is_then = meeting.starts_at.astimezone(wishes.zone).date() == day
        if is_then and await _goes_on(db, pairing, row.account_id):
            shown.append(_appointment(meeting, pairing, row.account_id))
    if not shown:
        row.drop("nothing")
    elif shown[0].starts_at <= clock.now():
        row.drop("too_late")
    elif not _postponed(row, wishes, shown[0].starts_at):
        letter = words.of_day(day, shown, wishes.zone.key, get_settings().public_url)
        await _tell(db, row, wishes, letter, found[0])
    return True


async def _goes_on(db: AsyncSession, pairing: Pairing, account_id: UUID) -> bool:
    """Whether the mentorship stands, and somebody still takes part in it."""
    if pairing.status != Status.ACTIVE or not _takes_part(pairing, account_id):
        return False
    return pairing.kind == PairingKind.CIRCLE or not await _are_apart(db, pairing)


async def _of_pairing(db: AsyncSession, row: Reminder, pairing: Pairing) -> None:
    wishes = await _wishes(db, row)
    if await queries.quiet_for(db, pairing.id) != row.starts_at:
        row.drop("not_quiet")
    elif not wishes.preferences.nudges or not wishes.preferences.channels:
        row.drop("preferences")
    elif await _are_apart(db, pairing):
        row.drop("apart")
    elif not _postponed(row, wishes, None):
        letter = await _letter_of_quiet(db, row, pairing)
        if letter is None:
            row.drop("left")
        else:
            await _tell(db, row, wishes, letter, None)


async def _letter_of_quiet(db: AsyncSession, row: Reminder, pairing: Pairing) -> Letter | None:
    """What somebody is told of a quiet mentorship; None when it is not their business any more."""
    url, long = get_settings().public_url, words.weeks(row.starts_at, clock.now())
    if row.kind == Kind.NUDGE:
        others = [each.name for each in pairing.people().values() if each.account_id != row.account_id]
        if not _takes_part(pairing, row.account_id):
            return None
        return words.of_quiet(" and ".join(others), long, pairing.id, url)
    names = [
        each.name
        for each in _live(pairing)
        if row.account_id in await organisations.coordinator_accounts(db, each.organisation_id)
    ]
    return words.of_quiet_people(names, long, url) if names else None


async def _wishes(db: AsyncSession, row: Reminder) -> Wishes:
    return (await queries.wishes(db, [row.account_id]))[row.account_id]


def _postponed(row: Reminder, wishes: Wishes, starts_at: datetime | None) -> bool:
    """Whether a late one, although it has not been sent in time, waits until quiet hours are over."""
    now, quiet = clock.now(), wishes.preferences.quiet
    is_short = row.kind == Kind.MEETING and timedelta(minutes=row.lead_minutes) <= due.SHORT
    if is_short or row.due_at > now - LATE or not due.is_quiet(now, wishes.zone, quiet):
        return False
    after = due.loud_again(now, wishes.zone, quiet)
    if starts_at is not None and starts_at <= after:
        return False
    row.due_at = after
    return True


def _appointment(meeting: Meeting, pairing: Pairing, account_id: UUID) -> Appointment:
    """The meeting as one of its people knows it: a circle by its title, for some in it may be kept apart."""
    others = [each.name for each in pairing.people().values() if each.account_id != account_id]
    whom = f"the circle {pairing.title}" if pairing.kind == PairingKind.CIRCLE else " and ".join(others)
    return Appointment(meeting.id, whom, meeting.starts_at, meeting.ends_at)


async def _tell(
    db: AsyncSession, row: Reminder, wishes: Wishes, letter: Letter, meeting: Meeting | None
) -> None:
    """By mail, under an id of this very reminder, and on the page."""
    channels = wishes.preferences.channels
    if Channel.MAIL in channels:
        row.mail_job_id = await mail.send(
            db,
            to=wishes.email,
            subject=letter.subject,
            text=letter.text,
            message_id=mail.message_id(f"reminder.{row.id}"),
            until=meeting.starts_at if meeting else None,
        )
    if Channel.PAGE in channels and row.kind == Kind.MEETING and row.meeting_id:
        news.remind(db, row.account_id, news.MEETING_COMES, row.meeting_id)
    if Channel.PAGE in channels and row.kind == Kind.NUDGE and row.pairing_id:
        news.remind(db, row.account_id, news.PAIRING_IS_QUIET, row.pairing_id)
    row.sent_at = clock.now()
