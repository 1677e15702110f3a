"""Telling people by mail what happened. Mails name who and when, never what was written."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.blocks import queries as blocks
from app.core import mail
from app.notifications.words import when
from app.organisations import queries as organisations
from app.organisations.events import PartnershipProposed
from app.organisations.models import Membership
from app.pairings import queries as pairings
from app.pairings.events import PairingAccepted, PairingDeclined, PairingProposed
from app.pairings.models import Pairing
from app.safeguarding.events import ReportFiled
from app.scheduling import queries as scheduling
from app.scheduling.events import (
    MeetingBooked,
    MeetingCancelled,
    MeetingDeclined,
    MeetingMoved,
    MeetingMoveDeclined,
    MeetingMoveProposed,
    MeetingProposed,
)
from app.series import queries as series
from app.series.events import SeriesAccepted, SeriesCancelled, SeriesDeclined, SeriesProposed
from app.settings import get_settings


async def _mail(db: AsyncSession, people: dict[UUID, str], path: str) -> None:
    """Mail each account its one sentence, with the page to look at."""
    link = f"{get_settings().public_url}{path}"
    for account_id, address in sorted((await accounts.emails_of(db, set(people))).items()):
        await mail.send(db, to=address, subject=people[account_id], text=f"{people[account_id]}.\n\n{link}\n")


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
    | MeetingMoveProposed
    | MeetingMoveDeclined
    | MeetingMoved
)


async def meeting_changed(db: AsyncSession, event: MeetingChange) -> None:
    if isinstance(event, MeetingBooked | MeetingCancelled) and event.series_id is not None:
        return  # one of many; `series_changed` tells of all of them
    meeting = await scheduling.one(db, event.meeting_id)
    pairing = await pairings.one(db, meeting.pairing_id)
    by = next((row.name for row in pairing.people().values() if row.account_id == event.by_account_id), None)
    apart = await blocks.apart_from(db, event.by_account_id) if event.by_account_id else set()
    people = {}
    for row in _others(pairing, event.by_account_id):
        who = "Someone" if row.account_id in apart else by
        people[row.account_id] = _words(event, who, meeting.starts_at, row.zone)
    await _mail(db, people, f"/pairings/{pairing.id}")


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
        case MeetingMoveProposed():
            return f"{by} asks to move your meeting to {when(event.starts_at, zone)}, from {now}"
        case MeetingMoveDeclined():
            no_more = "no longer asks to move" if event.withdrawn else "cannot move"
            return f"{by} {no_more} your meeting; it stays on {now}"
        case MeetingMoved():
            moved = f"{by} moved your meeting" if by else "Moved: your meeting"
            return f"{moved} to {now}, from {when(event.starts_at, zone)}"


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
