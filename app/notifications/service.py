"""Telling people by mail what happened. Mails name who and when, never what was written."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.blocks import queries as blocks
from app.calendars import invitations
from app.calendars.events import CalendarSaidNo
from app.calendars.invitations import Happening, Invitation
from app.core import mail
from app.notifications.words import when
from app.organisations import queries as organisations
from app.organisations.events import PartnershipProposed
from app.organisations.models import Membership
from app.pairings import queries as pairings
from app.pairings.events import PairingAccepted, PairingDeclined, PairingProposed, ParticipantWentAway
from app.pairings.models import Kind, Pairing, Part
from app.safeguarding.events import ReportFiled
from app.scheduling import queries as scheduling
from app.scheduling.events import (
    MeetingBooked,
    MeetingCancelled,
    MeetingDeclined,
    MeetingEdited,
    MeetingMoved,
    MeetingMoveDeclined,
    MeetingMoveProposed,
    MeetingProposed,
)
from app.scheduling.models import MeetingStatus
from app.series import queries as series
from app.series.events import SeriesAccepted, SeriesCancelled, SeriesDeclined, SeriesProposed
from app.settings import get_settings

NOBODY: Final[Mapping[UUID, Invitation]] = MappingProxyType({})
PLAIN: Final = Invitation()


async def _mail(
    db: AsyncSession, people: dict[UUID, str], path: str, invited: Mapping[UUID, Invitation] = NOBODY
) -> None:
    """Mail each account its one sentence, with the page to look at and what its calendar is to know."""
    link = f"{get_settings().public_url}{path}"
    for account_id, address in sorted((await accounts.emails_of(db, set(people))).items()):
        sentence = people[account_id]
        carried = invited.get(account_id, PLAIN)
        await mail.send(
            db,
            to=address,
            subject=sentence,
            text=f"{sentence}.\n\n{link}\n",
            calendar=carried.calendar,
            message_id=carried.message_id,
            reply_to=carried.reply_to,
        )


def _others(pairing: Pairing, account_id: UUID | None) -> list[Membership]:
    return [row for row in pairing.people().values() if row.account_id != account_id]


async def pairing_proposed(db: AsyncSession, event: PairingProposed) -> None:
    pairing = await pairings.one(db, event.pairing_id)
    asking = pairing.people()[event.proposed_by_id]
    sentence = f"{asking.name} ({asking.organisation.name}) asks you for a mentorship"
    people = {row.account_id: sentence for row in _others(pairing, asking.account_id)}
    await _mail(db, people, f"/pairings/{pairing.id}")


async def pairing_accepted(db: AsyncSession, event: PairingAccepted) -> None:
    pairing = await pairings.one(db, event.pairing_id)
    if pairing.organisation_id is not None:
        people = {
            row.account_id: f"You are now in the circle {pairing.title}" for row in _others(pairing, None)
        }
    else:
        asking = pairing.people()[event.proposed_by_id]
        names = " and ".join(row.name for row in _others(pairing, asking.account_id))
        people = {asking.account_id: f"{names} said yes to your mentorship"}
    await _mail(db, people, f"/pairings/{pairing.id}")


async def pairing_declined(db: AsyncSession, event: PairingDeclined) -> None:
    pairing = await pairings.one(db, event.pairing_id)
    asking = pairing.people()[event.proposed_by_id]
    names = " and ".join(row.name for row in _others(pairing, asking.account_id))
    await _mail(db, {asking.account_id: f"{names} cannot take up your mentorship request now"}, "/people")


MeetingChange = (
    MeetingProposed
    | MeetingBooked
    | MeetingDeclined
    | MeetingCancelled
    | MeetingEdited
    | MeetingMoveProposed
    | MeetingMoveDeclined
    | MeetingMoved
)
TO_CALENDARS: Final[Mapping[type[MeetingChange], Happening]] = {
    MeetingBooked: Happening.BOOKED,
    MeetingMoved: Happening.MOVED,
    MeetingEdited: Happening.RETITLED,
    MeetingCancelled: Happening.CANCELLED,
}


async def meeting_changed(db: AsyncSession, event: MeetingChange) -> None:
    """One mail for everyone else in it, and for whoever did it when their calendar is to know."""
    if isinstance(event, MeetingBooked | MeetingCancelled | MeetingEdited) and event.series_id is not None:
        return  # one of many; `series_changed` tells of all of them
    meeting = await scheduling.one(db, event.meeting_id)
    pairing = await pairings.one(db, meeting.pairing_id)
    happening = TO_CALENDARS.get(type(event))
    if isinstance(event, MeetingEdited) and meeting.status != MeetingStatus.BOOKED:
        happening = None  # what is only proposed stands in no calendar
    invited = await invitations.write(db, meeting, pairing, happening) if happening else {}
    by = next((row.name for row in pairing.people().values() if row.account_id == event.by_account_id), None)
    apart = await blocks.apart_from(db, event.by_account_id) if event.by_account_id else set()
    people = {}
    for row in _others(pairing, None):
        if row.account_id != event.by_account_id:
            who = "Someone" if row.account_id in apart else by
        elif row.account_id in invited:
            who = "You"
        else:
            continue
        people[row.account_id] = _words(event, who, meeting.starts_at, row.zone)
    if isinstance(event, MeetingEdited):
        # Told to calendars alone: nobody needs a mail about a word.
        people = {account_id: words for account_id, words in people.items() if account_id in invited}
    await _mail(db, people, f"/pairings/{pairing.id}", invited)


def _words(event: MeetingChange, by: str | None, starts_at: datetime, zone: str) -> str:
    now = when(starts_at, zone)
    match event:
        case MeetingProposed():
            return f"{by} proposes to meet on {now}"
        case MeetingBooked():
            return f"{by} confirmed your meeting on {now}"
        case MeetingDeclined():
            return f"{by} cannot meet on {now}"
        case MeetingCancelled():
            return f"{by} cancelled the meeting on {now}" if by else f"Cancelled: the meeting on {now}"
        case MeetingEdited():
            return f"{by} gave another title to your meeting on {now}"
        case MeetingMoveProposed():
            return f"{by} asks to move your meeting to {when(event.starts_at, zone)}, from {now}"
        case MeetingMoveDeclined():
            no_more = "no longer asks to move" if event.withdrawn else "cannot move"
            return f"{by} {no_more} your meeting; it stays on {now}"
        case MeetingMoved():
            moved = f"{by} moved your meeting" if by else "Moved: your meeting"
            return f"{moved} to {now}, from {when(event.starts_at, zone)}"


async def participant_left(db: AsyncSession, event: ParticipantWentAway) -> None:
    """Whoever left a circle is rid of its meetings in their calendar, too."""
    pairing = await pairings.one(db, event.pairing_id)
    leaver = next(part.person for part in pairing.participants if part.membership_id in event.membership_ids)
    for meeting in await scheduling.open_of_pairing(db, pairing.id):
        invitation = await invitations.withdraw(db, meeting, pairing, leaver)
        if invitation is not None:
            sentence = (
                f"You left {pairing.title}, and so its meeting on {when(meeting.starts_at, leaver.zone)}"
            )
            await _mail(db, {leaver.account_id: sentence}, "/meetings", {leaver.account_id: invitation})


async def calendar_said_no(db: AsyncSession, event: CalendarSaidNo) -> None:
    """The other side hears of it once: in a circle its leads, for whom it is to act."""
    meeting = await scheduling.one(db, event.meeting_id)
    pairing = await pairings.one(db, meeting.pairing_id)
    by = next(row.name for row in pairing.people().values() if row.account_id == event.by_account_id)
    apart = await blocks.apart_from(db, event.by_account_id)
    told = _others(pairing, event.by_account_id)
    if pairing.kind == Kind.CIRCLE:
        leads = {part.membership_id for part in pairing.current() if part.role == Part.LEAD}
        told = [row for row in told if row.id in leads] or told
    people = {
        row.account_id: f"{by}'s calendar says no to your meeting on {when(meeting.starts_at, row.zone)}"
        for row in told
        if row.account_id not in apart
    }
    await _mail(db, people, f"/pairings/{pairing.id}")


SeriesChange = SeriesProposed | SeriesAccepted | SeriesDeclined | SeriesCancelled


async def series_changed(db: AsyncSession, event: SeriesChange) -> None:
    found = await series.one(db, event.series_id)
    pairing = await pairings.one(db, found.pairing_id)
    by = next((row.name for row in pairing.people().values() if row.account_id == event.by_account_id), None)
    apart = await blocks.apart_from(db, event.by_account_id) if event.by_account_id else set()
    people = {
        row.account_id: _words_of_series(event, "Someone" if row.account_id in apart else by)
        for row in _others(pairing, event.by_account_id)
    }
    await _mail(db, people, f"/pairings/{pairing.id}")


def _words_of_series(event: SeriesChange, by: str | None) -> str:
    match event:
        case SeriesProposed():
            return f"{by} proposes to meet regularly"
        case SeriesAccepted():
            return f"{by} booked your regular meetings"
        case SeriesDeclined():
            return f"{by} cannot take up the regular meetings you proposed"
        case SeriesCancelled():
            return f"{by} cancelled your regular meetings" if by else "Cancelled: your regular meetings"


async def partnership_proposed(db: AsyncSession, event: PartnershipProposed) -> None:
    people = await organisations.coordinator_accounts(db, event.partner_id)
    sentence = "Another organisation proposes a partnership"
    await _mail(db, dict.fromkeys(people, sentence), "/organisation#partners")


async def report_filed(db: AsyncSession, event: ReportFiled) -> None:
    people = await organisations.coordinator_accounts(db, event.organisation_id)
    people -= event.about
    await _mail(db, dict.fromkeys(people, "A report needs your attention"), "/organisation#reports")
